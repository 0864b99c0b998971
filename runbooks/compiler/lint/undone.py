"""What a runbook leaves behind: stopped and never started, deleted without a look, read but never made."""

import re
from collections.abc import Iterator, Sequence

from runbooks.compiler.contract import Command, Document, Runbook
from runbooks.compiler.lint.found import Found, joined

_NAME = r"(?:[\w-]+/)?[\w.<>${}-]+"
_NAMES = rf"(?:-\S+\s+(?:\d+\s+)?)*(?P<names>{_NAME}(?:\s+{_NAME})*)\s*$"
_TAKEN_DOWN = (
    re.compile(rf"\bdocker[ -]compose\b(?:\s+-\S+(?:\s+[\w./-]+\.ya?ml)?)*\s+(?:stop|pause)\s+{_NAMES}"),
    re.compile(rf"\b(?:docker|podman)\s+(?:stop|pause)\s+{_NAMES}"),
    re.compile(rf"\bsystemctl\s+(?:-\S+\s+)*stop\s+{_NAMES}"),
    re.compile(rf"\bservice\s+(?P<names>{_NAME})\s+stop\b"),
    re.compile(
        r"\b(?:kubectl|oc)\b(?=.*\sscale\s)(?=.*--replicas[= ]0\b).*\sscale\s+(?:-\S+(?:\s\S+)?\s+)*?"
        rf"(?:(?:deploy(?:ment)?s?|statefulset|sts|rs)\s+)?(?P<names>{_NAME})"
    ),
    re.compile(rf"\b(?:kubectl|oc)\s+(?:adm\s+)?(?:cordon|drain)\s+(?P<names>{_NAME})"),
)
_BRINGS_BACK = re.compile(
    r"\b(?:start|restart|up|unpause|uncordon|resume|run|redeploy|deploy|enable|apply|reboot)\b|"
    r"--replicas[= ](?!0\b)|\brollout\s+(?:restart|undo)\b",
    re.IGNORECASE,
)
_MEANT = re.compile(r"\b(?:rm|remove|delete|disable|mask|uninstall|decommission|retire|terminate)\b", re.IGNORECASE)
_SAID_BACK = re.compile(
    r"\b(?:re)?start(?:ed|ing|s)?\b|\bscal(?:e|ing|ed)\b.*\b(?:up|back)\b|\bresume|\bbring\w* .*\b(?:back|up)\b|"
    r"\bunpause|\buncordon|\bturn .*\bon\b|\bre-?enable|\breboot",
    re.IGNORECASE,
)
_MEANT_TITLE = re.compile(
    r"\b(?:stop|shut ?down|decommission|retire|remov|uninstall|delet|switch off|maintenance mode|clean|"
    r"blue|green|canary|migrat|upgrade|replace|drain)",
    re.IGNORECASE,
)
# So many commands on, nobody connects the two; it also bounds the time for very long runbooks.
_FAR = 200
_FINAL_PHASES = {"deployment", "post_deployment", "rollback"}
# Scripts and tools that put things where they belong.
_MAY_START = re.compile(
    r"\b(?:ansible-playbook|terraform\s+apply|helm\s+upgrade|make\s)|(?:\./|\bbash\s|\bsh\s)\S*(?:start|deploy|(?<!back)up\b)"
)
_REPLACES = re.compile(
    r"\bDROP\s+DATABASE\b|\bpg_reset(?:wal|xlog)\b|\bpg_restore\b(?!.*(?:--list|\s-l\b))|"
    r"\bopenssl\s+req\b.*-keyout\b|\bmongorestore\b.*--drop|\bmysql\b[^|]*<\s*\S+|"
    r"\b(?:zcat|gunzip|cat)\b[^|]*\|[^|]*\bpsql\b(?!.*\s-c\b)"
)
_COPIES = re.compile(
    r"\b(?:cp|mv|rsync|tar|pg_dump\w*|pg_basebackup|mysqldump|mongodump|snapshot\w*|back(?:ing)?[ _-]?ups?|save)\b",
    re.IGNORECASE,
)
_REHEARSED = re.compile(r"\b(?:test|scratch|staging|verif\w*|drill|rehears\w*|tmp|temp\w*)(?:\b|_)", re.IGNORECASE)
_KEEPS = re.compile(
    r"\b(?:back up|backup (?:the )?current|take (?:a|another) (?:backup|copy|snapshot)|"
    r"(?:copy|save|keep) (?:what|the (?:current|damaged|data)|a copy))\b",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"\bgo\s+tool\s+pprof\s+(?:-\S+(?:\s+(?=\S+\s+\S))?\s*)*?(?P<file>[\w./-]+\.(?:prof|pprof|pb\.gz))\b"
)
_WRITES = re.compile(r"(?:>|-o|-O|--output)\s*(?P<file>[^\s|;&>]+)")
_DELETES = (
    ("find", re.compile(r"\bfind\s+(?P<what>\S+)[^|;&]*(?:-delete\b|-exec\s+rm\b|\|\s*xargs\s+(?:-\S+\s+)*rm\b)")),
    ("ls", re.compile(r"\bls\b[^|;&]*?\s(?P<what>[/~]\S+)[^;&]*\|\s*xargs\s+(?:-\S+\s+)*rm\b")),
    (
        "prune",
        re.compile(r"\b(?:docker|podman)\s+(?P<what>volume|container|system|image(?=\s+prune\s[^|;&]*-a))\s+prune\b"),
    ),
    ("sql", re.compile(r"(?i)\bDELETE\s+FROM\s+(?P<what>[\w.]+)")),
)


