"""Task lists: items with their state, their commands and their sub-items."""

import re

from runbooks.compiler import told
from runbooks.compiler.blocks import Block
from runbooks.compiler.context import Context
from runbooks.compiler.contract import ChecklistItem

_TASK = re.compile(r"^\[([ xX])\]\s+")


def is_task_list(block: Block) -> bool:
    """True if at least half of a list's items carry a check box."""
    if block.kind not in ("bullets", "numbered") or not block.children:
        return False
    tasks = sum(bool(i.children and _TASK.match(i.children[0].text)) for i in block.children)
    return tasks * 2 >= len(block.children)


def take_checklist(block: Block, title: str, line: int, context: Context) -> None:
    """Add a task list to the document's checklists; lists under one title are one checklist."""
    items = [_item(i, context) for i in block.children]
    for existing in context.checklists:
        if existing["line"] == line and existing["title"] == title:
            existing["items"] += items
            return
    context.checklists.append({"title": title, "line": line, "runbook": context.runbook, "items": items})


def _item(item: Block, context: Context) -> ChecklistItem:
    first = item.children[0] if item.children else None
    text = first.text if first is not None and first.kind == "paragraph" else ""
    task = _TASK.match(text)
    out: ChecklistItem = {
        "line": item.line,
        "text": text[task.end() :] if task else text,
        "checked": bool(task and task.group(1) != " "),
        "commands": [],
        "blocks": [],
        "items": [],
    }
    out["commands"] += told.commands_of(text, item.line)
    for child in item.children[1:]:
        _take(child, out, context)
    return out


def _take(child: Block, out: ChecklistItem, context: Context) -> None:
    if child.kind == "fence":
        compiled = context.fence(child)
        compiled.attach()
        out["commands"] += compiled.commands
        if not compiled.commands:
            out["blocks"].append(compiled.block())
    elif child.kind in ("bullets", "numbered"):
        out["items"] += [_item(i, context) for i in child.children]
