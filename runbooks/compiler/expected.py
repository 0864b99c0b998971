"""“Should be 0”, “Expected: PONG”: the sentence to an assertion (see ``assertions``) where it has one meaning."""

import re

from runbooks.compiler.assertions import Assertion, dimension

_LEAD = re.compile(
    r"^(?:(?:it|this|the (?:command|query|output|result|response)|output|result|response|you)\s+)?"
    r"(?:(?:expect(?:ed|s)?(?:\s+(?:output|result|response|value|status(?: code)?|exit code))?|should|must|returns?"
    r"|outputs?|results?|verify|prints?)\b\s*:?\s*"
    r"(?:be|see|show|return|print|output|list|match|equal|contain|display|read|say|report)?s?\b"
    r"(?:\s+to\s+(?:be|see))?\s*:?|=>|→|->)\s*",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"^(?:no (?:output|rows?|results?|lines?|matches)(?: returned)?|nothing|empty|an empty (?:list|result|response)"
    r"|empty (?:output|result|response|list))$",
    re.IGNORECASE,
)
_EXIT = re.compile(
    r"^(?:an? )?(?:exit|return)(?:s|ed)?(?: with)?(?: (?:code|status))?(?: of)?:? (\d{1,3})$", re.IGNORECASE
)
_STATUS = re.compile(
    r"^(?:an? )?(?:http(?:/[\d.]+)?(?: status)?(?: code)?|status(?: code)?)?:? ?([1-5]\d\d)(?: (?:or|/) ([1-5]\d\d))?"
    r"( ok| no content| found| created| accepted)?(?: (?:status|response)(?: code)?)?$",
    re.IGNORECASE,
)
_OF = r"(?:(?:the |its )?(?!no\b|not\b)[A-Za-z][\w-]*(?: [\w-]+){0,3} (?:is |are |of |to be )?)?"
_AMOUNT = r"(\d[\d,]*(?:\.\d+)?)\s*(%|[A-Za-zµ]+)?"
_ABOUT = r"(?: (free|available|used|in use|of \w+|or (?:more|less|fewer|higher|lower)|space|memory)){0,2}"
_COMPARE = re.compile(
    rf"^{_OF}(<=|>=|<|>|==?|≥|≤|at least|at most|more than|greater than|higher than|less than"
    rf"|lower than|fewer than|over|above"
    rf"|below|under|no more than|not more than|up to|equals?|equal to|exactly)\s*{_AMOUNT}{_ABOUT}$",
    re.IGNORECASE,
)
_OR_MORE = re.compile(rf"^{_AMOUNT} or (more|less|fewer|higher|lower)$", re.IGNORECASE)
_BETWEEN = re.compile(
    rf"^{_OF}(?:between |from )?(\d+(?:\.\d+)?) ?(?:and|to|-|–) ?(\d+(?:\.\d+)?)\s*(%|[A-Za-zµ]+)?$",
    re.IGNORECASE,
)
_SIGNS = {
    "≥": ">=", "≤": "<=", "=": "==", "at least": ">=", "at most": "<=", "more than": ">", "greater than": ">",
    "higher than": ">", "less than": "<", "lower than": "<", "fewer than": "<", "over": ">", "above": ">", "below": "<",
    "under": "<", "no more than": "<=", "not more than": "<=", "up to": "<=", "equal": "==", "equals": "==",
    "equal to": "==", "exactly": "==", "more": ">=", "higher": ">=", "less": "<=", "fewer": "<=", "lower": "<=",
}  # fmt: skip
_NUMBER = re.compile(r"^(zero|\d+(?:\.\d+)?)\s*(%|[A-Za-z]+)?(?: \w+)?(?:\s*\(.*\))?$", re.IGNORECASE | re.DOTALL)
_ROWS = frozenset("row rows line lines result results".split())
_FIELD = re.compile(r"[\"'](\w+)[\"']\s*:\s*(?:[\"']([^\"'.]+)[\"']|(\w+))((?:,? or [\"'][^\"']+[\"'])*)")
_PAIR = re.compile(r"^(\w+)\s*[:=]\s*([\w-]+)$")
_WORDS_OR = re.compile(r"^[\w-]+(?:,? or [\w-]+)+$")
_QUOTED = re.compile(r"[\"'`“]([^\"'`“”]+)[\"'`”]")
_TOKEN = re.compile(r"^[A-Z][A-Z0-9_-]*$")
_LACKS = re.compile(
    r"^(?:not (?:be|show|contain|see|include)?\s*|no (?=[\"'`“]))[\"'`“]?([\w -]+?)[\"'`”]?$", re.IGNORECASE
)
_PLAIN = re.compile(r"^expect(?:ed)?\s*(?:output|result|response)?\s*:\s*(.{3,80})$", re.IGNORECASE)
_VAGUE = re.compile(
    r"\b(?:all|any|each|every|both|should|visible|present|similar|recent|fresh|flowing|row count|changes?|decrease\w*"
    r"|improve\w*|increase\w*|no|about|around|approximately|roughly|close to|near|low|high|same|latest"
    r"|current|new|normal|several)\b|\.\.\.|…|~",
    re.IGNORECASE,
)
_HEAD = re.compile(r"^[A-Z][A-Z0-9_()%/-]*(?: [A-Z0-9()]+)?(?:\s{2,}|\t|$)")
_STATE = re.compile(r"^(?:STATUS|STATE|READY|HEALTH|AVAILABLE|RESULT)$")
_MADE_UP = re.compile(r"[<>…*]|\.\.\.|(?=[a-f]*\d)[0-9a-f]{6,}|-(?=[a-z]*\d)[a-z0-9]{5}$|xxx", re.IGNORECASE)
# A longer text is no sentence that a machine should interpret.
_LONGEST = 4000


