"""Rules that need several documents: what they say of the same alert and of the same people."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from runbooks.compiler.lint.found import Found, finding, worded

_NUMBER = re.compile(
    r"(?P<sign>[<>]=?|≥|≤|above|below|over|under|exceeds?|more than|less than)\s*(?P<value>\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|ms\b|s\b|sec\w*|min\w*|[KGMT]i?B\b|per (?:second|minute|hour)|/s\b)?",
    re.IGNORECASE,
)
_FACTORS = {"ms": ("s", 0.001), "sec": ("s", 1.0), "min": ("s", 60.0)}
_DURATION_AFTER = re.compile(r"\b(?:for|over|within|in the last|last)\s*$", re.IGNORECASE)
_RULE = re.compile(
    r"^[ \t]*(?:-[ \t]*)?alert:[ \t]*[\"']?(?P<name>\w+)[\"']?[ \t]*$(?P<body>(?:\n(?![ \t]*(?:-[ \t]*)?alert:).*)*)",
    re.MULTILINE,
)
_EXPRESSION = re.compile(r"^[ \t]*expr:[ \t]*(?P<text>.+)$", re.MULTILINE)
_COMPARED = re.compile(r"(?P<sign>[<>]=?)\s*(?P<value>\d+(?:\.\d+)?)\s*$")
_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\.\w{2,}|\+\d[\d ()-]{6,}\d")
_NOBODY = re.compile(r"xxx|@(?:company|example|yourdomain|yourcompany|domain)\.|insert|555", re.IGNORECASE)


class Place(NamedTuple):
    """What a document says of an alert: the limits by unit, and the words."""

    path: str
    line: int
    text: str
    limits: Mapping[str, frozenset[float]]
    share: bool | None = None


def between(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, finding) for what only shows when the documents are read together."""
    if len(documents) < 2:
        return
    for path, found in [*_same_alert(documents), *_thresholds(documents), *_contacts(documents)]:
        yield path, dict(finding(found))


def _same_alert(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Found]]:
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
            use = "Say in one of them which comes first, or join them."
            yield path, (runbook["line"], "alert.several-documents", "info", message, use)


def _thresholds(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Found]]:
    said: dict[str, list[Place]] = defaultdict(list)
    for document in documents:
        for alert, place in _places(document):
            said[alert].append(place)
    for alert, places in said.items():
        told: set[tuple[str, int]] = set()
        for index, place in enumerate(places):
            for first in places[:index]:
                if first.path != place.path and (place.path, place.line) not in told and _differ(first, place):
                    told.add((place.path, place.line))
                    message = f"{alert} fires at “{place.text}” here and at “{first.text}” in {first.path}."
                    yield (
                        place.path,
                        (
                            place.line,
                            "threshold.differs",
                            "warning",
                            message,
                            "Agree on one, as the alert rule has it.",
                        ),
                    )


def _differ(first: Place, second: Place) -> bool:
    both = first.limits.keys() & second.limits.keys()
    if both:
        return not any(first.limits[unit] & second.limits[unit] for unit in both)
    # A share in one and a plain number in the other: they count different things.
    return {first.share, second.share} == {True, False}


def _places(document: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    """(alert, what is said of it): the thresholds of its runbooks, and the expressions of its rules."""
    for runbook in document["runbooks"]:
        limits: dict[str, set[float]] = defaultdict(set)
        texts = []
        for text in runbook["thresholds"]:
            for unit, values in _values(text).items():
                limits[unit] |= values
                texts.append(text)
        if limits:
            frozen = {unit: frozenset(values) for unit, values in limits.items()}
            place = Place(document["path"], runbook["line"], texts[0].strip(), frozen, True if "%" in limits else None)
            for alert in runbook["alerts"]:
                yield alert, place
    for reference in document.get("references", ()):
        for block in reference["blocks"]:
            for match in _RULE.finditer(block["text"]) if block["kind"] == "yaml" else ():
                line = block["line"] + 1 + block["text"].count("\n", 0, match.start("name"))
                of_rule = _of_rule(document["path"], line, match["body"])
                if of_rule is not None:
                    yield match["name"], of_rule


def _of_rule(path: str, line: int, body: str) -> Place | None:
    """The limit at the end of a rule's expression, in the unit that its shape tells."""
    found = _EXPRESSION.search(body)
    compared = _COMPARED.search(found["text"].strip()) if found else None
    if found is None or compared is None:
        return None
    text, value = found["text"].strip(), float(compared["value"])
    shown = f"{compared['sign']} {worded(value)}"
    if re.search(r"\*\s*100\b|percent", text):
        return Place(path, line, f"{shown} %", {"%": frozenset([value])}, True)
    if "/" in re.sub(r"\"[^\"]*\"", "", text) and value <= 1:
        return Place(path, line, shown, {"%": frozenset([round(value * 100, 6)])}, True)
    if re.search(r"_seconds_bucket|_seconds_sum", text):
        return Place(path, line, f"{shown} s", {"s": frozenset([value])})
    return Place(path, line, f"{shown} a second" if "rate(" in text else shown, {}, False)


def _values(text: str) -> dict[str, set[float]]:
    """The numbers of a threshold by unit; a number without one cannot be compared."""
    found: dict[str, set[float]] = defaultdict(set)
    for match in _NUMBER.finditer(text):
        unit = (match["unit"] or "").lower()
        if (
            not unit
            or _DURATION_AFTER.search(text[: match.start()])
            or (match["sign"].lower() == "over" and unit.startswith("min"))
        ):
            continue
        base, factor = next(((b, f) for name, (b, f) in _FACTORS.items() if unit.startswith(name)), (unit, 1.0))
        found["s" if unit == "s" else base].add(float(match["value"]) * factor)
    return found


def _contacts(documents: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Found]]:
    """The same people with another address."""
    first: dict[str, tuple[str, set[str]]] = {}
    for document in documents:
        for reference in document.get("references", ()):
            for row in reference["rows"] if reference["kind"] == "contacts" else ():
                values = list(row["cells"].values())
                addresses = {found.group().lower() for value in values[1:] for found in _ADDRESS.finditer(value)}
                name = re.sub(r"\W+", " ", values[0]).strip().lower() if values else ""
                if not name or not addresses or _NOBODY.search(row["text"]):
                    continue
                path, known = first.setdefault(name, (document["path"], addresses))
                if path != document["path"] and not known & addresses:
                    message = f"{values[0]} is reached by {', '.join(sorted(known))} in {path}."
                    yield (
                        document["path"],
                        (
                            row["line"],
                            "contact.differs",
                            "warning",
                            message,
                            "Find out which holds, and keep it in one place.",
                        ),
                    )
