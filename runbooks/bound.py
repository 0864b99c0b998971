"""What comes of binding values to a command, and the refusals: shared by the ways of binding."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_LENGTH = 4096
# How a bound value is named in a text that no shell reads. It is put in when the command runs, by place.
REFERENCE = re.compile(r"\$\{(ERPOPS_P_\w+)\}")


class Unbindable(ValueError):
    """A parameter stands where its value would be read as code; the message says what to do."""


class MissingValues(ValueError):
    """``names`` are the parameters without a value."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"Fill in {', '.join(names)} first.")
        self.names = names


class BadValue(Unbindable):
    """A value that its place in the command cannot take; the message says what to type.

    It is an Unbindable, so that whoever refuses those refuses this too.
    """


@dataclass(frozen=True, slots=True)
class Bound:
    """The constant script and the environment that carries the values.

    In a script that no shell runs (SQL, requests, queries) the values are named as `REFERENCE` finds them.
    """

    script: str
    env: dict[str, str] = field(default_factory=dict)


def env_name(name: str) -> str:
    """The environment variable of a parameter: ``postgres-pod`` → ``ERPOPS_P_POSTGRES_POD``."""
    return "ERPOPS_P_" + (re.sub(r"\W+", "_", name).strip("_").upper() or "VALUE")


def mark(name: str, notation: str) -> re.Pattern[str]:
    """How a parameter stands in a text."""
    name = re.escape(name)
    patterns = {
        "angle": rf"<\s*{name}\s*>",
        "template": rf"\{{\{{-?\s*{name}\s*-?\}}\}}|(?<!\$)\{{{name}\}}",
        "bracket": rf"\[{name}\]",
        "env": rf"\$\{{{name}\b[^}}]*\}}|\${name}\b",
        "literal": rf"(?<![\w$]){name}(?!\w)",
    }
    return re.compile(patterns[notation])


def check_any(name: str, value: str) -> None:
    """Raise BadValue for what no place can take."""
    if "\x00" in value:
        raise BadValue(f"{name} holds a NUL character; type it again without it.")
    if len(value) > MAX_LENGTH:
        raise BadValue(f"{name} is longer than {MAX_LENGTH} characters; shorten it.")
    if not value.strip():
        raise BadValue(f"{name} is empty; type a value.")


def with_references(text: str, parameters: Iterable[Mapping[str, Any]], given: Mapping[str, str]) -> Bound:
    """`text` with a reference in the place of each mark, and the values; a longer mark hides one inside it."""
    found = sorted(
        (m.start(), -m.end(), p["name"]) for p in parameters for m in mark(p["name"], p["notation"]).finditer(text)
    )
    variables = _variables([name for _, _, name in found])
    env: dict[str, str] = {}
    out, position = [], 0
    for start, negative_end, name in found:
        if start < position:
            continue
        check_any(name, given[name])
        env[variables[name]] = given[name]
        out += [text[position:start], f"${{{variables[name]}}}"]
        position = -negative_end
    return Bound("".join([*out, text[position:]]), env)


def _variables(names: Iterable[str]) -> dict[str, str]:
    """One variable per name; two names that fold to one are told apart by a number."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        base = env_name(name)
        variable, number = base, 2
        while variable in found.values():
            variable, number = f"{base}_{number}", number + 1
        found[name] = variable
    return found
