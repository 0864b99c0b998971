"""Numbers that a document says twice, differently: counts, limits, ages, times, pools, ports."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runbooks.compiler.contract import Command, Document
from runbooks.compiler.lint.found import Found, joined, of_runbooks, worded

_COUNT = re.compile(r"\b(?:all|the)\s+(\d{1,3})\s+(services?|containers?|pods?|nodes?)\b", re.IGNORECASE)
_TABLE_HEAD = re.compile(r"^\s*(?:NAME|CONTAINER ID|CONTAINER|SERVICE)\b.*\b(?:STATUS|STATE|READY)\b", re.IGNORECASE)
_LIMIT = re.compile(
    r"^[\s>*+├└│┌─✓✔☐•-]*(?:\d+[.)]\s*)?(?:\[[ xX]\]\s*)?(?:\*\*)?(?P<what>[A-Za-z][\w /()-]{2,44}?)"
    r"(?:\*\*)?\s*:?\s*(?:\*\*)?\s*"
    r"(?:is |are |should (?:be|stay|have) |must be |metric |shows? |target )*"
    r"(?P<sign>[<>≤≥]=?|above|below|over|under|exceeds?|less than|more than)\s*"
    r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>%|ms\b|s\b|sec(?:ond)?s?\b|[KMGT]i?B\b)(?P<rest>.*)$",
    re.IGNORECASE,
)
_LEVEL = re.compile(
    r"\b(?:warn\w*|critical|severe|p[0-5]|sev-?\d|info|high|low|medium|page|ticket|target|goal|slo|during|normal\w*|"
    r"peak|night|or\b.*\d)",
    re.IGNORECASE,
)
_SECONDS = {"ms": 0.001, "s": 1.0}
_UPWARD = (">", "≥", "above", "over", "exceed", "more")
_POOL = re.compile(
    r"\b(?P<name>(?=\w*(?:DB|DATABASE|PG|SQL|POSTGRES|CONN))[A-Z][A-Z_]*"
    r"(?:POOL_SIZE|POOL_MAX\w*|MAX_CONN(?:ECTION)?S|MAX_OPEN_CONNS))\s*=\s*[\"']?(?P<size>\d+)"
)
_SERVER = re.compile(r"\bmax_connections\s*(?:=|TO|to)\s*[\"']?(?P<size>\d+)")
_REPLICAS = re.compile(r"--replicas[= ](?P<plain>\d+)|--scale\s+\S+?=(?P<scaled>\d+)")
_KEPT = re.compile(
    r"\b(?:retention|retained|rolling|keep|kept)\b[^.\n]*?\b(?P<days>\d+)[- ]day|"
    r"\b(?P<first>\d+)[- ]day\s+(?:rolling|retention)",
    re.IGNORECASE,
)
_OLDER = re.compile(r"\bfind\s+\S*backup\S*[^|;&]*-mtime\s+\+(?P<days>\d+)")
_NEWEST = re.compile(r"\bls\s+-\w*t\w*\s+\S*backup\S*\s*\|\s*tail\s+-n\s*\+(?P<from>\d+)\s*\|[^;&]*\brm\b")
_PORT = re.compile(r"\b(?P<scheme>https?)://(?P<host>[\w.-]+):(?P<port>\d{2,5})")

_CUT = re.compile(
    r"\bgrep\s+(?:-\w+\s+)*(?P<lines>\"[^\"]+\"|'[^']+')(?:\s+[\w./-]+)?\s*\|\s*awk\s+'\{\s*print\s+\$(?P<field>\d+)\s*\}'"
)
_CUT_OUT = re.compile(r"\b(IPs?|users?|endpoints?|status|paths?|hosts?)\b", re.IGNORECASE)


class _Limit(NamedTuple):
    line: int
    what: str
    value: float
    unit: str
    text: str


def of_document(document: Document, lines: Sequence[str]) -> Iterator[Found]:
    """All of it for one document."""
    commands = [c for r in document["runbooks"] for p in r["phases"] for s in p["steps"] for c in s["commands"]]
    code = {
        number
        for fence in document["fences"]
        if fence["kind"] in ("shell", "sql", "script", "promql", "yaml", "json")
        for number in range(fence["line"], fence["end_line"] + 1)
    }
    yield from _counts(lines)
    yield from _limits(lines, code)
    yield from _pools(document, lines)
    yield from _kept(commands, lines)
    yield from _schemes(commands)
    yield from _times(document)
    yield from _fields(document)


def _counts(lines: Sequence[str]) -> Iterator[Found]:
    """“All 11 services” beside a sample that lists ten."""
    listed: list[tuple[int, int]] | None = None
    for number, line in enumerate(lines, 1):
        for match in _COUNT.finditer(line) if any(each.isdigit() for each in line) else ():
            listed = [each for each in _tables(lines) if each[1] > 1] if listed is None else listed
            if len(listed) == 1 and listed[0][1] != int(match[1]):
                at, count = listed[0]
                message = f"“{match.group()}” here, but the sample at line {at} lists {count}."
                yield number, "text.count-differs", "warning", message, "Correct the one that is wrong."


def _tables(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(line, rows) of each sample of `ps` in the text: a head with NAME and STATUS, and the rows below it."""
    for index, line in enumerate(lines):
        if not _TABLE_HEAD.match(line.lstrip("#> ")):
            continue
        rows = 0
        for row in lines[index + 1 :]:
            text = row.strip().lstrip("# ").strip()
            if re.fullmatch(r"[-=\s]{5,}", text):
                continue
            if not re.search(r"\S\s{2,}\S", text) or text.startswith("```"):
                break
            rows += 1
        yield index + 1, rows


