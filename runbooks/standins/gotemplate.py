"""The part of Go's text templates that `--format` is used with.

Values are what JSON gives. Fields are found by name, or by name without regard to case, because an engine's JSON
says `Id` where the command line says `.ID`. Whatever is not understood is refused before anything is printed.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.standins.ending import Ended, NotUnderstood

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|\$\w*(?:\.\w+)*|\.[\w.]*|:=|[|(),]|[+-]?\d+(?:\.\d+)?|\w+|(\S)')
_CONSTANTS = {"true": True, "false": False, "nil": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass
class _Node:
    """A piece of a template: text, an action, or a block with what stands in it and in its `else`."""

    kind: str
    said: str = ""
    inner: list["_Node"] = field(default_factory=list)
    other: list["_Node"] = field(default_factory=list)


class Template:
    """`Template(text).render(value)`; NotUnderstood when the text holds what is not known here."""

    def __init__(self, text: str) -> None:
        self._text = text
        pieces = _pieces(text)
        self._nodes, end = _parse(pieces, 0)
        if end != len(pieces):
            raise NotUnderstood(f"the template {text!r}")
        _check(self._nodes)

    def render(self, value: Any) -> str:
        """The text for one value. Raises Ended for a field that is not there."""
        return _render(self._nodes, value, {"$": value})


def _pieces(text: str) -> list[_Node]:
    found: list[_Node] = []
    at, trim = 0, False
    for match in _ACTION.finditer(text):
        before = text[at : match.start()]
        before = before.lstrip() if trim else before
        before = before.rstrip() if match[1] else before
        found.append(_Node("text", before))
        if not match[2].lstrip().startswith("/*"):
            found.append(_Node("action", match[2].strip()))
        at, trim = match.end(), bool(match[3])
    rest = text[at:]
    if "{{" in rest:
        raise NotUnderstood(f"the template {text!r}")
    found.append(_Node("text", rest.lstrip() if trim else rest))
    return found


def _parse(pieces: list[_Node], at: int) -> tuple[list[_Node], int]:
    """The nodes up to an `else` or `end` that belongs to the block around them."""
    nodes: list[_Node] = []
    while at < len(pieces):
        piece = pieces[at]
        word = piece.said.split(" ", 1)[0] if piece.kind == "action" else ""
        if word in ("end", "else"):
            return nodes, at
        at += 1
        if word in ("if", "range", "with"):
            block, at = _block(word, piece.said[len(word) :].strip(), pieces, at)
            nodes.append(block)
        elif word in ("define", "template", "block", "break", "continue"):
            raise NotUnderstood(f"{word} in a template")
        else:
            nodes.append(piece)
    return nodes, at


def _block(kind: str, said: str, pieces: list[_Node], at: int) -> tuple[_Node, int]:
    node = _Node(kind, said)
    node.inner, at = _parse(pieces, at)
    if at < len(pieces) and pieces[at].said.startswith("else"):
        more = pieces[at].said[4:].strip()
        if more.startswith("if "):
            chained, at = _block("if", more[3:], pieces, at + 1)
            node.other = [chained]
            return node, at
        node.other, at = _parse(pieces, at + 1)
    if at >= len(pieces):
        raise NotUnderstood(f"{kind} without end in a template")
    return node, at + 1


def _check(nodes: Sequence[_Node]) -> None:
    """Refuse what is not known wherever it stands, also where nothing would be printed."""
    for node in nodes:
        if node.kind != "text":
            for word in _words(_binding(node.said)[1]):
                if re.match(r"[a-zA-Z_]", word) and word not in _CONSTANTS and word not in FUNCTIONS:
                    raise NotUnderstood(f"{word} in a template")
        _check(node.inner)
        _check(node.other)


def _words(said: str) -> list[str]:
    words = []
    for match in _TOKEN.finditer(said):
        if match[1]:
            raise NotUnderstood(f"{match[1]!r} in a template")
        words.append(match[0])
    return words


def _render(nodes: Sequence[_Node], dot: Any, names: dict[str, Any]) -> str:
    return "".join(_piece(node, dot, names) for node in nodes)


def _piece(node: _Node, dot: Any, names: dict[str, Any]) -> str:
    if node.kind == "text":
        return node.said
    if node.kind == "range":
        return _range(node, dot, names)
    bound, said = _binding(node.said)
    value = _pipeline(said, dot, names)
    for name in bound:
        names[name] = value
    if node.kind == "action":
        return "" if bound else written(value)
    if truth(value):
        return _render(node.inner, value if node.kind == "with" else dot, names)
    return _render(node.other, dot, names)


def _range(node: _Node, dot: Any, names: dict[str, Any]) -> str:
    bound, said = _binding(node.said)
    value = _pipeline(said, dot, names)
    pairs = sorted(value.items()) if isinstance(value, Mapping) else list(enumerate(value or []))
    if not pairs:
        return _render(node.other, dot, names)
    parts = []
    for key, item in pairs:
        local = dict(names)
        if bound:
            local[bound[-1]] = item
        if len(bound) == 2:
            local[bound[0]] = key
        parts.append(_render(node.inner, item, local))
    return "".join(parts)


def _binding(said: str) -> tuple[list[str], str]:
    left, colon, right = said.partition(":=")
    if not colon or not left.strip().startswith("$"):
        return [], said
    return [name.strip() for name in left.split(",")], right.strip()


def _pipeline(said: str, dot: Any, names: Mapping[str, Any]) -> Any:
    value, rest = _piped(_words(said), dot, names)
    if rest:
        raise NotUnderstood(f"{said!r} in a template")
    return value


def _piped(tokens: list[str], dot: Any, names: Mapping[str, Any]) -> tuple[Any, list[str]]:
    value, tokens = _call(tokens, dot, names, [])
    while tokens and tokens[0] == "|":
        value, tokens = _call(tokens[1:], dot, names, [value])
    return value, tokens


def _call(tokens: list[str], dot: Any, names: Mapping[str, Any], last: list[Any]) -> tuple[Any, list[str]]:
    """One command of a pipeline: a function with its arguments, or a single value."""
    if not tokens:
        raise NotUnderstood("an empty action in a template")
    function = FUNCTIONS.get(tokens[0])
    if function is None:
        if last:
            raise NotUnderstood(f"{tokens[0]} in a template")
        return _operand(tokens, dot, names)
    tokens, arguments = tokens[1:], list[Any]()
    while tokens and tokens[0] not in ("|", ")"):
        value, tokens = _operand(tokens, dot, names)
        arguments.append(value)
    try:
        return function(*arguments, *last), tokens
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise Ended(1, f"template: error calling a function: {error}") from None


def _operand(tokens: list[str], dot: Any, names: Mapping[str, Any]) -> tuple[Any, list[str]]:
    word, rest = tokens[0], tokens[1:]
    if word == "(":
        value, rest = _piped(rest, dot, names)
        if not rest or rest[0] != ")":
            raise NotUnderstood("a bracket without its end in a template")
        return (_fields(value, rest[1]), rest[2:]) if rest[1:] and rest[1].startswith(".") else (value, rest[1:])
    if word.startswith("."):
        return _fields(dot, word), rest
    if word.startswith("$"):
        name, dotted, path = word.partition(".")
        if name not in names:
            raise NotUnderstood(f"{word} in a template")
        return _fields(names[name], dotted + path), rest
    if word.startswith('"'):
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), word[1:-1]), rest
    if word.startswith("`"):
        return word[1:-1], rest
    if word in _CONSTANTS:
        return _CONSTANTS[word], rest
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", word):
        return (float(word) if "." in word else int(word)), rest
    raise NotUnderstood(f"{word} in a template")


def _fields(value: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        if not isinstance(value, Mapping):
            raise Ended(1, f'template: can\'t evaluate field {name} in "{path}"')
        found = name if name in value else next((key for key in value if key.lower() == name.lower()), None)
        if found is None:
            raise Ended(1, f'template parsing error: template: <{path}>: map has no entry for key "{name}"')
        value = value[found]
    return value


def truth(value: Any) -> bool:
    """What `if` takes for true: anything but zero, nothing and the empty."""
    return bool(value)


def written(value: Any) -> str:
    """A value as Go prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{written(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(written(item) for item in value) + "]"
    return str(value)


def as_json(value: Any) -> str:
    """A value as Go's encoder writes it in one line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    form = form.replace("%v", "%s").replace("%q", '"%s"')
    given = tuple(
        written(value) if isinstance(value, bool | Mapping | list) or value is None else value for value in values
    )
    return form % given


def _all(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _any(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


def _slice(value: Any, *bounds: int) -> Any:
    return value[slice(*bounds)] if len(bounds) == 2 else value[bounds[0] :]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": as_json,
    "join": lambda items, by: by.join(map(written, items or [])),
    "split": lambda text, by: text.split(by),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "truncate": lambda text, length: text[:length],
    "println": lambda *values: " ".join(map(written, values)) + "\n",
    "print": lambda *values: "".join(map(written, values)),
    "printf": _printf,
    "index": _index,
    "slice": _slice,
    "len": lambda value: len(value or ""),
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda first, second: first != second,
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "gt": lambda first, second: first > second,
    "ge": lambda first, second: first >= second,
    "and": _all,
    "or": _any,
    "not": lambda value: not value,
}