def of_document(document: Document) -> Iterator[Found]:
    """All of it for the runbooks of one document."""
    for runbook in document["runbooks"]:
        yield from _left_down(runbook)
        yield from _unseen(runbook)
        yield from _no_copy(runbook)
    yield from _never_made(document)


def _left_down(runbook: Runbook) -> Iterator[Found]:
    if _MEANT_TITLE.search(runbook["title"]):
        return
    commands = [
        (command, phase["phase"], step["title"])
        for phase in runbook["phases"]
        for step in phase["steps"]
        for command in step["commands"]
    ]
    said = _said(runbook)
    for index, (command, phase, title) in enumerate(commands):
        if phase in _FINAL_PHASES or (_MEANT_TITLE.search(title) and not title.lower().startswith("stop")):
            continue
        text = joined(command["text"])
        match = next((found for pattern in _TAKEN_DOWN if (found := pattern.search(text))), None)
        if match is None or re.search(r"&&|;", text[match.end() :]):
            continue
        # What a person chooses at that moment is stopped for good.
        chosen = "kubectl" not in text and bool(re.search(r"[<$]", match["names"]))
        names = [] if chosen else [name.rpartition("/")[2] for name in match["names"].split()]
        later = [joined(each["text"]) for each, _, _ in commands[index + 1 : index + _FAR]]
        left = [name for name in names if not any(_answers(each, name) for each in later)]
        if left and not any(line > command["line"] and _SAID_BACK.search(words) for line, words in said):
            one = len(left) == 1
            said_of = f"{' and '.join(left)} {'is' if one else 'are'} stopped here"
            message = f"{said_of}, and no step of this runbook starts {'it' if one else 'them'} again."
            use = "Add the step that starts what was stopped."
            yield command["line"], "order.not-started", "warning", message, use


def _answers(text: str, name: str) -> bool:
    """Whether a later command brings this back, or takes it away for good."""
    if re.search(r"\bdocker[ -]compose\b.*\s(?:up|start|restart|unpause)(?:\s+-\S+)*\s*$", text):
        return True
    if _MAY_START.search(text):
        return True
    return name in text and bool(_BRINGS_BACK.search(text) or _MEANT.search(text))


