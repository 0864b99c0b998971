"""The JSONPath of kubectl: templates of text and `{.path}`, ranges, filters, slices and unions."""

import json
import re
from collections.abc import Sequence
from typing import Any

from runbooks.standins.ending import Ended, NotUnderstood

_STEP = re.compile(
    r"\.\.(?P<deep>[\w-]+|\*)"
    r"|\.?(?P<star>\*)"
    r"|\.(?P<name>(?:\\.|[\w\-/@$])+)"
    r"|\[\?\(\s*@(?P<path>[^\s=!<>)]*)\s*(?:(?P<by>==|!=|<=|>=|<|>)\s*(?P<value>\"[^\"]*\"|'[^']*'|[^)]+?))?\s*\)\]"
    r"|\[(?P<inner>(?:'[^']*'|\"[^\"]*\"|[^\]'\"])*)\]"
)
_NUMBERS_OR_NAMES = re.compile(
    r"\s*(\*|-?\d+(,-?\d+)*|-?\d*:-?\d*(:-?\d*)?|('[^']*'|\"[^\"]*\")(\s*,\s*('[^']*'|\"[^\"]*\"))*)\s*"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class JsonPath:
    """`JsonPath(text).render(value)`: a template with paths in braces; NotUnderstood for what is not known."""

    def __init__(self, text: str) -> None:
        self._pieces = _pieces(text)
        _check(self._pieces)

    def render(self, value: Any) -> str:
        """The template for one value; what is missing is empty."""
        return _render(self._pieces, value, value)


def relaxed(text: str) -> str:
    """A path as custom columns and --sort-by take it: with or without braces and the first dot."""
    inner = text.strip().removeprefix("{").removesuffix("}")
    return inner if inner.startswith((".", "[", "$")) else f".{inner}"


def found(path: str, value: Any) -> list[Any]:
    """Everything that a path leads to."""
    here = [value]
    for step in _steps(path.removeprefix("$").removeprefix("@")):
        here = [inner for one in here for inner in _taken(step, one)]
    return here


def _steps(path: str) -> list[re.Match[str]]:
    """The steps of a path; NotUnderstood whatever the path would be used on."""
    steps, at = list[re.Match[str]](), 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or not _NUMBERS_OR_NAMES.fullmatch(step["inner"] or "*"):
            raise NotUnderstood(f"the path {path!r}")
        steps.append(step)
        at = step.end()
    return steps


def _taken(step: re.Match[str], value: Any) -> list[Any]:
    if step["deep"]:
        return _deep(step["deep"], value)
    if step["star"]:
        return _all(value)
    if step["name"]:
        return _key(re.sub(r"\\(.)", r"\1", step["name"]), value)
    if step["inner"] is not None:
        return _bracket(step["inner"].strip(), value)
    return [one for one in _all(value) if _holds(step, one)]


def _all(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _key(name: str, value: Any) -> list[Any]:
    return [value[name]] if isinstance(value, dict) and name in value else []


def _deep(name: str, value: Any) -> list[Any]:
    own = _all(value) if name == "*" else _key(name, value)
    return own + [inner for one in _all(value) for inner in _deep(name, one)]


def _bracket(inner: str, value: Any) -> list[Any]:
    if inner == "*":
        return _all(value)
    if inner[:1] in "'\"" and inner:
        return [one for name in re.findall(r"'([^']*)'|\"([^\"]*)\"", inner) for one in _key(name[0] or name[1], value)]
    if not isinstance(value, list):
        return []
    if ":" in inner:
        return value[slice(*(int(part) if part else None for part in inner.split(":")))]
    wanted = [int(part) for part in inner.split(",")]
    return [value[at] for at in wanted if -len(value) <= at < len(value)]


def _holds(step: re.Match[str], value: Any) -> bool:
    there = found(step["path"], value)
    if step["by"] is None:
        return bool(there)
    wanted = _literal(step["value"].strip())
    return any(_compared(one, step["by"], wanted) for one in there)


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _compared(one: Any, by: str, wanted: Any) -> bool:
    try:
        outcomes = {"==": one == wanted, "!=": one != wanted}
        if by in outcomes:
            return outcomes[by]
        return bool({"<": one < wanted, ">": one > wanted, "<=": one <= wanted, ">=": one >= wanted}[by])
    except TypeError:
        return False


def _pieces(text: str) -> list[tuple[str, str]]:
    """`text` and `path` pieces, and `range` and `end`, in order."""
    pieces, at = list[tuple[str, str]](), 0
    while at < len(text):
        start = text.find("{", at)
        if start < 0:
            pieces.append(("text", text[at:]))
            break
        pieces.append(("text", text[at:start]))
        end = _closing(text, start)
        pieces.append(_piece(text[start + 1 : end].strip()))
        at = end + 1
    return [piece for piece in pieces if piece != ("text", "")]


def _closing(text: str, start: int) -> int:
    quoted, depth = "", 0
    for at in range(start, len(text)):
        letter = text[at]
        if quoted:
            quoted = "" if letter == quoted and text[at - 1] != "\\" else quoted
        elif letter in "'\"":
            quoted = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if not depth:
                return at
    raise Ended(1, "error: error parsing jsonpath: unclosed action")


def _piece(inner: str) -> tuple[str, str]:
    if inner == "end":
        return "end", ""
    if inner.startswith("range "):
        return "range", inner[6:].strip()
    if inner[:1] in "'\"" and inner[-1:] == inner[:1]:
        return "text", re.sub(r"\\(.)", lambda word: _ESCAPES.get(word[1], word[1]), inner[1:-1])
    return "path", inner


def _check(pieces: Sequence[tuple[str, str]]) -> None:
    depth = 0
    for kind, said in pieces:
        depth += {"range": 1, "end": -1}.get(kind, 0)
        if depth < 0:
            break
        if kind in ("path", "range"):
            for path in _paths(said):
                found(path, None)
    if depth:
        raise Ended(1, "error: error parsing jsonpath: range and end do not match")


def _paths(said: str) -> list[str]:
    """Several paths in one pair of braces stand beside each other."""
    parts = re.findall(r"(?:\[[^\]]*\]|\S)+", said)
    for part in parts:
        if not part.startswith((".", "[", "$", "@")):
            raise NotUnderstood(f"{part!r} in a path")
    return parts


def _render(pieces: Sequence[tuple[str, str]], value: Any, root: Any) -> str:
    written, at = [], 0
    while at < len(pieces):
        kind, said = pieces[at]
        at += 1
        if kind == "text":
            written.append(said)
        elif kind == "path":
            results = [one for path in _paths(said) for one in found(path, root if path.startswith("$") else value)]
            written.append(" ".join(scalar(one) for one in results))
        else:
            end = _end_of(pieces, at)
            inner = pieces[at:end]
            written += [_render(inner, one, root) for path in _paths(said) for one in found(path, value)]
            at = end + 1
    return "".join(written)


def _end_of(pieces: Sequence[tuple[str, str]], at: int) -> int:
    depth = 1
    while depth:
        depth += {"range": 1, "end": -1}.get(pieces[at][0], 0)
        at += 1
    return at - 1


def scalar(value: Any) -> str:
    """A value as a path prints it: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    return "<nil>" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