def _limits(lines: Sequence[str], code: set[int]) -> Iterator[Found]:
    """The same measure with another limit; levels, times of day and goals are told apart by their words."""
    said: dict[tuple[str, str, str], _Limit] = {}
    for number, line in enumerate(lines, 1):
        if number in code or not any(sign in line for sign in "<>≤≥ab"):
            continue
        match = _LIMIT.match(line)
        if match is None or _LEVEL.search(match["rest"]) or _LEVEL.search(match["what"]):
            continue
        unit = match["unit"].lower()
        base, factor = next((("s", f) for name, f in _SECONDS.items() if unit.startswith(name)), (unit, 1.0))
        what = re.sub(r"\s*\(.*?\)|\b(?:current|the|your|metric)\b", "", match["what"].lower()).strip(" :-")
        what = re.sub(r"\s+", " ", what).removesuffix("s")
        limit = _Limit(
            number, what, float(match["value"]) * factor, base, f"{match['sign']} {match['value']}{match['unit']}"
        )
        side = "more" if match["sign"].lower().startswith(_UPWARD) else "less"
        first = said.setdefault((what, base, side), limit)
        if first.value != limit.value and len(what) > 3:
            message = f"{what.capitalize()} has the limit {limit.text} here and {first.text} at line {first.line}."
            yield number, "text.limit-differs", "info", message, "Use one, or say what each is for."


def _pools(document: Document, lines: Sequence[str]) -> Iterator[Found]:
    """Replicas times their pool, against what the server takes."""
    allowed = [(number, int(m["size"])) for number, line in enumerate(lines, 1) if (m := _SERVER.search(line))]
    if not allowed:
        return
    at, most = max(allowed, key=lambda pair: pair[1])
    for runbook in document["runbooks"]:
        commands = [c for p in runbook["phases"] for s in p["steps"] for c in s["commands"]]
        replicas = max(
            (int(m["plain"] or m["scaled"]) for c in commands for m in _REPLICAS.finditer(c["text"])), default=1
        )
        for command in commands:
            if (match := _POOL.search(command["text"])) and int(match["size"]) * replicas > most:
                wanted = int(match["size"]) * replicas
                replica = f"{replicas} replicas" if replicas > 1 else "One replica"
                takes = f"the server takes {most} (line {at})"
                message = f"{replica} with {match.group()} may want {wanted} connections; {takes}."
                yield (
                    command["line"],
                    "text.pool-too-large",
                    "warning",
                    message,
                    "Divide what the server takes by the number of replicas.",
                )


