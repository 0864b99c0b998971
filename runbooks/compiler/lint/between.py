"""Rules that need several documents: what they say of the same alert, and links from one to another."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NUMBER = re.compile(
    r"(?P<sign>[<>]=?|≥|≤|above|below|over|under|more than|less than)\s*(?P<value>\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|ms|s\b|sec\w*|min\w*|[GMK]i?B\b|per (?:second|minute|hour)|/s\b)?",
    re.IGNORECASE,
)
_FACTORS = {"ms": ("s", 0.001), "s": ("s", 1.0), "sec": ("s", 1.0), "min": ("s", 60.0)}


def between(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, finding) for what only shows when the documents are read together."""
    if len(documents) < 2:
        return
    yield from _same_alert(documents)
    yield from _thresholds(documents)


def known_paths(documents: Sequence[Mapping[str, Any]]) -> set[str]:
    """The paths of the documents, as a relative link would reach them."""
    return {posixpath.normpath(document["path"]) for document in documents}


def reaches(document: Mapping[str, Any], target: str, known: set[str]) -> bool:
    """Whether a relative link of `document` leads to a document of the same import."""
    path = target.partition("#")[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(document["path"]), path)) in known


def _same_alert(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    places: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for document in documents:
        for runbook in document["runbooks"]:
            for alert in runbook["alerts"]:
                places[alert].append((document["path"], runbook))
    for alert, found in places.items():
        first_path, first = found[0]
        for path, runbook in found[1:]:
            if path == first_path:
                continue  # Told within its document.
            message = f"{alert} also has the runbook “{first['title']}” in {first_path}."
            suggestion = "Say in one of them which comes first, or join them."
            yield path, _finding(runbook["line"], "alert.several-documents", "info", message, suggestion)


def _thresholds(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    said: dict[tuple[str, str], list[tuple[str, Mapping[str, Any], frozenset[float], str]]] = defaultdict(list)
    for document in documents:
        for runbook in document["runbooks"]:
            for alert in runbook["alerts"]:
                for text in runbook["thresholds"]:
                    for unit, values in _values(text).items():
                        said[alert, unit].append((document["path"], runbook, frozenset(values), text))
    for (alert, _), found in said.items():
        path, first, expected, text = found[0]
        for other_path, runbook, other, other_text in found[1:]:
            if other & expected or (other_path == path and runbook is first):
                continue
            message = f"{alert} fires at “{other_text.strip()}” here and at “{text.strip()}” in {path}."
            advice = "Agree on one, as the alert rule has it."
            yield other_path, _finding(runbook["line"], "threshold.differs", "warning", message, advice)


def _values(text: str) -> dict[str, set[float]]:
    """The numbers of a threshold by unit; a number without one cannot be compared."""
    found: dict[str, set[float]] = defaultdict(set)
    for match in _NUMBER.finditer(text):
        unit = (match["unit"] or "").lower()
        if not unit:
            continue
        base, factor = next(((b, f) for name, (b, f) in _FACTORS.items() if unit.startswith(name)), (unit, 1.0))
        if unit == "s":
            base, factor = "s", 1.0
        found[base].add(float(match["value"]) * factor)
    return found


def _finding(line: int, rule: str, level: str, message: str, suggestion: str) -> dict[str, Any]:
    return {"line": line, "rule": rule, "level": level, "message": message, "suggestion": suggestion}
