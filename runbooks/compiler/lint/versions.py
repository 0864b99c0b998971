"""What a document still uses although it is gone, renamed or superseded. The knowledge is `versions.toml`."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found, any_of, row_of


@dataclass(frozen=True, slots=True)
class Gone:
    """One thing that is gone. `bad` and `good` are its examples, in `language`."""

    rule: str
    level: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    message: str
    use: str
    bad: str
    good: str
    unless: re.Pattern[str] | None = None
    programs: frozenset[str] = frozenset()
    new: tuple[str, str] | None = None
    anywhere: bool = False
    language: str = "bash"


def of_command(command: Command) -> Iterator[Found]:
    """What a command names that is gone."""
    yield from _found(command["line"], command["text"], command["programs"], table())


def of_text(line: int, text: str) -> Iterator[Found]:
    """What settings or a manifest name that is gone; `line` is the first of the text."""
    yield from _found(line, text, (), _manifests())


def _found(line: int, text: str, programs: Sequence[str], table: Sequence[Gone]) -> Iterator[Found]:
    for gone in table:
        if not any_of(gone.words, text) or (gone.programs and gone.programs.isdisjoint(programs)):
            continue
        match = gone.pattern.search(text)
        if match is None or (gone.unless and gone.unless.search(text)):
            continue
        old = match.groupdict().get("old") or match.group()
        new = old.replace(*gone.new) if gone.new else ""
        message, use = gone.message.replace("{old}", old), gone.use.replace("{old}", old).replace("{new}", new)
        at = match.start("old") if "old" in match.groupdict() else match.start()
        yield row_of(line, text, at), gone.rule, gone.level, message, use


@cache
def table() -> tuple[Gone, ...]:
    """Everything that `versions.toml` names."""
    with (Path(__file__).parent / "versions.toml").open("rb") as file:
        return tuple(_gone(entry) for entry in tomllib.load(file)["gone"])


@cache
def _manifests() -> tuple[Gone, ...]:
    return tuple(gone for gone in table() if gone.anywhere)


def _gone(entry: dict[str, Any]) -> Gone:
    programs = entry.pop("program", [])
    named = [programs] if isinstance(programs, str) else programs
    entry["words"] = tuple(entry["words"])
    entry["pattern"] = re.compile(str(entry["pattern"]), re.DOTALL)
    if "unless" in entry:
        entry["unless"] = re.compile(str(entry["unless"]))
    if "new" in entry:
        entry["new"] = tuple(entry["new"])
    return Gone(programs=frozenset(named), **entry)
