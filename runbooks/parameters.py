"""Values reach a command without ever becoming code.

``bind`` rewrites a command into a constant script: each parameter becomes a reference to an environment
variable, quoted for the place where it stands. The script depends on the command alone, so the bytes
that were approved are the bytes that run, whatever the values are.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from runbooks import code_places, sql_values, typed_values, value_rules
from runbooks.bound import BadValue, Bound, MissingValues, Unbindable, check_any, env_name, mark
from runbooks.compiler import quoting
from runbooks.compiler.contract import Command, Parameter
from runbooks.start_names import may_be_asked_for


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    end: int
    parameter: Parameter
    context: str
    form: str  # plain, url, json: how the value is written there


def bind(command: Command, values: Mapping[str, str]) -> Bound:
    """The script and environment that run ``command`` with ``values``.

    A literal and a ``${NAME:-default}`` keep the text's own value unless one is given; a blank has none. Raises
    MissingValues, BadValue (for a value) or Unbindable (for the command itself).
    """
    parameters = command["parameters"]
    missing = [p["name"] for p in parameters if p["name"] not in values and ("default" not in p or is_blank(p))]
    if missing:
        raise MissingValues(missing)
    given = {p["name"]: values.get(p["name"], p.get("default", "")) for p in parameters}
    if command["kind"] == "sql":
        return sql_values.bind(command["text"], list(parameters), given)
    if command["kind"] in typed_values.KINDS:
        return typed_values.bind(command["kind"], command["text"], list(parameters), given)
    text = command["text"]
    env: dict[str, str] = {}
    names: dict[tuple[str, str], str] = {}
    out, position = [], 0
    for place in _places(text, parameters):
        name, literal = place.parameter["name"], place.parameter["notation"] == "literal"
        refusal = _refusal(command, place)
        if refusal and literal and given[name] == place.parameter.get("default"):
            continue
        if refusal:
            raise Unbindable(refusal)
        variable = _variable(place, names)
        _check(command, place, given[name])
        if place.parameter["notation"] != "env" or name in values:
            env[variable] = _FORMS[place.form](given[name])
        out += [text[position : place.start], _reference(variable, place, text)]
        position = place.end
    return Bound("".join([*out, text[position:]]), env)


# -- places ----------------------------------------------------------------------------------------


def _places(text: str, parameters: list[Parameter]) -> list[_Place]:
    """Where each parameter stands, left to right; a longer mark hides one inside it."""
    contexts = quoting.contexts(text)
    found = [
        _Place(m.start(), m.end(), parameter, contexts[m.start()], _form(text, m.start(), m.end(), contexts))
        for parameter in parameters
        for m in mark(parameter["name"], parameter["notation"]).finditer(text)
        if not (parameter["notation"] == "env" and contexts[m.start()] in (quoting.SINGLE, quoting.QUOTED_HEREDOC))
    ]
    found.sort(key=lambda p: (p.start, -p.end))
    out: list[_Place] = []
    for place in found:
        if not out or place.start >= out[-1].end:
            out.append(place)
    return out


def _form(text: str, start: int, end: int, contexts: list[str]) -> str:
    scheme, separator, rest = re.split(r"[\s'\"]", text[:start])[-1].rpartition("://")
    if separator and scheme[-1:].islower() and "@" not in rest:
        return "url"
    return "json" if _in_json_string(text, start, end, contexts[start]) else "plain"


def _in_json_string(text: str, start: int, end: int, context: str) -> bool:
    """Whether a JSON string is open there: the shell's own quotes are none, escaped ones inside of them are."""
    opener = {quoting.SINGLE: '"', quoting.DOUBLE: '\\"', quoting.OPEN_HEREDOC: '"'}.get(context)
    if opener is None:
        return False
    line = text[:start].rpartition("\n")[2]
    if context == quoting.SINGLE:
        return bool(re.search(r'"[^"\n]*$', line)) and opener in text[end : end + 200]
    # Elsewhere quotes are common: only what a key stands before, or a list, is JSON.
    opened = re.search(rf"[:\[,]\s*{re.escape(opener)}(?:(?!{re.escape(opener)}).)*$", line)
    return opened is not None and opener in text[end:].partition("\n")[0]


def leads_elsewhere(text: str, parameters: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> str:
    """The first parameter whose value says to which host a command goes, if it is not the text's own; or nothing."""
    for parameter in parameters:
        name = parameter["name"]
        if values.get(name, parameter.get("default")) == parameter.get("default"):
            continue
        places = mark(name, parameter["notation"]).finditer(text)
        if parameter["type"] in {"host", "ip"} or any(re.search(r"://[^/\s]*$", text[: m.start()]) for m in places):
            return str(name)
    return ""


_FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "url": lambda value: quote(value, safe=".-_~:"),
    "json": lambda value: json.dumps(value)[1:-1],
}


