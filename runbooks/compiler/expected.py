"""“Should be 0”, “Expected: PONG”: the sentence, and an assertion where a machine can judge it.

Assertions: ``{"op": "equals" | "contains", "value": text}``, ``{"op": "any_of", "values": [text]}``,
``{"op": "empty"}``,
``{"op": "compare", "comparator": "<" | "<=" | ">" | ">=" | "==", "value": number, "unit": text | None}``
(the first number of the output is compared). ``judge`` says whether an output fulfils one.
"""

import re
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """``ok`` is None where only a person can say; ``reason`` says what was compared."""

    ok: bool | None
    reason: str


_COMPARATORS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
}
_EMPTY = re.compile(r"^(?:no output|nothing|no rows|empty)\.?$", re.IGNORECASE)
_WORDS_OR = re.compile(r"^[\w-]+(?:,? or [\w-]+)+\.?$")
_PLAIN = re.compile(r"^expect(?:ed)?\s*:\s*(.{3,80})$", re.IGNORECASE)


def judge(assertion: dict[str, Any] | None, output: str) -> Verdict:
    """Whether ``output`` fulfils ``assertion``. It never guesses: what it cannot compare is left to a person."""
    if assertion is None:
        return Verdict(None, "")
    op, shown = assertion["op"], output.strip()
    if op == "empty":
        return Verdict(not shown, "it printed nothing" if not shown else "it printed something")
    if op == "compare":
        return _compare(assertion, shown)
    values = assertion["values"] if op == "any_of" else [assertion["value"]]
    if op == "equals":
        lines = [line.strip() for line in shown.split("\n")]
        ok = shown == values[0] or values[0] in lines
    else:
        ok = any(value.lower() in shown.lower() for value in values)
    named = " or ".join(values)
    return Verdict(ok, f"{named} is in the output" if ok else f"{named} is not in the output")


def _compare(assertion: dict[str, Any], shown: str) -> Verdict:
    numbers = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\w)", shown)
    unit = assertion.get("unit")
    if unit and unit not in {"%", "files", "rows"}:
        # A unit that the output may write otherwise (GB, G, MiB) is for a person.
        return Verdict(None, f"compare it with {assertion['value']:g} {unit}")
    if len(set(numbers)) != 1:
        said = "there is no number in the output" if not numbers else "there are several numbers in the output"
        return Verdict(None, said)
    value = float(numbers[0])
    ok = _COMPARATORS[assertion["comparator"]](value, assertion["value"])
    return Verdict(ok, f"{value:g} {'is' if ok else 'is not'} {assertion['comparator']} {assertion['value']:g}")


_LEAD = re.compile(
    r"^(?:(?:expected?(?:\s+(?:output|result|response|value|status))?|output should|you should see|should|returns?|"
    r"outputs?|result|verify)\b\s*(?:be|show|return|print|see|output|list|match|equal|contain|display)?"
    r"(?:\s+to\s+(?:be|see))?\s*:?|=>|→|->)\s*",
    re.IGNORECASE,
)
_COMPARE = re.compile(r"(?:^|\s)(<=|>=|<|>|==?|≥|≤)\s*(\d+(?:\.\d+)?)\s*(%|[a-zA-Z]{1,5}\b)?")
_NUMBER = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:\(.*\)|files?|rows?|errors?)?\.?$", re.DOTALL)
_QUOTED = re.compile(r"[\"'`]([^\"'`]+)[\"'`]")
_TOKEN = re.compile(r"^[A-Z][A-Z0-9_-]*$")
_VAGUE = re.compile(
    r"\b(?:all|should|visible|present|similar|recent|fresh|flowing|row count|changes|decrease|improve|no )\b",
    re.IGNORECASE,
)


def assertion(text: str) -> dict[str, Any] | None:
    """What a machine can check of an expectation; None leaves it to the operator."""
    body = _LEAD.sub("", " ".join(text.split())).strip()
    if not body or "\n" in text.strip():
        return None
    if _EMPTY.match(body):
        return {"op": "empty"}
    if _WORDS_OR.match(body) and len(body) < 60:
        return {"op": "any_of", "values": re.split(r",? or ", body.rstrip("."))}
    number = _NUMBER.match(body)
    if number:
        return {"op": "compare", "comparator": "==", "value": float(number.group(1)), "unit": None}
    compare = _COMPARE.findall(body)
    if len(compare) == 1 and "," not in body and re.match(r"^(?:\w+\s+){0,3}[<>=≥≤]", body):
        sign, value, unit = compare[0]
        sign = {"≥": ">=", "≤": "<=", "=": "=="}.get(sign, sign)
        return {"op": "compare", "comparator": sign, "value": float(value), "unit": unit or None}
    if _TOKEN.match(body) or len(body) < 3:
        return {"op": "equals", "value": body}
    found = _contains(body)
    if found is None and (plain := _PLAIN.match(" ".join(text.split()))) and not _VAGUE.search(plain[1]):
        # “Expected:” and then a few words is what the command prints.
        return {"op": "contains", "value": plain[1].strip("`\"' ")} if plain[1][0] not in "{[<>" else None
    return found


def _contains(body: str) -> dict[str, Any] | None:
    if body.startswith(("{", "[")):
        match = re.search(r'"(\w+)"\s*:\s*"([^".]+)"', body)
        return {"op": "contains", "value": match.group(2)} if match else None
    quoted = _QUOTED.findall(body)
    if " or " in body and len(quoted) >= 2:
        values = [q for q in quoted if q.lower() not in ("status", "state")]
        return {"op": "any_of", "values": values}
    if _VAGUE.search(body):
        return None
    if quoted and len(quoted) == 1:
        return {"op": "contains", "value": quoted[0]}
    if re.fullmatch(r"[A-Z][\w-]*(?:\s*\([\w ]+\))?", body) or re.fullmatch(r"[a-z]+(?:[ _-][a-z]+)?", body):
        return {"op": "contains", "value": body}
    return None
