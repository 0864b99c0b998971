"""Values in texts that no shell reads: HTTP requests and queries of monitoring systems.

The text names its values (`${ERPOPS_P_POD}`); each is put in by its place, so that it stays a value: encoded in an
address, escaped in a string. Where it would be read as code it is refused.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from runbooks.bound import REFERENCE, BadValue, Bound, Unbindable, check_any, with_references
from runbooks.compiler import requests
from runbooks.compiler.requests import Request

_OWN_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?|`[^`]*`?|\'(?:[^\'\\]|\\.)*\'?', re.DOTALL)
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_LUCENE_SPECIAL = re.compile(r'([+\-=&|!(){}\[\]^"~*?:\\/\s])')
_REGEX_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def bind(kind: str, text: str, parameters: list[Any], given: Mapping[str, str]) -> Bound:
    """The script with references. Raises Unbindable where a value would be code, BadValue for a value."""
    bound = with_references(text, [p for p in parameters if p["notation"] != "env"], given)
    own = {p["name"]: given[p["name"]] for p in parameters if p["notation"] == "env"}
    for name, value in own.items():
        check_any(name, value)
    env = {**bound.env, **own}
    _FILLS[kind](bound.script, env)
    return Bound(bound.script, env)


# -- requests ----------------------------------------------------------------------------------------


def request(script: str, values: Mapping[str, str]) -> Request:
    """The request with its values in place. Raises Unbindable, BadValue, or ValueError for what is no request."""
    written = requests.parse(script)
    headers = [(name, _header(name, text, values)) for name, text in written.headers]
    declared = next((text for name, text in headers if name.lower() == "content-type"), "")
    return Request(written.method, _url(written.url, values), headers, _body(written.body, declared, values))


def _url(url: str, values: Mapping[str, str]) -> str:
    """Path and query take any value, encoded; a host takes a host name only."""
    scheme, separator, rest = url.rpartition("://") if re.match(r"https?://", url) else ("", "", url)
    host, slash, path = rest.partition("/") if separator else ("", "", rest)

    def in_host(value: str) -> str:
        if not _HOST.fullmatch(value):
            raise BadValue("A host name is letters, digits, dots and dashes, perhaps with a port: type one such.")
        return value

    def encoded(value: str) -> str:
        if value in {".", ".."}:
            raise BadValue("“.” and “..” lead to another address: type the value itself.")
        return quote(value, safe="-._~")

    filled = _put(path, values, encoded)
    return f"{scheme}{separator}{_put(host, values, in_host)}{slash}{filled}".replace(" ", "%20")


def _header(name: str, text: str, values: Mapping[str, str]) -> str:
    def plain(value: str) -> str:
        if any(ord(letter) < 32 or ord(letter) > 126 for letter in value):
            raise BadValue(f"The header {name} takes letters of ASCII on one line only: type such a value.")
        return value

    return _put(text, values, plain)


def _body(body: str, declared: str, values: Mapping[str, str]) -> str:
    names = [match[1] for match in REFERENCE.finditer(body) if match[1] in values]
    if not names:
        return body
    if "x-www-form-urlencoded" in declared:
        return REFERENCE.sub(lambda m: quote(values[m[1]], safe="") if m[1] in values else m[0], body)
    if "json" in declared or body.lstrip().startswith(("{", "[")):
        return _json(body, values)
    if declared.startswith("text/plain"):
        return REFERENCE.sub(lambda m: values.get(m[1], m[0]), body)
    raise Unbindable("A value stands in a body that is neither JSON nor a form. Edit the runbook instead.")


def _json(body: str, values: Mapping[str, str]) -> str:
    """In a string a value is escaped; outside of one it must be a number, true, false or null."""

    def bare(value: str) -> str:
        if not (_NUMBER.fullmatch(value) or value in {"true", "false", "null"}):
            raise BadValue("Outside of quotes JSON takes a number, true, false or null: type one of these.")
        return value

    def in_string(value: str, *, before: str) -> str:
        return json.dumps(value)[1:-1]

    return _by_strings(body, values, in_string=in_string, bare=bare)


def _put(text: str, values: Mapping[str, str], shape: Callable[[str], str]) -> str:
    """`text` with its references, and the variables that have a value, in the given shape."""

    def found(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return shape(values[name]) if name in values else match[0]

    return _OWN_VARIABLE.sub(found, text)


# -- queries -----------------------------------------------------------------------------------------


def metric_query(script: str, values: Mapping[str, str]) -> str:
    """PromQL or LogQL: a value belongs into a string, a range, or is a number. Raises Unbindable or BadValue."""

    def in_string(value: str, *, before: str) -> str:
        inside = _REGEX_SPECIAL.sub(r"\\\1", value) if re.search(r"(?:=~|!~|\|~)\s*$", before) else value
        return json.dumps(inside, ensure_ascii=False)[1:-1]

    def bare(value: str) -> str:
        if _NUMBER.fullmatch(value) or _DURATION.fullmatch(value):
            return value
        raise BadValue("Outside of quotes this query takes a number or a duration such as 5m: type one.")

    return _by_strings(script, values, in_string=in_string, bare=bare)


def lucene_query(script: str, values: Mapping[str, str]) -> str:
    """Lucene: a value in quotes is a phrase, outside of quotes a single term."""

    def in_string(value: str, *, before: str) -> str:
        return re.sub(r'(["\\])', r"\\\1", value)

    return _by_strings(script, values, in_string=in_string, bare=lambda value: _LUCENE_SPECIAL.sub(r"\\\1", value))


def _by_strings(
    text: str, values: Mapping[str, str], *, in_string: Callable[..., str], bare: Callable[[str], str]
) -> str:
    """`text` with each reference replaced: inside of quotes by `in_string(value, before=…)`, else by `bare(value)`.

    `before` is the text before the string.
    """
    out, position = [], 0
    for string in _STRING.finditer(text):
        before = text[: string.start()]
        out.append(_references(text[position : string.start()], values, bare))
        if string[0][0] != '"' and any(m[1] in values for m in REFERENCE.finditer(string[0])):
            raise Unbindable('A value stands in single quotes or backticks, where it cannot be escaped. Use “"”.')
        out.append(_references(string[0], values, partial(in_string, before=before)))
        position = string.end()
    return "".join([*out, _references(text[position:], values, bare)])


def _references(text: str, values: Mapping[str, str], shape: Callable[[str], str]) -> str:
    return REFERENCE.sub(lambda m: shape(values[m[1]]) if m[1] in values else m[0], text)


_FILLS: dict[str, Callable[[str, Mapping[str, str]], object]] = {
    "request": request,
    "promql": metric_query,
    "logql": metric_query,
    "lucene": lucene_query,
}
KINDS = frozenset(_FILLS)
