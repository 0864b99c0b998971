"""What the text says against what the command does. The table is `promises.toml`."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runbooks.compiler.contract import Command, Document, Runbook
from runbooks.compiler.lint.found import Found, of_runbooks

RULE = "text.not-what-it-says"
_ASSIGNED = re.compile(r"(?:^|\s)([A-Z][A-Z0-9_]{3,}=[\w.:/-]+)")
_UP = re.compile(r"\b(?:increase|raise|extend|loosen|relax|widen|higher)\w*\b", re.IGNORECASE)
_DOWN = re.compile(r"\b(?:decreas|lower|reduc|tighten|shorten|restrict)\w*\b", re.IGNORECASE)
_TEMPORARY = re.compile(r"\btemporar(?:y|ily)\b|\bfor the time being\b", re.IGNORECASE)
_SET = re.compile(r"\b(?:set\s+env|scale|set\s+image|cordon|SET\s+GLOBAL|CONFIG\s+SET|ALTER\s+SYSTEM)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Promise:
    """Words of the text, and what a command beside them must not be."""

    said: re.Pattern[str]
    does: re.Pattern[str]
    level: str
    message: str
    use: str
    bad_said: str
    bad: str
    good: str
    unless: re.Pattern[str] | None = None


def of_command(said: str, command: Command) -> Iterator[Found]:
    """Whether the command does something else than the text beside it says."""
    text = command["text"]
    for promise in table():
        match = promise.does.search(text)
        if match is None or not promise.said.search(said) or (promise.unless and promise.unless.search(text)):
            continue
        yield command["line"], RULE, promise.level, promise.message, promise.use


def of_document(document: Document) -> Iterator[Found]:
    """The same setting that is said to raise a limit here and to lower it there; what is only for a while."""
    first: dict[str, tuple[int, bool]] = {}
    for said, command in of_runbooks(document):
        up, down = bool(_UP.search(said)), bool(_DOWN.search(said))
        for name in _ASSIGNED.findall(command["text"]) if up != down else ():
            line, was_up = first.setdefault(name, (command["line"], up))
            if up != was_up:
                here, there = ("raise", "lower") if up else ("lower", "raise")
                message = f"{name} is said to {here} the limit here and to {there} it at line {line}."
                use = "One of the two is wrong: say what the value does."
                yield command["line"], "text.contradicts", "warning", message, use
                break
    for runbook in document["runbooks"]:
        yield from _temporary(runbook)


def _temporary(runbook: Runbook) -> Iterator[Found]:
    """What is set for a while, in a runbook that never sets it again."""
    commands = [(step["title"], c) for phase in runbook["phases"] for step in phase["steps"] for c in step["commands"]]
    for index, (title, command) in enumerate(commands):
        if not _TEMPORARY.search(command["label"] or title) or not _SET.search(command["text"]):
            continue
        names = re.findall(r"\b([A-Z][A-Z0-9_]{3,})=", command["text"])
        if names and not any(name in later["text"] for name in names for _, later in commands[index + 1 :]):
            message = f"{names[0]} is set for a while, and no step sets it back."
            yield command["line"], "order.not-undone", "info", message, "Add the step that takes it back."


@cache
def table() -> tuple[Promise, ...]:
    """Everything that `promises.toml` names."""
    with (Path(__file__).parent / "promises.toml").open("rb") as file:
        return tuple(_promise(entry) for entry in tomllib.load(file)["promise"])


def _promise(entry: dict[str, str]) -> Promise:
    fields: dict[str, object] = dict(entry)
    fields["said"] = re.compile(entry["said"], re.IGNORECASE)
    fields["does"] = re.compile(entry["does"], re.DOTALL)
    if "unless" in entry:
        fields["unless"] = re.compile(entry["unless"])
    return Promise(**fields)  # type: ignore[arg-type]