def assertion(text: str) -> Assertion | None:
    """What a machine can check of an expectation; None leaves it to the operator."""
    lines = text.strip().split("\n")
    if len(text) > _LONGEST:
        return None
    if len(lines) > 1:
        return _sample(lines)
    said = " ".join(text.split())
    body = _LEAD.sub("", said).strip().rstrip(".").strip()
    if not body:
        return None
    return _simple(body) or _number(body) or _named(body, said)


def _simple(body: str) -> Assertion | None:
    if _EMPTY.match(body):
        return {"op": "empty"}
    ended = _EXIT.match(body)
    if ended:
        return {"op": "exit", "value": int(ended[1])}
    status = _STATUS.match(body)
    if status and (status[2] or status[3] or not body[0].isdigit()):
        return {"op": "status", "values": [int(code) for code in status.groups()[:2] if code]}
    return None


def _number(body: str) -> Assertion | None:
    """Amounts: one number alone, a comparison, a range."""
    within = _BETWEEN.match(body)
    if within and float(within[1]) < float(within[2]):
        return {"op": "between", "low": float(within[1]), "high": float(within[2]), "unit": within[3]}
    wide = _OR_MORE.match(body)
    if wide:
        return _amount(_SIGNS[wide[3].lower()], wide[1], wide[2], "")
    compared = _COMPARE.match(body)
    if compared:
        sign = compared[1].lower()
        return _amount(_SIGNS.get(sign, sign), compared[2], compared[3], compared[4] or "")
    alone = _NUMBER.match(body)
    if alone and (dimension(alone[2]) or not alone[2] or alone[2].isalpha()):
        return _amount("==", "0" if alone[1].lower() == "zero" else alone[1], alone[2], "")
    return None


def _amount(sign: str, number: str, unit: str | None, about: str) -> Assertion:
    value = float(number.replace(",", ""))
    if unit and unit.lower() in _ROWS:
        return {"op": "rows", "comparator": sign, "value": value}
    found: Assertion = {"op": "compare", "comparator": sign, "value": value, "unit": unit if dimension(unit) else None}
    if about in ("free", "available"):
        found["of"] = "free"
    elif about in ("used", "in use"):
        found["of"] = "used"
    return found


def _named(body: str, said: str) -> Assertion | None:
    """Words that the output holds."""
    field = _FIELD.search(body)
    if field:
        first = field[2] or field[3]
        return {"op": "field", "field": field[1], "values": [first, *_QUOTED.findall(field[4])]}
    if _WORDS_OR.match(body) and len(body) < 60:
        return {"op": "any_of", "values": re.split(r",? or ", body)}
    if _TOKEN.match(body) or len(body) < 3:
        return {"op": "equals", "value": body}
    lacking = _LACKS.match(body)
    if lacking:
        return {"op": "lacks", "value": lacking[1]} if len(lacking[1].split()) < 3 else None
    pair = _PAIR.match(body)
    if pair:
        return {"op": "field", "field": pair[1], "values": [pair[2]]}
    return _contains(body, said)


def _contains(body: str, said: str) -> Assertion | None:
    quoted = _QUOTED.findall(body)
    if " or " in body and len(quoted) >= 2:
        return {"op": "any_of", "values": quoted}
    if _VAGUE.search(body) or body[0] in "{[<>":
        return None
    if len(quoted) == 1:
        return {"op": "contains", "value": quoted[0]}
    if re.fullmatch(r"[A-Z][\w-]*(?:\s*\([\w ]+\))?", body) or re.fullmatch(r"[a-z]+(?:[ _-][a-z]+)?", body):
        return {"op": "contains", "value": body}
    if len(quoted) == 0 and (plain := _PLAIN.match(said)):
        # “Expected:” and then a few words is what the command prints.
        words = plain[1].strip(". ")
        return {"op": "phrase" if len(words.split()) > 2 else "contains", "value": words}
    return None


def _sample(lines: list[str]) -> Assertion | None:
    """A sample table with a column of states: each name with its state; anything else is for a person."""
    head, *rows = lines[1:] if lines[0].rstrip().endswith(":") else lines
    if not rows:
        return assertion(f"Expected: {head}") if _TOKEN.match(head.strip()) else None
    columns = re.split(r"\s{2,}|\t", head.strip())
    state = next((i for i, name in enumerate(columns) if _STATE.match(name)), None)
    if not _HEAD.match(head) or not state:
        return None
    cells = [re.split(r"\s{2,}|\t", row.strip()) for row in rows if row.strip()]
    if any(len(row) <= state or _MADE_UP.search(row[0]) for row in cells):
        return None
    return {"op": "table", "rows": [[row[0], row[state]] for row in cells]}
