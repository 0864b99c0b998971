"""What a document allows: `<!-- erpops: allow RULE because REASON -->` on its own line, or beside a heading or fence.

A mark holds for the block that follows it, to the next heading or the next fence's end; one that stands
before the first heading holds for the whole document. A mark without a reason, or one that nothing needed,
is itself a finding.
"""

import re
from dataclasses import dataclass
from typing import Any

from runbooks.compiler.lint.catalogue import RULES
from runbooks.compiler.marks import end_of_block

# Rules that the text of one document alone cannot judge.
BETWEEN = frozenset(
    ["alert.several-documents", "threshold.differs", "contact.differs", "link.dead", "text.review-overdue"]
)
_MARK = re.compile(r"<!--\s*erpops:\s*allow\s+([\w.-]+)(?:\s+because\s+(.*?))?\s*-->")
_HEADING = re.compile(r"#{1,6}\s")


@dataclass(slots=True)
class _Mark:
    line: int
    rule: str
    reason: str
    first: int
    last: int
    used: bool = False


def settle(findings: list[Any], lines: list[str]) -> tuple[list[Any], list[Any]]:
    """The findings that count, and those that the document allows, each with its `reason`."""
    marks = _marks(lines)
    live, allowed = _parted(findings, marks)
    return live + [_told(mark) for mark in marks if _needs_telling(mark)], allowed


def allow(findings: list[Any], lines: list[str]) -> tuple[list[Any], list[Any]]:
    """Like `settle`, for findings that are added later: nothing is told of the marks themselves."""
    return _parted(findings, _marks(lines))


def _needs_telling(mark: _Mark) -> bool:
    """Whether a mark is itself a finding; one for a rule between documents cannot be judged by one document."""
    if not mark.reason or mark.rule not in RULES:
        return True
    return not mark.used and mark.rule not in BETWEEN


def _parted(findings: list[Any], marks: list[_Mark]) -> tuple[list[Any], list[Any]]:
    live, allowed = [], []
    for finding in findings:
        mark = next((m for m in marks if m.rule == finding["rule"] and m.first <= finding["line"] <= m.last), None)
        if mark is None or not mark.reason:
            live.append(finding)
            continue
        mark.used = True
        allowed.append({**finding, "reason": mark.reason})
    return live, allowed


def _told(mark: _Mark) -> dict[str, Any]:
    if mark.rule not in RULES:
        message = f"There is no rule {mark.rule}, so nothing is allowed."
        return _finding(mark.line, "allow.unknown", "warning", message, "Write the id as the finding shows it.")
    if not mark.reason:
        message = f"This allows {mark.rule} without a reason, so it is not allowed."
        suggestion = f"Write <!-- erpops: allow {mark.rule} because … -->."
        return _finding(mark.line, "allow.no-reason", "warning", message, suggestion)
    message = f"Nothing here needs {mark.rule} to be allowed."
    return _finding(mark.line, "allow.unused", "info", message, "Remove the mark.")


def _finding(line: int, rule: str, level: str, message: str, suggestion: str) -> dict[str, Any]:
    return {"line": line, "rule": rule, "level": level, "message": message, "suggestion": suggestion}


def _marks(lines: list[str]) -> list[_Mark]:
    found = []
    first_heading = next((n for n, line in enumerate(lines, 1) if _HEADING.match(line)), len(lines) + 1)
    for number, line in enumerate(lines, 1):
        if "erpops:" not in line or not (match := _MARK.search(line)):
            continue
        last = len(lines) if number < first_heading else end_of_block(lines, number)
        first = 1 if number < first_heading else number
        found.append(_Mark(number, match[1], (match[2] or "").strip(), first, last))
    return found
