"""What a comment beside commands is: a label, an expectation, an alternative, a condition, a query, a setting."""

import re

from runbooks.compiler import queries

STEP = re.compile(r"^(?:step|schritt|phase)\s+(\d+[a-z]?)\s*[:.)–—-]?\s*(.*)$", re.IGNORECASE)
_EXPECTED = re.compile(
    r"^(?:expect(?:ed|s)?\b|should\b|must (?:be|show|return|print|match)\b|output should\b|prints?\s*:|prints? \S+$"
    r"|returns?\s*:|returns? \S+$|outputs?\s*:|result\s*:|verify\s*:|you should see\b|=>|→|->)|^[\w\s/-]{1,40}\bshould "
    r"(?:be|show|return|see|print|decrease|improve|increase|fire|output|list|match|equal|contain)\b",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(
    r"^(?:or\b|alternatively|alternative\b|alternative if|option\s+[a-z0-9]\b|otherwise)", re.IGNORECASE
)
_CONDITION = re.compile(r"^(?:if|when|only if|only when|unless|in case|once)\b", re.IGNORECASE)
_SETTING = re.compile(r"^\[[\w .:\"/-]+\]$|\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\s*=\s*\S+|\b[a-z]+(?:_[a-z]+)+\s*=\s*\S+")
_WAIT = re.compile(r"^(?:wait|monitor|watch)\b.*\b\d+\s*(?:s|sec|seconds?|m|min|minutes?|h|hours?)\b", re.IGNORECASE)


def strip(line: str) -> str:
    """The text of a comment line without its mark."""
    return re.sub(r"^\s*(?:#+|--|//|;)\s?", "", line).strip()


def kind_of(text: str) -> str:
    """step, expected, alternative, condition, query, setting, wait or label."""
    if STEP.match(text):
        return "step"
    if _EXPECTED.search(text):
        return "expected"
    if _ALTERNATIVE.match(text):
        return "alternative"
    if _CONDITION.match(text):
        return "condition"
    query = text.partition(": ")[2] if ": " in text else text
    if queries.kind_of(text) or (query != text and queries.kind_of(query)):
        return "query"
    if _SETTING.search(text):
        return "setting"
    if _WAIT.match(text):
        return "wait"
    return "label"