def _kept(commands: Sequence[Command], lines: Sequence[str]) -> Iterator[Found]:
    """How long backups are kept, against what looks for old ones or removes them."""
    found = [
        (number, int(match["days"] or match["first"]))
        for number, line in enumerate(lines, 1)
        if "day" in line and (match := _KEPT.search(line)) and "ackup" in "".join(lines[max(0, number - 12) : number])
    ]
    if not found:
        return
    at, days = found[0]
    for command in commands:
        match, newest = _OLDER.search(command["text"]), _NEWEST.search(command["text"])
        if match and int(match["days"]) + 1 < days and ("wc -l" in command["text"] or "-delete" in command["text"]):
            older = int(match["days"]) + 1
            message = f"Backups are kept for {days} days (line {at}), and this looks for those older than {older}."
            yield (
                command["line"],
                "text.retention-differs",
                "warning",
                message,
                "Look for the newest backup instead, or for those that are too old.",
            )
        if newest and int(newest["from"]) - 1 < days:
            message = f"This keeps {int(newest['from']) - 1} backups, and line {at} promises {days} days."
            yield command["line"], "text.retention-differs", "warning", message, "Say which holds, and in which case."


def _schemes(commands: Sequence[Command]) -> Iterator[Found]:
    """One port that is asked by http here and by https there."""
    first: dict[str, tuple[int, str]] = {}
    told: set[str] = set()
    for command in commands:
        for match in _PORT.finditer(command["text"]):
            line, scheme = first.setdefault(match["port"], (command["line"], match["scheme"]))
            if scheme != match["scheme"] and match["port"] not in told:
                told.add(match["port"])
                message = f"Port {match['port']} is asked by {match['scheme']} here and by {scheme} at line {line}."
                yield (
                    command["line"],
                    "text.scheme-differs",
                    "info",
                    message,
                    "One of the two gets no answer: correct it.",
                )


def _times(document: Document) -> Iterator[Found]:
    """Time boxes of steps that do not fit into the one around them."""
    for runbook in document["runbooks"]:
        whole = runbook["schedule"]["duration_s"] if runbook["schedule"] else None
        spent = 0
        for phase in runbook["phases"]:
            steps = sum(step["time_box_s"] or 0 for step in phase["steps"] if not step["option_group"])
            inside = phase["time_box_s"]
            if inside and all(step["time_box_s"] for step in phase["steps"]) and steps > inside:
                message = (
                    f"The steps take {worded(steps / 60)} minutes together, and the part has {worded(inside / 60)}."
                )
                yield phase["line"], "text.time-differs", "info", message, "Correct the one that is wrong."
            spent += max(steps, inside or 0)
        if isinstance(whole, int) and spent > whole:
            message = f"Its parts take {worded(spent / 60)} minutes together, and it says {worded(whole / 60)}."
            yield runbook["line"], "text.time-differs", "info", message, "Correct the one that is wrong."


def _fields(document: Document) -> Iterator[Found]:
    """The same thing that is cut out of the same lines at two places of the line."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for said, command in of_runbooks(document):
        match = _CUT.search(joined(command["text"]))
        named = _CUT_OUT.search(said) if match else None
        if match is None or named is None:
            continue
        thing = named[1].rstrip("s")
        field, line = first.setdefault((match["lines"], thing.lower()), (match["field"], command["line"]))
        if field != match["field"]:
            message = f"The {thing} is word {match['field']} of the line here, and word {field} at line {line}."
            yield (
                command["line"],
                "text.field-differs",
                "warning",
                message,
                "Look at a line of the log and correct one.",
            )
