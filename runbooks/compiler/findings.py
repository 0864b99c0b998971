"""Findings as the contract has them, and the commands that they are about."""

from collections.abc import Iterator

from runbooks.compiler.contract import Command, Document, Finding


def make(line: int, rule: str, level: str, message: str, suggestion: str | None = None) -> Finding:
    return {"line": line, "rule": rule, "level": level, "message": message, "suggestion": suggestion}  # type: ignore[typeddict-item]


def all_commands(document: Document) -> Iterator[Command]:
    """Every command of the document, wherever it stands."""
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            for step in phase["steps"]:
                yield from step["commands"]
    for reference in document["references"]:
        yield from reference["commands"]
    for checklist in document["checklists"]:
        stack = list(checklist["items"])
        while stack:
            item = stack.pop(0)
            yield from item["commands"]
            stack += item["items"]
