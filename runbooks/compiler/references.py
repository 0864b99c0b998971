"""Pages that are looked up, not walked: contacts, tables, metrics, queries, command sets."""

import re

from runbooks.compiler import inline
from runbooks.compiler.blocks import Block, walk
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Reference, Row
from runbooks.compiler.sections import Section


def build(section: Section, kind: str, context: Context) -> Reference:
    """Everything below a heading as rows, commands, blocks and prose of one reference."""
    reference = start(kind, section.line, section.title.text)
    if section.title.text != section.raw:
        reference["prose"].append({"line": section.line, "text": section.raw})
    _take_section(section, reference, context)
    return reference


def start(kind: str, line: int, title: str) -> Reference:
    return {"kind": kind, "line": line, "title": title, "rows": [], "commands": [], "blocks": [], "prose": []}


def _take_section(section: Section, reference: Reference, context: Context) -> None:
    for block in section.blocks:
        take_block(block, reference, context)
    for child in section.children:
        reference["prose"].append(context.text(child.line, child.end_line or child.line))
        _take_section(child, reference, context)


def take_block(block: Block, reference: Reference, context: Context) -> None:
    """Add one block to a reference."""
    if block.kind == "fence":
        _take_fence(block, reference, context)
    elif block.kind == "table":
        reference["rows"] += table_rows(block)
    elif block.kind in ("bullets", "numbered"):
        for item in block.children:
            _take_item(item, reference, context)
    elif block.kind == "paragraph" and _field_lines(block):
        reference["rows"] += _field_lines(block)
    elif block.kind != "rule":
        reference["prose"].append(context.text(block.line, block.end_line))


def _take_fence(block: Block, reference: Reference, context: Context) -> None:
    compiled = context.fence(block)
    if compiled.commands:
        compiled.attach()
        reference["commands"] += compiled.commands
    else:
        reference["blocks"].append(compiled.block())


def _take_item(item: Block, reference: Reference, context: Context) -> None:
    for child in item.children:
        if child.kind == "paragraph":
            reference["rows"].append(_row(child.line, context.text(child.line, child.end_line)["text"]))
        else:
            take_block(child, reference, context)


def _row(line: int, raw: str) -> Row:
    """A bullet; “**Name**: value” becomes two cells."""
    text = re.sub(r"^\s*(?:[-*+]|\d+[.)])\s+", "", raw)
    bold = inline.bold_lead(text)
    pair = re.match(r"^([A-Z][\w /()-]{1,40}):\s+(.+)$", inline.plain(text))
    cells: dict[str, str] = {}
    if bold and bold[1]:
        cells = {"name": inline.plain(bold[0]), "value": inline.plain(bold[1])}
    elif pair:
        cells = {"name": pair.group(1), "value": pair.group(2)}
    return {"line": line, "text": raw, "cells": cells}


def _field_lines(block: Block) -> list[Row]:
    """Rows of a paragraph whose lines all read “**Name**: value”."""
    rows = [_row(block.line + i, raw) for i, raw in enumerate(block.text.split("\n"))]
    return rows if all(row["cells"] for row in rows) else []


def table_rows(block: Block) -> list[Row]:
    """Body rows of a pipe table, cells keyed by header; header and rule are kept as rows without cells."""
    lines = block.text.rstrip("\n").split("\n")
    header = cells_of(lines[0]) if lines else []
    rows: list[Row] = []
    for index, raw in enumerate(lines):
        values = cells_of(raw)
        named = {header[i] or f"column {i + 1}": v for i, v in enumerate(values) if i < len(header)}
        rows.append({"line": block.line + index, "text": raw, "cells": named if index > 1 else {}})
    return rows


def cells_of(line: str) -> list[str]:
    """The cells of one table line; a pipe in code or behind a backslash does not split."""
    text = line.strip().removeprefix("|")
    if text.endswith("|") and not text.endswith("\\|"):
        text = text[:-1]
    cells, cell, ticks = [], "", False
    for index, char in enumerate(text):
        if char == "`":
            ticks = not ticks
        if char == "|" and not ticks and (index == 0 or text[index - 1] != "\\"):
            cells.append(cell)
            cell = ""
        else:
            cell += char
    return [inline.plain(c.replace("\\|", "|")) for c in [*cells, cell]]


def table_kind(block: Block) -> str:
    """What a table outside of any reference section holds."""
    lines = block.text.split("\n")
    header = " ".join(cells_of(lines[0])).lower() if lines else ""
    for kind, pattern in (
        ("escalation_matrix", r"severity.*(?:response|escalat)"),
        ("alert_index", r"alert.*(?:runbook|link|rule)"),
        ("error_codes", r"\bcode\b"),
        ("contacts", r"contact|phone|on-?call|e-?mail"),
        ("thresholds", r"threshold"),
        ("metrics", r"metric"),
    ):
        if re.search(pattern, header):
            return kind
    return "table"


def tables_in(blocks: list[Block]) -> list[Block]:
    return [b for b in walk(blocks) if b.kind == "table"]
