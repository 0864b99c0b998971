"""Nothing is lost: every line with text is found again in the output, or is added to the prose around it.

The account is drawn from the output itself, not from what the passes believe they used. An entry with
``line`` and ``text`` covers as many lines as its text has; one with ``end_line`` covers up to there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runbooks.compiler.contract import Document, Runbook, Text

_STRUCTURE = re.compile(r"(?:(?:[-*_=~`]\s*){2,}[\w+.-]*|[|\s:+-]+|[-*+]|\d+[.)]|>)?")


def covered(document: Mapping[str, Any]) -> set[int]:
    """Lines that something in the output stands for."""
    lines: set[int] = set()
    for entry in _entries(document):
        first = entry["line"]
        last = entry.get("end_line", first)
        if isinstance(entry.get("text"), str):
            last = max(last, first + entry["text"].count("\n"))
        lines.update(range(first, last + 1))
    return lines


def _entries(value: Any, key: str = "") -> Iterator[Mapping[str, Any]]:
    """Every mapping with a line, except the list of fences and the findings: those only point."""
    if isinstance(value, dict):
        if "line" in value:
            yield value
        for name, inner in value.items():
            if name not in ("fences", "findings", "unaccounted_lines", "why", "parameters"):
                yield from _entries(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner, key)


def settle(document: Document, lines: list[str]) -> None:
    """Put lines that no pass used into the prose of what they stand in, then list what is still missing."""
    delimiters = {n for fence in document["fences"] for n in (fence["line"], fence["end_line"])}
    known = covered(document) | delimiters
    missing = [n for n in _texts(lines) if n not in known]
    for first, last in _runs(missing):
        owner = _owner(document, first)
        owner.append({"line": first, "text": "\n".join(lines[first - 1 : last])})
        owner.sort(key=lambda text: text["line"])
    known = covered(document) | delimiters if missing else known
    document["unaccounted_lines"] = [n for n in _texts(lines) if n not in known]


def _texts(lines: list[str]) -> Iterator[int]:
    return (n for n, line in enumerate(lines, 1) if not is_structure(line.strip()))


def is_structure(line: str) -> bool:
    """True for rules, underlines, fence marks and empty bullets: marks that hold no words."""
    return len(line) <= 300 and bool(_STRUCTURE.fullmatch(line))


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    start = previous = None
    for number in numbers:
        if previous is None or start is None:
            start = number
        elif number != previous + 1:
            yield start, previous
            start = number
        previous = number
    if start is not None and previous is not None:
        yield start, previous


def _owner(document: Document, line: int) -> list[Text]:
    """The prose of the innermost thing that begins last before ``line``."""
    best: tuple[int, list[Text]] = (0, document["prose"])
    for candidate in _owners(document):
        if best[0] <= candidate[0] <= line:
            best = candidate
    return best[1]


def _owners(document: Document) -> Iterator[tuple[int, list[Text]]]:
    for runbook in document["runbooks"]:
        yield from _runbook_owners(runbook)
    for reference in document["references"]:
        yield reference["line"], reference["prose"]


def _runbook_owners(runbook: Runbook) -> Iterator[tuple[int, list[Text]]]:
    yield runbook["line"], runbook["prose"]
    for phase in runbook["phases"]:
        yield phase["line"], phase["prose"]
        for step in phase["steps"]:
            yield step["line"], step["prose"]
