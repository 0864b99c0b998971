"""What a machine can check of an output, and what it says of one.

An assertion is one of these; no other exists:

- ``{"op": "equals", "value": text}``: the output, or one line of it, is the text.
- ``{"op": "contains", "value": text}``, ``{"op": "any_of", "values": [text]}``: the words stand in one line, in order.
- ``{"op": "phrase", "value": text}``: the same, but missing words may be said otherwise: a person decides.
- ``{"op": "lacks", "value": text}``: they stand in no line.
- ``{"op": "empty"}``: nothing was printed.
- ``{"op": "compare", "comparator": "<" | "<=" | ">" | ">=" | "==", "value": number, "unit": text | None}``, perhaps
  with ``"of": "free" | "used"``: a column of a table; ``{"op": "between", "low", "high", "unit"}``, both included.
- ``{"op": "rows", "comparator", "value"}``: how many rows or lines.
- ``{"op": "field", "field": text, "values": [text]}``: a field of JSON, or ``field: value``, holds one of the values.
- ``{"op": "status", "values": [number]}``: the HTTP status. ``{"op": "exit", "value": number}``: the exit status.
- ``{"op": "table", "rows": [[text, …]]}``: per row of a sample its name and state, which one line of the output holds.

``judge`` never guesses: where the output can be read in two ways, a person decides.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """``ok`` is None where only a person can say; ``reason`` says what was compared."""

    ok: bool | None
    reason: str


Assertion = dict[str, Any]

_COMPARATORS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
}
_SIZES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIMES = {
    "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "m": 60, "min": 60,
    "mins": 60, "minute": 60, "minutes": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400,
    "days": 86400,
}  # fmt: skip
_SIZE = re.compile(r"^(?:([kmgtp])i?b?|(?:b|bytes?))$", re.IGNORECASE)
_NUMBER = r"-?\d+(?:\.\d+)?"
_BARE_NUMBER = re.compile(rf"(?<![\w.:/-])({_NUMBER})(?![\w:/%-]|\.\d)")
_QUANTITY = re.compile(rf"(?<![\w.:/])({_NUMBER})\s?(%|[A-Za-zµ]+)(?![\w/])")
_FOOTER = re.compile(r"^\s*(?:\(\d+ rows?\)|\d+ rows? in set.*|Time: .*)\s*$", re.MULTILINE)
_ROWS = re.compile(r"^\s*\(?(\d+) rows?(?:\)| in set)", re.MULTILINE)
_STATUS = re.compile(r"^(?:<\s)?HTTP/[\d.]+\s+(\d{3})\b", re.MULTILINE)
_NOT = re.compile(r"(?:\bnot|\bno|\bnon-|n't|\bnever)\s*$", re.IGNORECASE)
_COLUMNS = {"free": re.compile(r"^(?:avail\w*|free)$", re.IGNORECASE), "used": re.compile(r"^used$", re.IGNORECASE)}


def judge(assertion: Assertion | None, output: str, exit_status: int | None = None) -> Verdict:
    """Whether an output, and the exit status where it is known, fulfil ``assertion``."""
    if assertion is None:
        return Verdict(None, "")
    return _JUDGES[assertion["op"]](assertion, output.strip("\n").rstrip(), exit_status)


def dimension(unit: str | None) -> str | None:
    """``size``, ``time`` or ``%`` for a unit that an output must name; None for a thing that is counted."""
    if not unit:
        return None
    if unit == "%":
        return "%"
    if unit.lower() in _TIMES and unit not in ("m", "M"):
        return "time"
    return "size" if _SIZE.match(unit) else None


# -- words -------------------------------------------------------------------------------------------


def _find(value: str, lines: list[str]) -> tuple[int, bool]:
    """(how many lines hold the words in order, whether one holds them behind a “not”).

    “healthy” is not in “unhealthy”.
    """
    patterns = [
        re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])" if word[0].isalnum() else re.escape(word), re.IGNORECASE)
        for word in value.split()
    ]
    found, denied = 0, False
    for line in lines:
        start = _in_order(patterns, line)
        if start is not None:
            found += 1
            denied = denied or bool(_NOT.search(line[max(0, start - 20) : start]))
    return found, denied


def _in_order(patterns: list[re.Pattern[str]], line: str) -> int | None:
    """Where the first of the words begins if all of them follow one another in the line."""
    start, position = None, 0
    for pattern in patterns:
        match = pattern.search(line, position)
        if match is None:
            return None
        start, position = match.start() if start is None else start, match.end()
    return start


def _equals(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    value = assertion["value"]
    ok = value in [line.strip() for line in shown.split("\n")]
    return Verdict(ok, f"{value} is in the output" if ok else f"{value} is not in the output")


def _words(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    values = assertion["values"] if assertion["op"] == "any_of" else [assertion["value"]]
    lines = [line for line in shown.split("\n") if line.strip()]
    named = " or ".join(values)
    counts = [_find(value, lines) for value in values]
    if any(denied for _, denied in counts):
        return Verdict(None, f"{named} stands behind a “not”")
    body = len(lines) - 1
    if body > 1 and _is_header(lines[0]) and 0 < (held := max(found for found, _ in counts)) < body:
        return Verdict(None, f"{named} is in {held} of {body} rows")
    ok = any(found for found, _ in counts)
    if not ok and assertion["op"] == "phrase":
        return Verdict(None, f"“{named}” is not in the output word for word")
    return Verdict(ok, f"{named} is in the output" if ok else f"{named} is not in the output")


def _is_header(line: str) -> bool:
    words = [word for word in line.split() if any(c.isalpha() for c in word)]
    return len(words) > 1 and all(word == word.upper() for word in words)


def _lacks(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    found, denied = _find(assertion["value"], shown.split("\n"))
    if denied:
        return Verdict(None, f"{assertion['value']} stands behind a “not”")
    return Verdict(not found, f"{assertion['value']} is {'in' if found else 'not in'} the output")


def _empty(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    return Verdict(not shown.strip(), "it printed something" if shown.strip() else "it printed nothing")


def _field(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    name = assertion["field"]
    pattern = rf"(?<![\w-])[\"']?{re.escape(name)}[\"']?\s*[:=]\s*(?:\"([^\"\n]*)\"|([\w.%-]+))"
    held = [quoted or bare for quoted, bare in re.findall(pattern, shown)]
    if not held:
        return Verdict(None, f"there is no {name} in the output")
    wanted = {value.lower() for value in assertion["values"]}
    good = [value.lower() in wanted for value in held]
    if any(good) and not all(good):
        return Verdict(None, f"{name} is there {len(held)} times with different values")
    return Verdict(all(good), f"{name} is {held[0]}")


def _table(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    lines = shown.split("\n")
    for name, *cells in assertion["rows"]:
        own = [line for line in lines if _find(name, [line])[0] or name in line]
        if not own:
            return Verdict(False, f"{name} is not in the output")
        for cell in cells:
            if not _find(cell, own)[0]:
                return Verdict(False, f"{name} is not {cell}")
    return Verdict(True, f"all {len(assertion['rows'])} rows are in the output")


# -- numbers -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is asked of a number: ``test(value, limits)``; ``said`` names it, ``of`` a column of a table."""

    unit: str
    limits: tuple[float, ...]
    test: Callable[[float, tuple[float, ...]], bool]
    said: str
    of: str | None = None


