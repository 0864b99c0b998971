"""What a rule says, and the ways to say where."""

import re
from collections.abc import Iterable, Iterator

from runbooks.compiler.contract import Command, Document, Finding
from runbooks.compiler.findings import make

# (line, rule, level, message, suggestion)
Found = tuple[int, str, str, str, str | None]


def finding(found: Found) -> Finding:
    """A finding in the form of the contract."""
    return make(*found)


def row_of(line: int, text: str, at: int) -> int:
    """The line of the document that holds character `at` of a text which starts at `line`."""
    return line + text.count("\n", 0, at)


def worded(said: float) -> str:
    """A number as people write it."""
    return f"{said:g}"


def of_runbooks(document: Document) -> Iterator[tuple[str, Command]]:
    """(what the text says of it, command) of every command of a step: its label, else the title of its step."""
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            for step in phase["steps"]:
                for command in step["commands"]:
                    yield command["label"] or step["title"], command


def any_of(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)


def joined(text: str) -> str:
    """A command on one line: what a backslash continues is put together."""
    return re.sub(r"\\\n\s*", " ", text)
