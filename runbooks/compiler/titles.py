"""What a heading or bold lead says: phase, reference, checklist, step, option, condition, time box."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SECONDS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hr": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}
_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:[-–]\s*(\d+(?:\.\d+)?)\s*)?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b",
    re.IGNORECASE,
)
_BOX = re.compile(r"\(([^()]*)\)\s*:?\s*$")
_BOXED = re.compile(
    r"(?:[\w ]+[-–—:,]\s*)?(?:within|under|max\.?|about|up to|approx\.?|for|first|next)?\s*[~<≤]?\s*"
    r"(?:\d+(?:\.\d+)?\s*[-–]\s*)?\d+(?:\.\d+)?\s*(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?: max\.?)?",
    re.IGNORECASE,
)
RUNBOOK = re.compile(r"^(?:runbook|playbook|sop|procedure|incident|alert)\s*(?:#?\d+)?\s*[:–—-]\s+(.+)$", re.IGNORECASE)
STEP = re.compile(r"^step\s+(\d+(?:\.\d+)*[a-z]?)\s*(?:[:.)–—-]\s*|\s+|$)(.*)$", re.IGNORECASE)
NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2})*)[.)]?\s+(\S.*)$")
OPTION = re.compile(
    r"^(?:option|alternative|approach|method|variant)\s+([A-Z]|\d)\s*(?:[:.)–—-]\s*|$)(.*)$", re.IGNORECASE
)
ISSUE = re.compile(r"^(?:issue|problem|scenario|case|symptom|error)\s*#?\d+\s*[:.–—-]\s*(.+)$", re.IGNORECASE)
_QUALIFIER = re.compile(
    r"\((?:only )?(?:if|when|as)\s+[^()]*\)\s*$|\boptional(?:ly)?\b"
    r"|\bif (?:needed|necessary|required|safe|applicable|appropriate|possible|any|desired)\.?$",
    re.IGNORECASE,
)
_ALERT_NAME = re.compile(r"^[A-Z][A-Za-z0-9]*(?:_?[A-Z][A-Za-z0-9]*)+$")
_ALERT_ENDS = re.compile(
    r"(?:Down|High|Low|Failed|Failing|Failure|Failures|Errors?|Missing|Full|Slow|Exhausted|Lag|Unavailable|Crash\w*|Rate|"
    r"Latency|Unhealthy|Unreachable|NotReady|Pressure|Stuck|Expired|Expiring|Mismatch|Exceeded|Stopped|Restart\w*|Critical|"
    r"Warning|Usage|Saturation|Behind|Backlog|Drift|Burn\w*|Looping|Filling\w*|Absent|Inconsistent|Degraded|Outage|Timeout)$"
)

_SCHEDULED = re.compile(r"\b(daily|hourly|weekly|monthly|quarterly|nightly|yearly|annual(?:ly)?)\b", re.IGNORECASE)
_VOCABULARY = Path(__file__).with_name("vocabulary.toml")


@cache
def _vocabulary() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The tables of ``vocabulary.toml``, each name with one pattern."""
    with _VOCABULARY.open("rb") as file:
        tables = tomllib.load(file)
    return {
        table: [
            (name, re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE)) for name, patterns in rows.items()
        ]
        for table, rows in tables.items()
    }


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _named(table: str, core: str) -> str | None:
    """The first name of a table whose pattern is the whole title."""
    return next((name for name, pattern in _vocabulary()[table] if pattern.fullmatch(core)), None)


@dataclass(frozen=True, slots=True)
class Title:
    """A plain title; ``core`` is lower case without time box, number and punctuation."""

    text: str
    core: str
    time_box_s: int | None


def read(plain: str) -> Title:
    """Take a title apart."""
    text = plain.strip().rstrip(":").strip()
    box = _BOX.search(text)
    core = _BOX.sub("", text) if box else text
    core = re.sub(r"^(?:phase\s+)?\d+(?:\.\d+)*[.):]?\s+|^step\s+\d+\s*[:.-]\s*", "", core, flags=re.IGNORECASE)
    core = re.sub(r"[^\w\s&'/-]", " ", core).strip().lower()
    boxed = box is not None and _BOXED.fullmatch(box.group(1).strip())
    return Title(text, " ".join(core.split()), duration(box.group(1)) if box and boxed else None)


def duration(text: str) -> int | None:
    """The first duration of a text in seconds; the longer end of a range."""
    match = _DURATION.search(text)
    if not match:
        return None
    unit = match.group(3).lower()
    unit = unit.rstrip("s") if len(unit) > 1 else unit
    return int(float(match.group(2) or match.group(1)) * _SECONDS[unit])


def phase_of(title: Title) -> str | None:
    """The phase that a title names outright, or ``symptoms``."""
    return _named("phases", title.core)


def is_background(title: Title) -> bool:
    return _named("words", title.core) == "background"


def is_toc(title: Title) -> bool:
    return _named("words", title.core) == "contents"


def is_checklist(title: Title) -> bool:
    return _named("words", title.core) == "checklist"


def reference_of(title: Title) -> str | None:
    """The kind of reference that a title announces."""
    name = _named("references", title.core)
    return "other" if name == "commands" else name


def alert_name(text: str) -> str | None:
    """The title itself if it is written like the name of an alert."""
    name = text.strip().strip("`")
    humps = len(re.findall(r"[A-Z][a-z0-9]+", name))
    if _ALERT_NAME.match(name) and (humps >= 3 or (humps == 2 and _ALERT_ENDS.search(name))):
        return name
    return None


def condition_of(title: str) -> str | None:
    """“If disk is full” from a title that begins with it; “if > 150” from one that holds a comparison."""
    text = title.strip().rstrip(":").strip()
    match = re.match(r"^((?:if|when)\s.+)$", text, re.IGNORECASE)
    if match and not re.match(r"^when to\b", text, re.IGNORECASE):
        return re.split(r"\s+[-–—]\s+|,\s+(?![^()]*\))|:\s+", match.group(1), maxsplit=1)[0]
    inner = re.search(
        r"\b(if\s+(?:[<>≥≤]=?\s*\S+|(?!needed|necessary|required|safe|applicable|any|possible)[^()]*?[<>]\s*\d[^()]*))$",
        text,
        re.IGNORECASE,
    )
    return inner.group(1) if inner else None


def is_optional(title: str) -> bool:
    """A trailing qualifier such as “(if safe)”, “if needed”, “(optional)”."""
    text = title.strip().rstrip(":").strip()
    return bool(_QUALIFIER.search(text)) and not re.match(r"^if\b", text, re.IGNORECASE)


def scheduled(text: str) -> str | None:
    match = _SCHEDULED.search(text)
    return match.group(1).lower() if match else None


def is_incident(text: str) -> bool:
    return bool(dict(_vocabulary()["kinds"])["incident"].search(text + " "))


def is_operation(text: str) -> bool:
    return bool(dict(_vocabulary()["kinds"])["operation"].search(text + " "))


def bare(line: str) -> str:
    """A line of a plain list without its bullet, branch or tick."""
    return re.sub(r"^[\s├└│┌─✓•*+-]+", "", line).strip()
