"""The part of a document that is one runbook, and the headings that it stands under. Text in, text out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.compiler import inline, titles
from runbooks.compiler.blocks import Block, parse_blocks


@dataclass(frozen=True, slots=True)
class Under:
    """Where a slice stands: the titles of the headings above it, outermost first, and its category among them."""

    trail: tuple[str, ...] = ()
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """`text` is verbatim, `line` where it begins; `under` is None for a document that is one runbook as a whole.

    Compiling `text` with `under` gives the runbook again, its lines counted from its own beginning.
    """

    text: str
    line: int
    under: Under | None


def slices_of(text: str, runbooks: Sequence[Mapping[str, Any]]) -> list[Slice]:
    """One slice per compiled runbook of `text`, in their order. Slices never overlap.

    A runbook reaches from its heading to the next one of the same or a higher level, or to the next
    runbook. The only runbook of a document is all of it.
    """
    if len(runbooks) == 1:
        return [Slice(text, 1, None)]
    lines = text.splitlines(keepends=True)
    headings = [block for block in parse_blocks(text) if block.kind == "heading"]
    starts = sorted(runbook["line"] for runbook in runbooks)
    return [_slice(runbook, lines, headings, starts) for runbook in runbooks]


def _slice(runbook: Mapping[str, Any], lines: list[str], headings: list[Block], starts: list[int]) -> Slice:
    line = runbook["line"]
    own = next((block for block in headings if block.line == line), None)
    level = own.level if own else 7
    ends = [block.line for block in headings if block.line > line and block.level <= level]
    ends += [start for start in starts if start > line]
    end = min(ends, default=len(lines) + 1)
    under = Under(tuple(_above(line, level, headings)), runbook["category"])
    return Slice("".join(lines[line - 1 : end - 1]), line, under)


def _above(line: int, level: int, headings: list[Block]) -> list[str]:
    """The titles of the headings that a heading of `level` at `line` stands under, outermost first."""
    found: list[str] = []
    for block in reversed([block for block in headings if block.line < line]):
        if block.level < level:
            level = block.level
            found.append(titles.read(inline.plain(block.text)).text)
    return found[::-1]
