"""How a document is built: its parts, its steps, its fences, what is still to be written."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from runbooks.compiler import inline
from runbooks.compiler.contract import Document
from runbooks.compiler.lint.found import Found
from runbooks.compiler.sections import Section

_SEE = re.compile(r"\b[Ss]ee\s+(?:the\s+)?[\"“]([^\"”\n]{3,80})[\"”]\s+(?:section|above|below|chapter)")
_UNFILLED = re.compile(
    r"\b(?:TODO|FIXME|TBD|XXX)\b(?!\s*[-=]?>)|\[(?:insert|your|fill in)[^\]]{0,60}\](?!\()", re.IGNORECASE
)
_NOTE = re.compile(r"\b(?:TODO|FIXME|TBD|XXX)\b")
_KUBERNETES = re.compile(r"\b(?P<word>CrashLoopBackOff|ImagePullBackOff|ErrImagePull|OOMKilled pod|Pending pods?)\b")
_ACTS = re.compile(
    r"\s*(?:sudo\s+)?(?:docker\s+(?:restart|stop|rm|kill)\b|docker[ -]compose\b[^|;&]*\s(?:restart|stop|down)\b|"
    r"systemctl\s+(?:restart|stop)\b|service\s+\S+\s+(?:restart|stop)\b|reboot\b|(?:redis|valkey)-cli\b.*\bFLUSH|"
    r"kubectl\b[^|;&]*\s(?:delete\s+(?:pod|deploy|sts|job)|rollout\s+(?:restart|undo)|scale)\b)"
)
_LOOKS = {"symptoms", "diagnosis"}
# Not “Troubleshooting”, nor a part that is about both.
_LOOKING = re.compile(
    r"^(?!.*(?:resol|fix|mitigat|recover|remed|action|repair)).*(?:diagnos|investigat|analy|assess|symptom)",
    re.IGNORECASE,
)
_REVIEWED = re.compile(r"\bnext (?:review|update)\b\W{0,6}(?P<when>[^|\n]{3,40})", re.IGNORECASE)
_UPDATED = re.compile(
    r"\b(?:last[ _-](?:updated|reviewed|modified|revised|tested)|reviewed on)\b\W{0,6}(?P<when>[^|\n]{6,40})",
    re.IGNORECASE,
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_INTERVALS = {"daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "yearly": 366, "annually": 366, "annual": 366}
_TOO_OLD = timedelta(days=730)


def of_document(document: Document, root: Section, lines: Sequence[str]) -> Iterator[Found]:
    """All of it for one document."""
    yield from _endings(document)
    yield from _step_numbers(document, lines)
    yield from _acts_while_looking(document)
    yield from _of_lines(document, root, lines)
    yield from _untagged(document)
    walked = any(phase["steps"] or phase["items"] for runbook in document["runbooks"] for phase in runbook["phases"])
    if not (walked or document["references"] or document["checklists"]) and any(
        line.strip() and not line.startswith("#") for line in lines
    ):
        yield (
            1,
            "runbook.none",
            "info",
            "There is no runbook in this file.",
            "Give it steps, or leave it out of the import.",
        )


def _endings(document: Document) -> Iterator[Found]:
    """Incidents need an end: a proof that it is over, and somebody to call."""
    shared = any(
        reference["kind"] in ("escalation_matrix", "escalation_path") or "escalat" in reference["title"].lower()
        for reference in document["references"]
    )
    for runbook in document["runbooks"]:
        if runbook["kind"] != "incident":
            continue
        phases = {phase["phase"] for phase in runbook["phases"]}
        titles = " ".join(step["title"] for phase in runbook["phases"] for step in phase["steps"]).lower()
        if "verification" not in phases and not re.search(r"\bverif(?:y|ication)\b|\bconfirm\b|\bvalidate\b", titles):
            message = f"“{runbook['title']}” has no verification: nothing proves that it is over."
            yield runbook["line"], "runbook.no-verification", "info", message, "Add a part Verification."
        if "escalation" not in phases and not shared and "escalat" not in titles:
            message = f"“{runbook['title']}” has no escalation: nobody is named to call."
            yield runbook["line"], "runbook.no-escalation", "info", message, "Add a part Escalation, with a time."


def _step_numbers(document: Document, lines: Sequence[str]) -> Iterator[Found]:
    """Numbers that an author wrote and that repeat or skip."""
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            numbers = [(step["line"], step["number"]) for step in phase["steps"] if not step["option_group"]]
            written = [(line, int(n)) for line, n in numbers if n.isdecimal() and _numbered(lines, line, n)]
            for (_, before), (line, after) in pairwise(written):
                if after not in {before, before + 1, 1}:
                    yield line, "step.number", "info", f"Step {after} follows step {before}.", "Number the steps anew."


def _numbered(lines: Sequence[str], line: int, number: str) -> bool:
    """Whether the author wrote this number in front of the step."""
    return 0 < line <= len(lines) and bool(
        re.match(rf"[\s#*>_├└│─-]*(?:step\s+)?{number}\b", lines[line - 1], re.IGNORECASE)
    )


def _acts_while_looking(document: Document) -> Iterator[Found]:
    """A restart or a deletion among the steps that find out what is wrong."""
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            if phase["phase"] not in _LOOKS or not _LOOKING.search(phase["heading"]):
                continue
            for step in phase["steps"]:
                for command in step["commands"]:
                    if not _ACTS.match(command["text"]) or step["condition"]:
                        continue
                    said = f"{command['label']} {step['title']}"
                    level = "info" if re.search(r"\b(?:if|when|only)\b", said, re.IGNORECASE) else "warning"
                    message = "This changes what is being looked at, in the middle of finding out what is wrong."
                    use = "Move it to the resolution, or make it a step of its own."
                    yield command["line"], "step.acts-early", level, message, use


def _of_lines(document: Document, root: Section, lines: Sequence[str]) -> Iterator[Found]:
    titles = {inline.slug(section.title.text).strip("-") for section in root.walk()}
    programs = {
        name
        for r in document["runbooks"]
        for p in r["phases"]
        for s in p["steps"]
        for c in s["commands"]
        for name in c["programs"]
    }
    only_docker = bool(programs & {"docker", "docker-compose"}) and not programs & {"kubectl", "helm", "oc", "k9s"}
    fenced = {n for fence in document["fences"] for n in range(fence["line"], fence["end_line"] + 1)}
    for number, line in enumerate(lines, 1):
        if "ee " in line:
            for match in _SEE.finditer(line):
                wanted = inline.slug(match[1]).strip("-")
                if not any(title.startswith(wanted) for title in titles):
                    message = f"There is no section “{match[1]}” in this document."
                    yield number, "link.section", "warning", message, "Name the section as its heading does."
        if "[" in line or _NOTE.search(line):
            yield from _unfilled(number, line, number in fenced)
        if only_docker and "Back" in line and (state := _KUBERNETES.search(line)):
            message = f"{state['word']} is a state of Kubernetes, and this document works with Docker only."
            yield (
                number,
                "text.other-platform",
                "info",
                message,
                "Name the state that Docker shows, such as Restarting.",
            )


def _unfilled(number: int, line: str, fenced: bool) -> Iterator[Found]:
    match = _UNFILLED.search(line)
    if match is None or re.match(r"\s*[-*]?\s*\[[ xX]\]\s*$", line) or ("`" in line and not fenced):
        return
    if fenced and (match.group().upper() == "XXX" or re.search(r"\bgrep\b|\brg\b", line)):
        return
    yield number, "text.unfilled", "info", f"“{match.group()}” is not filled in yet.", "Fill it in."


def _untagged(document: Document) -> Iterator[Found]:
    """Fences that run without saying in which language."""
    for fence in document["fences"]:
        if fence["tag"] is None and fence["kind"] in ("shell", "sql", "script") and fence["step"] is not None:
            yield (
                fence["line"],
                "fence.no-tag",
                "info",
                f"This fence says nothing of its language; it is read as {fence['kind']}.",
                f"Write ```{'sql' if fence['kind'] == 'sql' else 'bash'}.",
            )


def overdue(lines: Sequence[str], today: date) -> Iterator[Found]:
    """Dates of review that are over. Needs to know the day, so the compiler itself does not ask."""
    updated: tuple[int, date] | None = None
    for number, line in enumerate(lines, 1):
        if (match := _UPDATED.search(line)) and (day := _day(match["when"])):
            updated = (number, day)
        if planned := _REVIEWED.search(line):
            day = _day(planned["when"])
            word = next((word for word in _INTERVALS if word in planned["when"].lower()), None)
            if day is None and word and updated:
                day = updated[1] + timedelta(days=_INTERVALS[word])
            if day is not None and day < today:
                message = f"The next review was due on {day.isoformat()}."
                yield number, "text.review-overdue", "info", message, "Review it and write the new date."
            return
    if updated and today - updated[1] > _TOO_OLD:
        message = f"It was last looked at on {updated[1].isoformat()}, more than two years ago."
        yield updated[0], "text.review-overdue", "info", message, "Review it and write the new date."


def _day(text: str) -> date | None:
    """A date as people write it: 2026-01-19, January 19, 2026, 19 Jan 2026."""
    if plain := re.search(r"\b(\d{4})-(\d{2})-(\d{2})\b", text):
        numbers = (int(plain[1]), int(plain[2]), int(plain[3]))
    elif named := re.search(r"\b([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b", text):
        numbers = (int(named[3]), _month(named[1]), int(named[2]))
    elif turned := re.search(r"\b(\d{1,2})(?:st|nd|rd|th)?\.?\s+([A-Za-z]{3})[a-z]*\.?,?\s+(\d{4})\b", text):
        numbers = (int(turned[3]), _month(turned[2]), int(turned[1]))
    else:
        return None
    try:
        return date(*numbers)
    except ValueError:
        return None


def _month(name: str) -> int:
    return _MONTHS.index(name.lower()) + 1 if name.lower() in _MONTHS else 0
