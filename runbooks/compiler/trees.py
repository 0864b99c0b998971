"""Plain trees that spell out a procedure: “Step 1: …” with “├─ …” lines below."""

import re

from runbooks.compiler import titles
from runbooks.compiler.commands import compile_inline
from runbooks.compiler.compiled import Compiled
from runbooks.compiler.contract import Command, Step

_BRANCH = re.compile(r"^\s*(?:[├└│┌╰╭┬─|+`✓•*-]+\s*)+")
_STEP = re.compile(r"^\s*step\s+(\d+[a-z]?)\s*[:.)–—-]\s*(.+)$", re.IGNORECASE)
_LABEL = re.compile(r"^[A-Z][\w ]{1,30}:\s+")


def is_tree(compiled: Compiled) -> bool:
    """True if a text fence spells out numbered steps."""
    return compiled.kind == "text" and any(_STEP.match(row) for row in compiled.source.text.split("\n"))


def lines_of(compiled: Compiled) -> list[tuple[int, str]]:
    """(document line, text) of each line with text."""
    first = compiled.source.first_content_line
    return [(first + i, row) for i, row in enumerate(compiled.source.text.split("\n")) if row.strip()]


def commands_of(line: int, raw: str) -> list[Command]:
    """The command of one branch; a label before it and a remark in brackets after it are no part of it."""
    text = _BRANCH.sub("", raw).strip()
    bare = re.sub(r"\s+\([^()]*\)\s*$", "", text)
    for candidate in (bare, _LABEL.sub("", bare)):
        compiled = compile_inline(candidate, line)
        if compiled and not re.match(r"see\b", candidate, re.IGNORECASE):
            return compiled.commands
    return []


def steps_of(compiled: Compiled) -> list[Step]:
    """The steps of a tree, with its branches as prose and commands."""
    steps: list[Step] = []
    for line, raw in lines_of(compiled):
        match = _STEP.match(raw)
        if match:
            steps.append(empty_step(match.group(1), match.group(2), line))
        elif steps:
            steps[-1]["prose"].append({"line": line, "text": raw})
            steps[-1]["commands"] += commands_of(line, raw)
    for step in steps:
        step["manual"] = not step["commands"]
    return steps


def empty_step(number: str, raw: str, line: int) -> Step:
    """A step that so far has nothing but its title."""
    title = titles.read(raw)
    return {
        "number": number,
        "title": title.text,
        "line": line,
        "time_box_s": title.time_box_s,
        "condition": titles.condition_of(title.text),
        "optional": titles.is_optional(title.text),
        "manual": True,
        "option_group": None,
        "links": [],
        "prose": [],
        "commands": [],
        "blocks": [],
    }
