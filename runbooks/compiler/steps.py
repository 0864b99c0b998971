"""The body of a phase to steps: numbered items, “Step N” leads, fences, plain trees, comments."""

import re
from dataclasses import dataclass, field

from runbooks.compiler import inline, told, trees
from runbooks.compiler.blocks import Block, walk
from runbooks.compiler.comments import STEP
from runbooks.compiler.compiled import Compiled
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Block as OutBlock
from runbooks.compiler.contract import Command, Step, Text
from runbooks.compiler.remarks import Remark, attach_remarks, expect_printed, expect_said

TITLE_MAX = 160
_LEADING = frozenset(["label", "alternative", "condition", "wait", "query", "setting"])


@dataclass(slots=True)
class Draft:
    """A step being gathered: its title text and the blocks or fence entries that belong to it."""

    title: str
    line: int
    number: str = ""
    option_group: str | None = None
    blocks: list[Block] = field(default_factory=list)
    entries: list[Command | Remark] = field(default_factory=list)
    rest: str = ""


def finish(draft: Draft, context: Context) -> Step:
    """The step of the contract. Everything in its blocks ends up as command, block or prose."""
    step = trees.empty_step(draft.number, draft.title, draft.line)
    step["option_group"] = draft.option_group
    if draft.rest:
        step["prose"].append({"line": draft.line, "text": draft.rest})
    if draft.entries:
        _take_entries(draft, step)
    for block in draft.blocks:
        _take(block, step, context)
    _take_inline(step)
    step["links"] = _links(draft, step)
    step["commands"].sort(key=lambda c: c["line"])
    step["manual"] = not step["commands"]
    return step


def _take_entries(draft: Draft, step: Step) -> None:
    attach_remarks(draft.entries)
    step["commands"] += [e for e in draft.entries if not isinstance(e, Remark)]
    if not step["commands"]:
        remarks = [e for e in draft.entries if isinstance(e, Remark)]
        step["blocks"].append(comment_block(remarks))


def comment_block(remarks: list[Remark]) -> OutBlock:
    """Comments that stand alone: an instruction to a person."""
    return {
        "line": remarks[0].line,
        "end_line": remarks[-1].line,
        "kind": "comment",
        "tag": None,
        "text": "\n".join(r.text for r in remarks),
        "notes": [
            {"line": r.line, "text": r.text, "kind": "instruction" if r.kind == "label" else r.kind} for r in remarks
        ],
    }


def _take(block: Block, step: Step, context: Context) -> None:
    if block.kind == "fence":
        compiled = context.fence(block)
        context.place(block.line, step["line"])
        if compiled.kind in ("output", "json", "yaml", "text"):
            before = context.line_before(block.line)
            expect_printed(step["commands"], compiled.source.first_content_line, compiled.source.text, before)
        take_fence(compiled, step)
    elif any(b.kind == "fence" for b in walk(block.children)):
        for child in block.children:
            _take(child, step, context)
    elif block.kind != "rule":
        text = context.text(block.line, block.end_line)
        step["prose"].append(text)
        expect_said(step["commands"], text["line"], text["text"])


def take_fence(compiled: Compiled, step: Step) -> None:
    """Commands, or the fence as a block when it holds none."""
    if compiled.commands:
        compiled.attach()
        step["commands"] += compiled.commands
        return
    block = compiled.block()
    if compiled.kind == "message":
        block["notes"] = []
    step["blocks"].append(block)
    if trees.is_tree(compiled):
        step["commands"] += [c for line, text in trees.lines_of(compiled) for c in trees.commands_of(line, text)]


def _take_inline(step: Step) -> None:
    """Commands in code spans of the prose and of the title."""
    title: Text = {"line": step["line"], "text": step["title"]}
    for text in [title, *step["prose"]]:
        step["commands"] += told.commands_of(text["text"], text["line"])


def _links(draft: Draft, step: Step) -> list[str]:
    found = inline.links(draft.title)
    for text in step["prose"]:
        found += inline.links(text["text"])
    for block in step["blocks"]:
        found += [u for note in block["notes"] for u in inline.links(note["text"])]
    for command in step["commands"]:
        found += [u for note in command["notes"] for u in inline.links(note["text"])]
    return list(dict.fromkeys(found))


def from_item(item: Block, number: str) -> Draft:
    """A numbered list item: its first line is the title, the rest its content."""
    first = item.children[0] if item.children else None
    if first is None or first.kind != "paragraph":
        return Draft(f"Step {number}", item.line, number, blocks=list(item.children))
    title, rest = split_title(first.text)
    draft = Draft(title, item.line, number, blocks=list(item.children[1:]), rest=rest)
    if "\n" in first.text:
        draft.blocks.insert(0, Block("paragraph", item.line + 1, first.end_line, first.text.split("\n", 1)[1]))
    return draft


def split_title(text: str) -> tuple[str, str]:
    """(title with marks, what follows it on the same line)."""
    line = text.split("\n", 1)[0]
    line = re.sub(r"^\[[ xX]\]\s+", "", line)
    bold = inline.bold_lead(line)
    if bold:
        title, rest = bold
        if re.fullmatch(r"\([^()]*\):?", rest):
            return inline.plain(f"{title} {rest}"), ""
        return inline.plain(title), rest
    plain = inline.plain(line)
    has_code = line if inline.spans(line) else ""
    if len(plain) <= TITLE_MAX:
        return plain, has_code
    sentence = re.split(r"(?<=[.!?:])\s", plain, maxsplit=1)[0]
    return (sentence if len(sentence) <= TITLE_MAX else plain[: TITLE_MAX - 1] + "…"), line


def from_step_comments(compiled: Compiled) -> list[Draft]:
    """``# Step N: …`` inside a fence: each opens a step; what stands before the first joins it."""
    drafts: list[Draft] = []
    early: list[Command | Remark] = []
    for entry in compiled.entries:
        if isinstance(entry, Remark) and entry.kind == "step":
            match = STEP.match(entry.text)
            assert match is not None
            drafts.append(Draft(match.group(2) or entry.text, entry.line, match.group(1), entries=early))
            early = []
        elif drafts:
            drafts[-1].entries.append(entry)
        else:
            early.append(entry)
    return drafts


def has_step_comments(compiled: Compiled) -> bool:
    return any(isinstance(e, Remark) and e.kind == "step" for e in compiled.entries)


def from_leading_comments(compiled: Compiled) -> list[Draft]:
    """In a procedure that is one fence, each comment after a gap opens a step."""
    drafts: list[Draft] = []
    end = 0
    for entry in compiled.entries:
        line = entry.line if isinstance(entry, Remark) else entry["line"]
        leads = isinstance(entry, Remark) and entry.kind in _LEADING and line > end + 1
        if not drafts or leads:
            if isinstance(entry, Remark):
                drafts.append(Draft(entry.text, line))
            else:
                drafts.append(Draft("", line, entries=[entry]))
        else:
            drafts[-1].entries.append(entry)
        end = line if isinstance(entry, Remark) else entry["end_line"]
    for index, draft in enumerate(drafts):
        draft.number = str(index + 1)
        draft.title = draft.title or "Run this"
    return drafts


def leading_comments(compiled: Compiled) -> int:
    """How many steps ``from_leading_comments`` would make."""
    return len(from_leading_comments(compiled)) if compiled.commands else 0