def _variable(place: _Place, names: dict[tuple[str, str], str]) -> str:
    """One variable per name and form; two names that fold to one are told apart by a number."""
    name = place.parameter["name"]
    if place.parameter["notation"] == "env":
        return name
    key = (name, place.form)
    if key not in names:
        base = env_name(name) + {"plain": "", "url": "_IN_URL", "json": "_IN_JSON"}[place.form]
        variable, number = base, 2
        while variable in names.values():
            variable, number = f"{base}_{number}", number + 1
        names[key] = variable
    return names[key]


def _reference(variable: str, place: _Place, text: str) -> str:
    own = text[place.start : place.end] if place.parameter["notation"] == "env" else f"${{{variable}}}"
    if place.context in (quoting.DOUBLE, quoting.OPEN_HEREDOC):
        return own
    return f"'\"{own}\"'" if place.context == quoting.SINGLE else f'"{own}"'


# -- what is refused -------------------------------------------------------------------------------


def _refusal(command: Command, place: _Place) -> str | None:
    """Why a value cannot stand here without becoming code; None if it can."""
    name, text = place.parameter["name"], command["text"]
    if command["kind"] not in ("shell", "http", "env"):
        return f"{name} stands inside a {command['kind']} text, which is code. Edit the runbook instead."
    if place.parameter["notation"] == "env" and not may_be_asked_for(name):
        return f"{name} changes how programs run and cannot be asked for. Rename the variable in the runbook."
    found = code_places.refusal(text, place.start, place.end, place.context)
    return f"{name} stands {found}" if found else None


def _check(command: Command, place: _Place, value: str) -> None:
    """Raise BadValue if this place cannot take the value."""
    name, kind = place.parameter["name"], place.parameter["type"]
    check_any(name, value)
    text = command["text"]
    before = code_places.simple_command(text, place.start)
    at_word_start = place.context == quoting.BARE or text[place.start - 1] in "'\""
    if value.startswith("-") and kind != "number" and at_word_start and not before.endswith("="):
        raise BadValue(f"{name} begins with “-”, so the program would take it for an option. Type the value itself.")
    if found := value_rules.fault(text, place.start, place.end, place.context, value):
        raise BadValue(f"{name} {found}")
    if (place.context or kind != "text") and value_rules.is_sql(text, place.start, place.end, place.context):
        _check_sql(place, value, before)


def _check_sql(place: _Place, value: str, before: str) -> None:
    """SQL on a command line is code: a value of a type must fit it, and have a shape that leaves no room for SQL."""
    name = place.parameter["name"]
    problem = validate(place.parameter, value)
    if problem and place.parameter["type"] != "text":
        raise BadValue(f"{name}: {problem}")
    if found := value_rules.sql_fault(before, place.context, value):
        raise BadValue(f"{name} {found}")


# -- checks of single values -------------------------------------------------------------------------


def validate(parameter: Parameter, value: str) -> str | None:
    """A sentence (without the name) that says what to type instead, or None if the value fits its type."""
    kind = parameter["type"]
    try:
        check_any("The value", value)
    except BadValue as error:
        return str(error)
    if kind == "ip":
        return None if _is_ip(value) else "This is no IP address. Type one such as 192.0.2.10 or 2001:db8::1."
    check = _CHECKS.get(kind)
    if check is None or re.fullmatch(check[1], value, re.ASCII):
        return None
    return f"This is no {check[0]}. {check[2]}"


def is_blank(parameter: Mapping[str, Any]) -> bool:
    """Whether a literal only marks a place (`MALICIOUS_IP`): its own text is no value of its type."""
    literal = parameter["notation"] == "literal"
    return literal and validate(cast("Parameter", parameter), parameter.get("default", "")) is not None


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, tuple[str, str, str]] = {
    "host": (
        "host name or address",
        r"(?:[\w.-]+@)?(?:https?://)?[A-Za-z0-9_](?:[\w.-]{0,252}[A-Za-z0-9])?(?::\d{1,5})?(?:/[\w./-]*)?|\[[0-9A-Fa-f:]+\]",
        "Type one such as db-1.internal.",
    ),
    "pid": ("process id", r"[1-9]\d{0,9}", "Type the number alone."),
    "number": ("number", r"-?\d+(?:\.\d+)?", "Type digits only."),
    "revision": ("revision", r"[\w.-]{1,64}", "Type it as the history command shows it."),
    "pod": ("pod name", r"[a-z0-9](?:[a-z0-9./-]{0,251}[a-z0-9])?", "Use lower-case letters, digits, dots and dashes."),
    "container": ("container name", r"[A-Za-z0-9][\w.-]{0,127}", "Use letters, digits, dots, dashes and underscores."),
    "email": ("e-mail address", r"[^\s@<>\"';]+@[^\s@<>\"';]+\.[^\s@<>\"';]+", "Type one such as name@your.domain."),
    "timestamp": ("timestamp", r"[\dA-Za-z][\w:.+ /-]{0,63}", "Type one such as 2026-01-19 02:00."),
    "duration": (
        "duration",
        r"\d+(?:\.\d+)?\s*(?:[nuµm]?s|[mhdw]|secs?|mins?|seconds?|minutes?|hours?|days?)?",
        "Type one such as 5m.",
    ),
}  # fmt: skip
