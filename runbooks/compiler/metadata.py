"""“**Alert**: …”, “**Severity**: …”, “**Time**: 06:00 AM daily”: fields of a runbook from its own lines."""

import re
from dataclasses import dataclass, field

from runbooks.compiler import inline, titles
from runbooks.compiler.blocks import Block
from runbooks.compiler.contract import Evidence, Schedule

_FIELDS = {
    "alert": "alert|alerts|alert name|alert names|alertname|alert rule|alert name(s)|triggered by",
    "severity": "severity|priority|severity level|default severity",
    "response_time": "response time|sla|respond within|time to respond",
    "threshold": "threshold|thresholds",
    "schedule": "time|schedule|frequency|cadence|runs|when",
    "duration": "duration|estimated time|estimated duration|time required",
    "owner": "owner|team|responsible|owned by|owners|service owner",
    "description": "description|purpose|summary|impact",
    "communication": "communication",
    "retention": "retention",
    "service": "service|component|affected service|affected services",
    "version": "last updated|last reviewed|version|next review",
    "category": "category",
    "contact": "slack channel|email|on-call",
    "note": "data loss risk|environment|tags|author|type|status|trigger",
}
_KEYS = {word: name for name, words in _FIELDS.items() for word in words.split("|")}
_LINE = re.compile(
    r"^\s*(?:[-*+]\s+)?(?:\*\*|__)?\s*([A-Za-z][A-Za-z ()-]{1,30}?)\s*(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*(.*?)\s*$"
)
_NAME = re.compile(r"`([A-Za-z_][\w:.-]*)`")
_SEVERITIES = re.compile(
    r"\b(critical|warning|high|medium|low|info(?:rmational)?|page|ticket|p[0-4]|sev[- ]?[0-5]|s[1-4]|emergency|"
    r"major|minor)\b",
    re.IGNORECASE,
)
COMPARED = re.compile(r"[<>≥≤]=?\s*\d|\b(?:above|below|over|under|exceeds?|more than|less than)\s+\d")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\s*(AM|PM)?\b", re.IGNORECASE)
_DAYS = {"sunday": 0, "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6}
ACTIVE = frozenset(["alert", "severity", "response_time", "schedule", "duration", "owner"])


@dataclass(slots=True)
class Fields:
    """What metadata lines say; ``evidence`` keeps each line that said it."""

    alerts: list[str] = field(default_factory=list)
    severity: list[str] = field(default_factory=list)
    response_time_s: int | None = None
    thresholds: list[str] = field(default_factory=list)
    schedule_text: str | None = None
    owner: str | None = None
    duration_s: int | None = None
    category: str | None = None
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def schedule(self) -> Schedule | None:
        if self.schedule_text is None:
            return None
        return {
            "text": self.schedule_text,
            "cron": cron(self.schedule_text),
            "owner": self.owner,
            "duration_s": self.duration_s,
        }


def entries(text: str) -> list[tuple[int, str, str]]:
    """(row, field, value) of a paragraph whose first line is a metadata line, else an empty list."""
    found: list[tuple[int, str, str]] = []
    for row, line in enumerate(text.split("\n")):
        match = _LINE.match(line)
        key = _KEYS.get(match.group(1).strip().lower()) if match else None
        if match and key and (match.group(2) or not found):
            found.append((row, key, match.group(2)))
        elif row == 0:
            return []
    return [entry for entry in found if entry[2]]


def read_block(block: Block, into: Fields) -> bool:
    """Take a paragraph or list of metadata lines into ``into``; False if it is none."""
    if block.kind == "paragraph":
        found = [(block.line + row, key, value) for row, key, value in entries(block.text)]
        rows = block.text.split("\n")
        if not found:
            return False
        for line, key, value in found:
            _take(key, value, line, rows[line - block.line], into)
        taken = {line for line, _, _ in found}
        for offset, row in enumerate(rows):
            if block.line + offset not in taken:
                into.evidence.append({"line": block.line + offset, "field": "note", "text": row})
        return True
    if block.kind != "bullets" or not block.children:
        return False
    items = [(item, entries(item.children[0].text if item.children else "")) for item in block.children]
    if not all(found and len(item.children) == 1 for item, found in items):
        return False
    if not any(key in ACTIVE for _, found in items for _, key, _ in found):
        return False
    for item, found in items:
        text = item.children[0].text
        for offset, key, value in found:
            _take(key, value, item.line + offset, text.split("\n")[offset], into)
    return True


def _take(key: str, value: str, line: int, raw: str, into: Fields) -> None:
    into.evidence.append({"line": line, "field": key, "text": raw})
    plain = inline.plain(value)
    if key == "alert":
        for name in alert_names(value):
            if name not in into.alerts:
                into.alerts.append(name)
    elif key == "severity":
        into.severity += [s for s in severities(plain) if s not in into.severity]
    elif key == "response_time":
        into.response_time_s = titles.duration(plain) if not re.match(r"immediate", plain, re.I) else 0
    elif key == "threshold":
        into.thresholds.append(plain)
    elif key == "schedule" and (titles.scheduled(plain) or _CLOCK.search(plain) or "every" in plain.lower()):
        into.schedule_text = plain
    elif key == "duration":
        into.duration_s = titles.duration(plain)
    elif key == "owner":
        into.owner = plain
    elif key == "category":
        into.category = plain
    elif key == "description" and COMPARED.search(plain):
        into.thresholds.append(plain)


def alert_names(value: str) -> list[str]:
    """Names in code ticks; without ticks, comma-separated single words."""
    ticked = _NAME.findall(value)
    if ticked:
        return list(ticked[:1]) if " in `" in value else list(ticked)
    words = [w.strip() for w in re.split(r",|\bor\b|\band\b|/", inline.plain(value))]
    return [w for w in words if re.fullmatch(r"[A-Za-z_][\w:.-]*", w) and w.lower() not in ("none", "n", "na", "tbd")]


def severities(value: str) -> list[str]:
    """Severity words in lower case; a triage list of three or more levels says nothing about this runbook."""
    found = list(dict.fromkeys(m.group(1).lower() for m in _SEVERITIES.finditer(value)))
    return found if len(found) <= 2 else []


def cron(text: str) -> str | None:
    """A cron line for “06:00 AM daily”, “Friday 17:00”, “hourly”; None if the text does not say enough."""
    lowered = text.lower()
    clock = _CLOCK.search(text)
    minute, hour = "0", None
    if clock:
        number = int(clock.group(1)) % 24
        if (clock.group(3) or "").upper() == "PM" and number < 12:
            number += 12
        elif (clock.group(3) or "").upper() == "AM" and number == 12:
            number = 0
        minute, hour = str(int(clock.group(2))), str(number)
    day = next((number for name, number in _DAYS.items() if name in lowered), None)
    if "hourly" in lowered or "every hour" in lowered:
        return "0 * * * *"
    every = re.search(r"every (\d+) (hour|minute)", lowered)
    if every:
        count = every.group(1)
        return f"0 */{count} * * *" if every.group(2) == "hour" else f"*/{count} * * * *"
    if hour is None:
        return None
    if day is not None:
        return f"{minute} {hour} * * {day}"
    if "monthly" in lowered:
        return f"{minute} {hour} 1 * *"
    return f"{minute} {hour} * * *" if "weekly" not in lowered else None


def related_alert(text: str, into: Fields, line: int) -> bool:
    """A bullet of a “Related Alerts” list: threshold, severity or rule; False if it is something else."""
    match = _LINE.match(text)
    key = _KEYS.get(match.group(1).strip().lower()) if match else None
    if match is None or key not in ("alert", "severity", "threshold"):
        return False
    _take(key, match.group(2), line, text, into)
    return True
