"""Editing a text without touching the rest of it: steps change places, lines stay as they are. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.walk import plain

_NUMBER = re.compile(r"^(\s*)(\d+)([.)])")


@dataclass(frozen=True)
class Block:
    """A step in the source: `first` to `last` are its lines, `position` its place among all steps."""

    position: int
    title: str
    phase: str
    first: int
    last: int
    up: bool
    down: bool


def blocks(text: str, compiled: Mapping[str, Any]) -> list[Block]:
    """The steps of a text with the lines that are theirs, in order of the text."""
    lines = text.split("\n")
    starts = [(phase["line"], "", index) for index, phase in enumerate(compiled["phases"])]
    steps = [
        (step["line"], plain(step["title"]), index)
        for index, phase in enumerate(compiled["phases"])
        for step in phase["steps"]
    ]
    edges = sorted({line for line, _, _ in [*starts, *steps]} | {len(lines) + 1})
    found: list[Block] = []
    for position, (line, title, phase) in enumerate(steps):
        last = _last(lines, line, next(edge for edge in edges if edge > line) - 1)
        heading = compiled["phases"][phase]["heading"] or compiled["phases"][phase]["phase"]
        mates = [other for other in steps if other[2] == phase]
        place = mates.index((line, title, phase))
        found.append(Block(position, title, plain(heading), line, last, place > 0, place + 1 < len(mates)))
    return found


def move(text: str, compiled: Mapping[str, Any], position: int, *, down: bool) -> str:
    """The text with a step and its neighbour of the same phase in each other's place; numbers stay in order.

    What cannot move gives the text back as it is.
    """
    found = blocks(text, compiled)
    other = position + 1 if down else position - 1
    if not (0 <= position < len(found) and 0 <= other < len(found)):
        return text
    upper, lower = sorted((found[position], found[other]), key=lambda block: block.first)
    if not upper.down or upper.last >= lower.first:
        return text
    lines = text.split("\n")
    first = lines[upper.first - 1 : upper.last]
    second = lines[lower.first - 1 : lower.last]
    between = lines[upper.last : lower.first - 1]
    first[0], second[0] = _renumbered(first[0], second[0]), _renumbered(second[0], first[0])
    lines[upper.first - 1 : lower.last] = [*second, *between, *first]
    return "\n".join(lines)


def _renumbered(line: str, like: str) -> str:
    """`line` with the number of `like`, where both begin with one."""
    mine, theirs = _NUMBER.match(line), _NUMBER.match(like)
    if not mine or not theirs:
        return line
    return f"{mine[1]}{theirs[2]}{mine[3]}{line[mine.end() :]}"


def _last(lines: list[str], first: int, last: int) -> int:
    """Blank lines behind a step are between steps, not part of one."""
    while last > first and not lines[last - 1].strip():
        last -= 1
    return last
