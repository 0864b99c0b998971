"""SQL text with values: cut into statements, and each value put where it can only be a value or a name.

Statements that take parameters get them from the server's own protocol. The others (`ALTER USER …`) take no
parameters at all: their values are quoted as literals by the client library.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from psycopg import sql

from runbooks.bound import REFERENCE, BadValue, Bound, Unbindable, with_references

_PLAIN, _IDENT, _COMMENT, _END = "plain", "ident", "comment", "end"
_TOKEN = re.compile(
    r"(?P<escaped>(?<![\w$])(?:[eE]|[uU]&)'(?:[^'\\]|\\.|'')*')|(?P<plain>'(?:[^']|'')*')"
    r"|(?P<dollar>(?<![\w$])\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$)"
    r"|(?P<ident>\"(?:[^\"]|\"\")*\")|(?P<comment>--[^\n]*|/\*)|(?P<end>;)",
    re.DOTALL,
)
_TAKES_PARAMETERS = re.compile(r"\(*\s*(?:SELECT|WITH|INSERT|UPDATE|DELETE|MERGE|VALUES|EXPLAIN)\b", re.IGNORECASE)
_NAME_FOLLOWS = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|INDEX|DATABASE|SCHEMA|ROLE|USER|VIEW|ON|ANALYZE|VACUUM)\s+$", re.IGNORECASE
)
_TYPE_BEFORE = re.compile(
    r"\b(INTERVAL|TIMESTAMP(?:TZ|\s+WITH(?:OUT)?\s+TIME\s+ZONE)?|DATE|TIMETZ|TIME)\s*$", re.IGNORECASE
)
_WHOLE = re.compile(rf"\s*(?:EXPLAIN\b(?:\s*\([^)]*\)|\s+ANALYZE|\s+VERBOSE)*\s*)?{REFERENCE.pattern}", re.IGNORECASE)
_DOTTED = re.compile(r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*){1,2}")
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL that is no plain code: `kind` is plain, escaped, dollar, ident, comment or end."""

    kind: str
    start: int
    end: int


@dataclass
class Filled:
    """A statement ready to be sent: its text with `$1`, `$2`… and the values behind them."""

    text: list[sql.Composable] = field(default_factory=list)
    params: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.text.append(sql.SQL(cast("Any", text)))

    def value(self, value: str) -> None:
        self.params.append(value)
        self.add(f"${len(self.params)}")


def tokens(text: str) -> Iterator[Token]:
    """Strings, quoted names, comments (which nest) and semicolons, from left to right."""
    position = 0
    while match := _TOKEN.search(text, position):
        position = _comment_end(text, match.end()) if match.group() == "/*" else match.end()
        yield Token(str(match.lastgroup), match.start(), position)


def _comment_end(text: str, position: int) -> int:
    depth = 1
    while depth and (match := re.compile(r"/\*|\*/").search(text, position)):
        depth += 1 if match.group() == "/*" else -1
        position = match.end()
    return position if not depth else len(text)


def statements(text: str) -> list[str]:
    """The statements of a script in order, without their semicolons; a line that begins with `\\` is one."""
    found: list[str] = []
    start = 0
    ends = [token.start for token in tokens(text) if token.kind == _END]
    for end in [*ends, len(text)]:
        found += _with_meta(text[start:end])
        start = end + 1
    return found


def _with_meta(text: str) -> list[str]:
    """psql's own commands stand on a line of their own before a statement."""
    found = []
    rest = text
    while (bare := _without_leading_comments(rest)).startswith("\\"):
        line, _, rest = bare.partition("\n")
        found.append(line.strip())
    # Without its leading comments the first word of a statement says what it is.
    return found + ([bare.rstrip()] if bare else [])


def _without_leading_comments(text: str) -> str:
    rest = text.lstrip()
    while rest.startswith(("--", "/*")):
        rest = rest[next(iter(tokens(rest))).end :].lstrip()
    return rest


def bind(text: str, parameters: list[Any], given: Mapping[str, str]) -> Bound:
    """The script with references. Raises Unbindable where a value would be code, BadValue for a value."""
    bound = with_references(text, parameters, given)
    for statement in statements(bound.script):
        if not statement.startswith("\\"):
            fill(statement, bound.env)
        elif REFERENCE.search(statement):
            _check_meta(statement, bound.env)
    return bound