def _said(runbook: Runbook) -> list[tuple[int, str]]:
    """(line, words) of what the runbook asks a person to do."""
    out = []
    for phase in runbook["phases"]:
        if phase["phase"] in ("prevention", "symptoms"):
            continue
        out += [(item["line"], item["text"]) for item in phase["items"]]
        out += [(text["line"], text["text"]) for text in phase["prose"]]
        for step in phase["steps"]:
            out.append((step["line"], step["title"]))
            out += [(text["line"], text["text"]) for text in step["prose"]]
            out += [(note["line"], note["text"]) for command in step["commands"] for note in command["notes"]]
    return out


def _unseen(runbook: Runbook) -> Iterator[Found]:
    """A deletion that nothing of the runbook looks at first."""
    before: list[Command] = []
    for phase in runbook["phases"]:
        for step in phase["steps"]:
            for command in step["commands"]:
                yield from _blind(command, before)
                before = [*before[-_FAR:], command]


def _blind(command: Command, before: Sequence[Command]) -> Iterator[Found]:
    if command["risk"] != "destroy":
        return
    text = joined(command["text"])
    for kind, pattern in _DELETES:
        match = pattern.search(text)
        if match is None:
            continue
        what = match["what"].strip("\"'")
        if not any(_looks_at(kind, what, joined(each["text"])) for each in before):
            message = "Nothing shows what this deletes before it does."
            yield command["line"], "destroy.unseen", "info", message, _ADVICE[kind]
        return


def _no_copy(runbook: Runbook) -> Iterator[Found]:
    """Data that is replaced although nothing before keeps what is there."""
    kept = False
    said = _said(runbook)
    for phase in runbook["phases"]:
        for step in phase["steps"]:
            for command in step["commands"]:
                text = joined(command["text"])
                rehearsed = _REHEARSED.search(f"{runbook['title']} {command['label']} {text}")
                if _REPLACES.search(text) and command["risk"] == "destroy" and not kept and not rehearsed:
                    if not any(line <= command["line"] and _KEEPS.search(words) for line, words in said):
                        message = "Nothing keeps a copy of what this replaces."
                        use = "Copy what is there first, also when it is damaged."
                        yield command["line"], "destroy.no-copy", "info", message, use
                    return
                kept = kept or (bool(_COPIES.search(text)) and not _REPLACES.search(text))


_ADVICE = {
    "find": "Run the same find without deleting first.",
    "ls": "List the files first.",
    "prune": "Run docker system df -v, or list what is unused, first.",
    "sql": "Count the rows with the same condition first.",
}


def _looks_at(kind: str, what: str, text: str) -> bool:
    if kind == "prune":
        return bool(re.search(rf"\bdocker\s+(?:system\s+df|{what}\s+ls|{what}s\b|ps\s+-a|images\b)", text))
    if kind == "sql":
        return bool(re.search(rf"(?i)\bFROM\s+{re.escape(what)}\b", text)) and "DELETE" not in text.upper()
    place = what.rsplit("/", 1)[0] if kind == "ls" or "*" in what else what
    return bool(place) and place in text and "-delete" not in text and not re.search(r"\brm\b", text)


def _never_made(document: Document) -> Iterator[Found]:
    """A profile that is read and that no command writes."""
    commands = [c for r in document["runbooks"] for p in r["phases"] for s in p["steps"] for c in s["commands"]]
    if not any("pprof" in command["text"] for command in commands):
        return
    made = [
        re.escape(re.sub(r"\$\([^)]*\)|\$\{?\w+\}?", "\0", m["file"])).replace("\0", ".*")
        for c in commands
        for m in _WRITES.finditer(re.sub(r"\$\([^)]*\)", "$X", c["text"]))
    ]
    for command in commands:
        match = _PROFILE.search(command["text"])
        if match and not any(re.fullmatch(pattern.strip("\"'"), match["file"]) for pattern in made):
            message = f"No command of this document writes {match['file']}."
            yield command["line"], "order.never-made", "warning", message, "Write it first, with -o or >."
