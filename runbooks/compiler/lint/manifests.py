"""YAML and JSON in fences: files that no program would load."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from runbooks.compiler import queries
from runbooks.compiler.blocks import Block
from runbooks.compiler.lint.found import Found
from runbooks.compiler.lint.queries import of_itself

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEMPLATE = re.compile(r"\{\{|\{%|<%|^[+]|^\s*(?:\.\.\.|…)\s*$|<[A-Za-z][\w .-]*>", re.MULTILINE)
_RULE_KEYS = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+|0")
_LARGEST = 100_000  # characters; larger files are data
_DEEPEST = 60  # levels; what nests deeper is no file that people write


@dataclass(slots=True)
class Node:
    """A value of a YAML file and its row; `items` of a list, `entries` of a mapping with `rows` of its keys."""

    row: int
    text: str = ""
    items: list["Node"] = field(default_factory=list)
    entries: dict[str, "Node"] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def of_fence(source: Block, kind: str) -> Iterator[Found]:
    """What is wrong with a fence of YAML or JSON."""
    if len(source.text) > _LARGEST:
        return
    if kind == "yaml" and (source.tag in ("yaml", "yml") or "alert:" in source.text):
        yield from _yaml(source)
    elif kind == "json" and source.tag == "json":
        yield from _json(source)


def _json(source: Block) -> Iterator[Found]:
    text = source.text.strip()
    if not text.startswith(("{", "[")) or re.search(r"\.\.\.|…|//|/\*|<\w|\{\{|\$\{|^\s*#", text, re.MULTILINE):
        return
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return  # A line of JSON after another: logs.
        message = f"This is no JSON: {error.msg[0].lower()}{error.msg[1:]}."
        yield source.first_content_line + error.lineno - 1, "json.syntax", "warning", message, "Correct it."


def _yaml(source: Block) -> Iterator[Found]:
    first = source.first_content_line
    try:
        documents = _documents(source.text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is not None and not _TEMPLATE.search(source.text):
            message = f"This is no YAML: {error.problem}."
            use = "Check the indentation, and quote texts with a colon."
            yield first + mark.line, "yaml.syntax", "error", message, use
        return
    except yaml.YAMLError:
        return
    for document in documents:
        yield from _rules(document, first)


def _documents(text: str) -> list[Node]:
    """The documents of a YAML text.

    Built from events, because the composers of the library recurse: a text of brackets alone would end the process.
    """
    done: list[Node] = []
    stack: list[tuple[Node, list[Node | str]]] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(stack) >= _DEEPEST:
                return []
            stack.append((Node(_row(event)), ["map" if isinstance(event, yaml.MappingStartEvent) else "list"]))
            continue
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            node = Node(_row(event), text=str(getattr(event, "value", "")))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = _closed(*stack.pop())
        else:
            continue
        if stack:
            stack[-1][1].append(node)
        else:
            done.append(node)
    return done


def _row(event: Any) -> int:
    return int(event.start_mark.line)


def _closed(node: Node, parts: list[Node | str]) -> Node:
    """A list or mapping with what was read for it; a mapping's keys and values come in turn."""
    read = [part for part in parts[1:] if isinstance(part, Node)]
    if parts[0] == "list":
        node.items = read
    else:
        for key, value in zip(read[::2], read[1::2], strict=False):
            node.entries[key.text] = value
            node.rows[key.text] = key.row
    return node


def _rules(document: Node, first: int) -> Iterator[Found]:
    """The alerting rules of a file, or one that stands without its group."""
    groups = document.entries.get("groups") or document.entries.get("spec", document).entries.get("groups")
    if groups is not None:
        for group in groups.items:
            for rule in group.entries["rules"].items if "rules" in group.entries else ():
                yield from _rule(rule, first)
        return
    lone = [document] if "alert" in document.entries else [item for item in document.items if "alert" in item.entries]
    for rule in lone:
        extra = ", and severity belongs under labels" if "severity" in rule.entries else ""
        if "expr" in rule.entries:
            message = f"This is no Prometheus rule file: the rule needs groups and rules around it{extra}."
            use = "Put it under groups: - name: … rules:."
            yield first + rule.row, "yaml.alert-rule", "error", message, use
            yield from _expression(rule.entries["expr"], first)


def _rule(rule: Node, first: int) -> Iterator[Found]:
    named = rule.entries
    stray = next((key for key in named if key not in _RULE_KEYS), None)
    if stray is not None:
        message = f"A rule has no {stray}; Prometheus does not load the file."
        use = "Put it under labels." if stray in ("severity", "team") else "Remove it, or put it under annotations."
        yield first + rule.rows[stray], "yaml.alert-rule", "error", message, use
    if "expr" not in named:
        if "alert" in named or "record" in named:
            message = "A rule needs an expr; Prometheus does not load the file."
            yield first + rule.row, "yaml.alert-rule", "error", message, "Add it."
        return
    length = named.get("for")
    if length is not None and not _DURATION.fullmatch(length.text) and "<" not in length.text:
        message = f"“{length.text}” is no duration that Prometheus reads."
        yield first + length.row, "yaml.alert-rule", "error", message, "Write for example 5m."
    yield from _expression(named["expr"], first)


def _expression(node: Node, first: int) -> Iterator[Found]:
    problem = None if re.search(r"<\w|\.\.\.|…", node.text) else queries.problem("promql", node.text)
    if problem:
        yield first + node.row, problem[0], "error", problem[1], "Try the query in the expression browser."
    else:
        yield from of_itself(first + node.row, node.text)