def _compare(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    sign, wanted, unit = assertion["comparator"], assertion["value"], assertion.get("unit") or ""
    compare = _COMPARATORS[sign]
    said = f"{sign} {wanted:g}{unit}"
    return _measured(shown, _Measure(unit, (wanted,), lambda v, w: compare(v, w[0]), said, assertion.get("of")))


def _between(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    low, high, unit = assertion["low"], assertion["high"], assertion.get("unit") or ""
    said = f"between {low:g} and {high:g}{unit}"
    return _measured(shown, _Measure(unit, (low, high), lambda v, w: w[0] <= v <= w[1], said))


def _measured(shown: str, measure: _Measure) -> Verdict:
    """Compare what the output measures; several measures count only if they agree."""
    kind = dimension(measure.unit)
    text = _FOOTER.sub("", shown)
    if kind in ("size", "time"):
        return _with_unit(_column(text, measure.of), kind, measure)
    percent = {float(n) for n, u in _QUANTITY.findall(text) if u == "%"} if kind == "%" else set()
    status = {float(code) for code in _STATUS.findall(text)[-1:]}
    numbers = sorted(percent or status or {float(n) for n in _BARE_NUMBER.findall(text)})
    if not numbers:
        return Verdict(None, "there is no number in the output")
    if len(numbers) > 1 and not percent:
        return Verdict(None, "there are several numbers in the output")
    suffix = "%" if kind == "%" else ""
    held = [measure.test(number, measure.limits) for number in numbers]
    return _agreed(held, [f"{number:g}{suffix}" for number in numbers], measure.said)


def _agreed(held: list[bool], shown: list[str], said: str) -> Verdict:
    wrong = held.count(False)
    if 0 < wrong < len(held):
        return Verdict(None, f"{wrong} of {len(held)} values {'is' if wrong == 1 else 'are'} not {said}")
    verb = ("is" if len(shown) == 1 else "are") + (" not" if wrong else "")
    return Verdict(not wrong, f"{', '.join(shown[:3])} {verb} {said}")


def _with_unit(text: str, kind: str, measure: _Measure) -> Verdict:
    """A G may mean 10⁹ or 2³⁰ bytes on either side: only if all readings agree there is a verdict."""
    found = [(float(n), u) for n, u in _QUANTITY.findall(text) if dimension(u) == kind or (kind == "time" and u == "m")]
    if not found:
        return Verdict(None, f"compare it with {measure.said}")
    held: list[bool] = []
    for value, own in found:
        bases = [(a, b) for a in _bases(own, kind) for b in _bases(measure.unit, kind)]
        readings = {measure.test(value * a, tuple(limit * b for limit in measure.limits)) for a, b in bases}
        if len(readings) > 1:
            return Verdict(None, f"{value:g}{own} is too close to call")
        held += readings
    return _agreed(held, [f"{value:g}{own}" for value, own in found], measure.said)


def _bases(unit: str, kind: str) -> list[float]:
    if kind == "time":
        return [_TIMES[unit.lower()]]
    power = _SIZES[unit[0].lower() if unit[0].lower() in "kmgtp" else ""]
    return [1024.0**power] if "i" in unit.lower()[1:2] else [1000.0**power, 1024.0**power]


def _column(text: str, of: str | None) -> str:
    """The column of a table that is free or used, if its header names one; else the text."""
    lines = [line for line in text.split("\n") if line.strip()]
    if of is None or len(lines) < 2:
        return text
    for index, head in enumerate(lines[0].split()):
        if _COLUMNS[of].match(head):
            return "\n".join(cells[index] for line in lines[1:] if len(cells := line.split()) > index)
    return text


def _rows(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    lines = [line for line in shown.split("\n") if line.strip()]
    footer = _ROWS.search(shown)
    if footer:
        count = int(footer[1])
    elif not lines:
        count = 0
    elif len(lines) == 1 and lines[0].strip().isdecimal():
        count = int(lines[0])
    elif _is_header(lines[0]) or (len(lines) > 1 and re.match(r"^\s*-{3,}", lines[1])):
        return Verdict(None, f"count the rows below {lines[0].split()[0]}")
    else:
        count = len(lines)
    sign, wanted = assertion["comparator"], assertion["value"]
    ok = _COMPARATORS[sign](count, wanted)
    return Verdict(ok, f"{count} {'row' if count == 1 else 'rows'}, {'as' if ok else 'not'} {sign} {wanted:g}")


def _status(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    codes = [int(code) for code in _STATUS.findall(shown)[-1:]]
    lone = re.findall(r"(?<![\w.])([1-5]\d\d)(?![\w.])", shown)
    if not codes and len(set(lone)) == 1 and (len(shown.split()) == 1 or shown.rstrip().endswith(lone[0])):
        codes = [int(lone[0])]
    if not codes:
        return Verdict(None, "there is no HTTP status in the output")
    return Verdict(codes[0] in assertion["values"], f"the status is {codes[0]}")


def _exit(assertion: Assertion, shown: str, exit_status: int | None) -> Verdict:
    if exit_status is None:
        return Verdict(None, "the exit status is not known")
    return Verdict(exit_status == assertion["value"], f"it ended with {exit_status}")


_JUDGES: dict[str, Callable[[Assertion, str, int | None], Verdict]] = {
    "equals": _equals,
    "contains": _words,
    "any_of": _words,
    "phrase": _words,
    "lacks": _lacks,
    "empty": _empty,
    "compare": _compare,
    "between": _between,
    "rows": _rows,
    "field": _field,
    "status": _status,
    "exit": _exit,
    "table": _table,
}
