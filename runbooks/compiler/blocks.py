"""CommonMark tokens to a small tree of blocks with source lines.

Inline parsing is left out: titles and items keep their marks, and ``inline.py`` reads those.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

_FENCE_INSIDE = re.compile(r"^(`{3,}|~{3,})[ \t]*([^`\n]*)\n", re.MULTILINE)


@dataclass(slots=True)
class Block:
    """One block; ``line`` and ``end_line`` are 1-based and inclusive.

    ``kind``: heading, paragraph, bullets, numbered, item, fence, table, quote, html, rule, front_matter.
    ``text``: a fence's content, a heading's or paragraph's raw text, an HTML block's source.
    """

    kind: str
    line: int
    end_line: int
    text: str = ""
    level: int = 0
    tag: str | None = None
    number: int = 0
    closed: bool = True
    first_content_line: int = 0
    children: list["Block"] = field(default_factory=list)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable("inline").use(front_matter_plugin)


def parse_blocks(text: str) -> list[Block]:
    """All blocks of a document in order, with lists that unindented fences tore apart put together."""
    lines = text.split("\n")
    root = Block("root", 1, max(1, len(lines)))
    stack = [root]
    for token in _parser().parse(text):
        _take(token, stack, lines)
    _rejoin(root)
    return root.children


def walk(blocks: list[Block]) -> Iterator[Block]:
    """Every block, depth first, in document order."""
    for block in blocks:
        yield block
        yield from walk(block.children)


_CONTAINERS = {
    "bullet_list_open": "bullets",
    "ordered_list_open": "numbered",
    "list_item_open": "item",
    "blockquote_open": "quote",
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "table_open": "table",
}


def _take(token: Token, stack: list[Block], lines: list[str]) -> None:
    if token.type in _CONTAINERS and token.map:
        block = _open(token, lines)
        stack[-1].children.append(block)
        stack.append(block)
    elif token.type.endswith("_close") and token.type.replace("_close", "_open") in _CONTAINERS:
        stack.pop()
    elif token.type == "inline" and stack[-1].kind in ("heading", "paragraph"):
        stack[-1].text = token.content
    elif token.type in ("fence", "code_block") and token.map:
        stack[-1].children.append(_fence(token, lines))
    elif token.type in ("html_block", "hr", "front_matter") and token.map:
        kind = {"hr": "rule", "html_block": "html"}.get(token.type, token.type)
        start, end = token.map
        end = max(end, start + 1)
        stack[-1].children.append(Block(kind, start + 1, end, text="\n".join(lines[start:end]).rstrip("\n")))


def _open(token: Token, lines: list[str]) -> Block:
    assert token.map is not None
    start, end = token.map
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    block = Block(_CONTAINERS[token.type], start + 1, end)
    if token.type == "heading_open":
        block.level = int(token.tag[1])
    elif token.type == "list_item_open" and token.info.isdigit():
        block.number = int(token.info)
    elif token.type == "table_open":
        block.text = "\n".join(lines[start:end])
    return block


def _fence(token: Token, lines: list[str]) -> Block:
    """A fence, an indented code block, or a fence that over-indentation turned into one."""
    assert token.map is not None
    start, end = token.map
    if token.type == "fence":
        last = lines[end - 1].strip() if end - 1 > start else ""
        closed = len(last) >= 3 and set(last) == {token.markup[0]}
        return Block(
            "fence", start + 1, end, token.content.removesuffix("\n"), tag=_tag(token.info), closed=closed,
            first_content_line=start + 2,
        )  # fmt: skip
    content = token.content.rstrip("\n")
    end = start + content.count("\n") + 1
    inside = _FENCE_INSIDE.match(content + "\n")
    if inside:
        body = (content + "\n")[inside.end() :].rstrip("\n").split("\n")
        closed = bool(body) and body[-1].strip() == inside.group(1)
        text = "\n".join(body[:-1] if closed else body)
        return Block(
            "fence", start + 1, end, text, tag=_tag(inside.group(2)), closed=closed, first_content_line=start + 2
        )
    return Block("fence", start + 1, end, content, level=1, first_content_line=start + 1)


def _tag(info: str) -> str | None:
    """The language word of an info string; MyST directives keep their braces."""
    word = info.strip().split(None, 1)[0] if info.strip() else ""
    return word.removeprefix(".").lower() or None


def _rejoin(parent: Block) -> None:
    """Give blocks that stand between item *n* and item *n + 1* back to item *n*.

    Authors indent list content too little; CommonMark then ends the list. The next list proves the
    intent by going on counting (or by restarting at 1 right after a fence).
    """
    out: list[Block] = []
    pending: list[Block] = []
    open_list: Block | None = None
    for block in parent.children:
        if block.kind == "numbered" and open_list is not None and pending and _continues(open_list, block, pending):
            open_list.children[-1].children.extend(pending)
            open_list.children.extend(block.children)
            open_list.end_line = block.end_line
            open_list.children[-1].end_line = max(open_list.children[-1].end_line, block.children[-1].end_line)
            pending = []
            continue
        if open_list is not None and block.kind in ("fence", "paragraph", "bullets", "quote", "table"):
            pending.append(block)
            continue
        out.extend(pending)
        pending = []
        out.append(block)
        open_list = block if block.kind == "numbered" and block.children else None
    if open_list is not None and pending and pending[0].kind == "fence":
        open_list.children[-1].children.append(pending.pop(0))
    out.extend(pending)
    parent.children = out
    for block in parent.children:
        _rejoin(block)


def _continues(first: Block, second: Block, between: list[Block]) -> bool:
    if not second.children:
        return False
    starts = second.children[0].number
    if starts == first.children[-1].number + 1 and starts > 1:
        return True
    all_ones = all(item.number == 1 for item in first.children)
    return starts == 1 and all_ones and between[0].kind == "fence"
