"""Blocks to a tree of sections: headings, and the bold leads that authors use as headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runbooks.compiler import inline, metadata, titles
from runbooks.compiler.blocks import Block


@dataclass(slots=True)
class Section:
    """``level`` 1–6 for headings; bold leads sit half a level below the heading that they stand under.

    ``kind``: heading, lead, root. ``title.text`` is plain text; ``raw`` keeps the marks.
    """

    title: titles.Title
    line: int
    level: float
    kind: str
    raw: str = ""
    end_line: int = 0
    blocks: list[Block] = field(default_factory=list)
    children: list["Section"] = field(default_factory=list)

    def walk(self) -> Iterator["Section"]:
        yield self
        for child in self.children:
            yield from child.walk()


def build(blocks: list[Block], lines: int) -> Section:
    """The section tree; the root holds what stands before the first heading."""
    root = Section(titles.read(""), 1, 0, "root", end_line=lines)
    stack = [root]
    for index, block in enumerate(blocks):
        if block.kind == "heading":
            while stack[-1].kind == "lead" or stack[-1].level >= block.level:
                stack.pop()
            _push(
                stack,
                Section(
                    titles.read(inline.plain(block.text)),
                    block.line,
                    block.level,
                    "heading",
                    block.text,
                    block.end_line,
                ),
            )
            continue
        if block.kind == "rule" and stack[-1].kind == "lead":
            while stack[-1].kind == "lead":
                stack.pop()
        lead = _lead(block, blocks[index + 1 : index + 2])
        if lead is None:
            stack[-1].blocks.append(block)
            continue
        level = _lead_level(lead, stack)
        while stack[-1].kind == "lead" and stack[-1].level >= level:
            stack.pop()
        _push(stack, Section(lead, block.line, level, "lead", block.text, block.end_line))
    return root


def _push(stack: list[Section], section: Section) -> None:
    stack[-1].children.append(section)
    stack.append(section)


def _lead(block: Block, following: list[Block]) -> titles.Title | None:
    """The title of a paragraph that is a bold lead and nothing else."""
    if block.kind != "paragraph" or "\n" in block.text.strip():
        return None
    bold = inline.bold_lead(block.text)
    if bold is None or (bold[1] and not re.fullmatch(r"\([^()]*\):?", bold[1])):
        return None
    text = f"{bold[0]} {bold[1]}".strip()
    title = titles.read(inline.plain(text))
    step = titles.STEP.match(title.text) or titles.OPTION.match(title.text)
    follows = following[0].kind if following else ""
    if step or titles.phase_of(title) or (titles.reference_of(title) and follows != "heading"):
        return title
    ends_like_one = block.text.rstrip().endswith((":", ":**", "**", ")"))
    if follows in ("bullets", "numbered", "fence", "table") and ends_like_one and not metadata.entries(block.text):
        return title
    return None


def _lead_level(lead: titles.Title, stack: list[Section]) -> float:
    base = next(s.level for s in reversed(stack) if s.kind != "lead")
    if titles.OPTION.match(lead.text):
        return base + 0.8
    return base + (0.6 if titles.STEP.match(lead.text) else 0.5)
