"""“Should be 0”, “Expected: PONG”: the sentence, and an assertion where a machine can judge it.

Assertions: ``{"op": "equals" | "contains", "value": text}``, ``{"op": "any_of", "values": [text]}``,
``{"op": "compare", "comparator": "<" | "<=" | ">" | ">=" | "==", "value": number, "unit": text | None}``
(the first number of the output is compared).
"""

import re
from typing import Any

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
    return _contains(body)


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
