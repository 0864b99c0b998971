"""What a document says of its own commands, for the case that nobody knows how one ended.

`<!-- erpops: repeatable because REASON -->` before a command: doing it twice does no harm.
`<!-- erpops: decided by COMMAND -->`: another command of the runbook, which only reads, tells whether it was done.
Each holds for the block that follows it.
"""

import re
from collections.abc import Iterator

from runbooks.compiler.contract import Command, Document, Finding
from runbooks.compiler.findings import all_commands, make
from runbooks.compiler.marks import end_of_block

_REPEATABLE = re.compile(r"<!--\s*erpops:\s*repeatable(?:\s+because\s+(?P<reason>.*?))?\s*-->")
_DECIDED = re.compile(r"<!--\s*erpops:\s*decided\s+by\s+(?P<command>.*?)\s*-->")


def settle(document: Document, lines: list[str]) -> list[Finding]:
    """Write what the marks say into the commands that they stand before; findings about marks that say nothing."""
    found: list[Finding] = []
    for number, line in enumerate(lines, 1):
        if "erpops:" not in line:
            continue
        if match := _REPEATABLE.search(line):
            found += _repeatable(document, lines, number, (match["reason"] or "").strip())
        elif match := _DECIDED.search(line):
            found += _decided(document, lines, number, match["command"].strip("` "))
    return found


def _repeatable(document: Document, lines: list[str], line: int, reason: str) -> Iterator[Finding]:
    if not reason:
        yield make(
            line, "repeat.no-reason", "warning", "This is called repeatable without a reason, so it is not repeated.",
            "Write <!-- erpops: repeatable because … -->.",
        )  # fmt: skip
        return
    for command in _behind(document, lines, line):
        command["repeatable"] = reason


def _decided(document: Document, lines: list[str], line: int, text: str) -> Iterator[Finding]:
    for runbook in document["runbooks"]:
        commands = [c for phase in runbook["phases"] for step in phase["steps"] for c in step["commands"]]
        meant = [command for command in commands if command in _behind(document, lines, line)]
        reading = [command for command in commands if command["risk"] == "read" and _same(command["text"], text)]
        if not meant:
            continue
        if not reading:
            yield make(
                line, "decide.unknown", "warning", f"No command of this runbook that only reads is `{text[:80]}`.",
                "Name a read command as it stands in a step.",
            )  # fmt: skip
        for command in meant if reading else []:
            command["decided_by"] = reading[0]["line"]


def _behind(document: Document, lines: list[str], line: int) -> list[Command]:
    last = end_of_block(lines, line)
    return [command for command in all_commands(document) if line < command["line"] <= last]


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())