def _check_meta(statement: str, values: Mapping[str, str]) -> None:
    for match in REFERENCE.finditer(statement):
        if not re.fullmatch(r"[\w.*?$-]{1,200}", values[match[1]]):
            raise BadValue(f"{_called(match[1])} names what to describe: use letters, digits, dots and _ only.")


def fill(statement: str, values: Mapping[str, str]) -> Filled:
    """One statement with its values in place. Raises Unbindable or BadValue."""
    if whole := _WHOLE.match(statement):
        raise Unbindable(
            f"{_called(whole[1])} stands for a whole statement, and values never become code: write the statement into "
            "the runbook, or run this by hand."
        )
    filled = Filled()
    quoted = not _TAKES_PARAMETERS.match(statement)
    position = 0
    for token in tokens(statement):
        _code(statement[position : token.start], statement[: token.start], values, filled, quoted)
        piece = statement[token.start : token.end]
        if token.kind == _COMMENT or not _references(piece, values):
            filled.add(piece)
        elif token.kind == _PLAIN:
            _string(piece, values, filled, quoted)
        elif token.kind == _IDENT and REFERENCE.fullmatch(piece[1:-1]):
            filled.text.append(_name(values[REFERENCE.fullmatch(piece[1:-1])[1]], whole=True))  # type: ignore[index]
        else:
            where = "a quoted name" if token.kind == _IDENT else "an escaped or dollar-quoted text"
            name = _called(_references(piece, values)[0])
            raise Unbindable(f"{name} stands inside {where}, where no value can be put. Make it a text of its own.")
        position = token.end
    _code(statement[position:], statement, values, filled, quoted)
    return filled


def _references(text: str, values: Mapping[str, str]) -> list[str]:
    return [match[1] for match in REFERENCE.finditer(text) if match[1] in values]


def _code(text: str, so_far: str, values: Mapping[str, str], filled: Filled, quoted: bool) -> None:
    """Plain code: a name after FROM and the like, a value everywhere else."""
    start = len(so_far) - len(text)
    position = 0
    for match in REFERENCE.finditer(text):
        if match[1] not in values:
            continue
        filled.add(text[position : match.start()])
        position = match.end()
        value = values[match[1]]
        if _NAME_FOLLOWS.search(so_far[: start + match.start()]):
            filled.text.append(_name(value, whole=False))
        elif quoted:
            filled.text.append(sql.Literal(value))
        else:
            filled.value(value)
    filled.add(text[position:])


def _string(piece: str, values: Mapping[str, str], filled: Filled, quoted: bool) -> None:
    """A text with values in it: one value alone, else the parts put together by the server."""
    content = piece[1:-1]
    if quoted:
        plain = content.replace("''", "'")
        filled.text.append(sql.Literal(REFERENCE.sub(lambda m: values.get(m[1], m[0]), plain)))
        return
    wanted = _take_type(filled)
    if wanted:
        filled.add("CAST(")
    parts = REFERENCE.split(content)
    if len(parts) == 3 and not parts[0] and not parts[2]:
        filled.value(values[parts[1]])
    else:
        _joined(parts, values, filled)
    if wanted:
        filled.add(f" AS {wanted})")


def _joined(parts: list[str], values: Mapping[str, str], filled: Filled) -> None:
    filled.add("(")
    for index, part in enumerate(parts):
        filled.add(" || " if index else "")
        if index % 2 and part in values:
            filled.value(values[part])
            filled.add("::text")
        else:
            filled.add(f"'{part}'" if index % 2 == 0 else f"'${{{part}}}'")
    filled.add(")")


def _take_type(filled: Filled) -> str:
    """`interval '…'` takes a constant only: the type in front of it becomes a cast around it."""
    last = filled.text[-1].as_string(None) if filled.text else ""
    match = _TYPE_BEFORE.search(last)
    if match is None:
        return ""
    filled.text[-1] = sql.SQL(cast("Any", last[: match.start()]))
    return match[1]


def _name(value: str, *, whole: bool) -> sql.Identifier:
    """A name, quoted; `schema.table` names a table in a schema."""
    if len(value.encode()) > _LONGEST_NAME * 3:
        raise BadValue("The name is longer than any that PostgreSQL has; shorten it.")
    return sql.Identifier(*value.split(".")) if not whole and _DOTTED.fullmatch(value) else sql.Identifier(value)


def _called(variable: str) -> str:
    """The parameter of a variable, as a person knows it, nearly."""
    return variable.removeprefix("ERPOPS_P_").lower().replace("_", "-")
