"""Shell text to units: what runs, with which words, redirections, variables and comments.

The grammar is tree-sitter-bash. Text in angle marks (``<pod>``) would be a redirection to it, so it is
masked by an identifier of the same byte length first; every offset therefore holds in the original.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from runbooks.compiler import shell_lines

ANGLE = re.compile(
    r"(?<![<\w])<(?![<\s])([A-Za-z#][^<>\n|&;$`\"'(){}=\\]{0,60}?)(?<!\s)>(?!>)"
    r"|(?<=[/:=@.,_-])<([A-Za-z][\w .:-]{0,60}?)>"
)
CHOICE = re.compile(r"(?<=\s)\[([\w./-]+(?:\|[\w./-]+)+)\](?=\s|$)")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
TEMPLATE = re.compile(r"\{\{-?\s*([A-Za-z_][\w .-]*?)\s*-?\}\}")


@dataclass(frozen=True, slots=True)
class Word:
    """One argument: raw text, value without quotes, and whether it holds an expansion."""

    raw: str
    value: str
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    operator: str
    target: str
    descriptor: str = ""


@dataclass(slots=True)
class Invocation:
    """One simple command: ``words[0]`` is the program. ``stdin`` says what feeds it.

    ``stdin``: "" (terminal), "pipe", "heredoc", "file". ``row`` is relative to the unit's first row.
    """

    words: list[Word]
    row: int
    stdin: str = ""
    heredoc: str = ""
    redirects: list[Redirect] = field(default_factory=list)
    before: str = ""  # program that feeds the pipe
    after: tuple["Invocation", ...] = ()  # the rest of the pipeline


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    row: int
    default: str | None = None


@dataclass(slots=True)
class Unit:
    """One logical line. ``kind``: command, assignment, compound, broken."""

    first: int
    last: int
    text: str
    kind: str
    trailing: str = ""  # comment at the end of the line
    trailing_row: int = 0
    invocations: list[Invocation] = field(default_factory=list)
    assigned: list[str] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def mask(text: str) -> str:
    """Replace placeholders that a shell would misread by identifiers of the same byte length."""

    def same_size(match: re.Match[str]) -> str:
        size = len(match.group().encode())
        return "_" * size

    masked = CHOICE.sub(same_size, TEMPLATE.sub(same_size, ANGLE.sub(same_size, text)))
    # The grammar's scanner asks the C library about each character as if it were a byte: one that is none
    # may end the process. No such character means anything to a shell.
    return _BEYOND_ASCII.sub(same_size, masked)


def parse_unit(text: str, first: int, last: int) -> Unit:
    """Read one logical line with the grammar; a line that it cannot read is ``broken``."""
    data = mask(text).encode()
    original = text.encode()
    root = _parser().parse(data).root_node
    if root.has_error or not root.children:
        return Unit(first, last, text, "broken")
    unit = Unit(first, last, text, "command")
    _trailing_comment(root, original, unit)
    reader = _Reader(original, unit)
    body = [n for n in root.children if n.is_named and n.type != "comment"]
    for node in body:
        reader.visit(node)
    unit.kind = _kind(body, unit)
    return unit


def _kind(body: list[Node], unit: Unit) -> str:
    types = {n.type for n in body}
    if types and types <= {"variable_assignment", "variable_assignments", "declaration_command"}:
        return "assignment"
    if types & {"for_statement", "while_statement", "if_statement", "case_statement", "function_definition"}:
        return "compound"
    return "command"


def _trailing_comment(root: Node, original: bytes, unit: Unit) -> None:
    last = root.children[-1]
    if last.type != "comment" or len(root.children) < 2:
        return
    unit.trailing = original[last.start_byte : last.end_byte].decode(errors="replace")
    unit.trailing_row = unit.first + last.start_point[0]
    unit.text = original[: last.start_byte].decode(errors="replace").rstrip()


class _Reader:
    """Collects invocations and variables of one unit, depth first."""

    def __init__(self, source: bytes, unit: Unit) -> None:
        self.source = source
        self.unit = unit

    def text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode(errors="replace")

    def visit(self, node: Node) -> list[Invocation]:
        """Read ``node``; returns the simple commands that it itself runs, in order."""
        handler = getattr(self, f"_{node.type}", None)
        if handler is not None:
            found: list[Invocation] = handler(node)
            return found
        out: list[Invocation] = []
        for child in node.named_children:
            out += self.visit(child)
        return out

    def _command(self, node: Node) -> list[Invocation]:
        words: list[Word] = []
        redirects: list[Redirect] = []
        stdin, heredoc = "", ""
        place = len(self.unit.invocations)  # the outer command comes before what its words substitute
        for child in node.named_children:
            if child.type == "variable_assignment":
                self.visit(child)
            elif child.type in ("herestring_redirect", "file_redirect"):
                redirects.append(self._redirect(child))
                if child.type == "herestring_redirect":
                    stdin, heredoc = "heredoc", self.word(child.named_children[-1]).value
                    self._inside(child)
            else:
                words.append(self.word(child))
                self._inside(child)
        if not words:
            return []
        invocation = Invocation(words, node.start_point[0], stdin=stdin, heredoc=heredoc, redirects=redirects)
        if any(r.operator == "<" for r in redirects):
            invocation.stdin = "file"
        if words[0].value == "read":
            self.unit.assigned += [w.value for w in words[1:] if not w.value.startswith("-")]
        self.unit.invocations.insert(place, invocation)
        return [invocation]

    def _test_command(self, node: Node) -> list[Invocation]:
        self._inside(node)
        invocation = Invocation([Word("[", "[")], node.start_point[0])
        self.unit.invocations.append(invocation)
        return [invocation]

    def _declaration_command(self, node: Node) -> list[Invocation]:
        for child in node.named_children:
            self.visit(child)
        return []

    def _variable_assignment(self, node: Node) -> list[Invocation]:
        name = node.child_by_field_name("name")
        if name is not None:
            self.unit.assigned.append(self.text(name))
        value = node.child_by_field_name("value")
        if value is not None:
            self._inside(value)
        return []

    def _for_statement(self, node: Node) -> list[Invocation]:
        name = node.child_by_field_name("variable")
        if name is not None:
            self.unit.assigned.append(self.text(name))
        return self._children(node)

    def _function_definition(self, node: Node) -> list[Invocation]:
        name = node.child_by_field_name("name")
        if name is not None:
            self.unit.functions.append(self.text(name))
        return self._children(node)

    def _children(self, node: Node) -> list[Invocation]:
        out: list[Invocation] = []
        for child in node.named_children:
            out += self.visit(child)
        return out

    def _pipeline(self, node: Node) -> list[Invocation]:
        parts = [self.visit(child) for child in node.named_children if child.type != "comment"]
        for left, right in pairwise(parts):
            for invocation in right[:1]:
                invocation.stdin = invocation.stdin or "pipe"
                invocation.before = left[-1].words[0].value if left else ""
        flat = [i for part in parts for i in part]
        for index, invocation in enumerate(flat):
            invocation.after = tuple(flat[index + 1 :])
        return flat

    def _redirected_statement(self, node: Node) -> list[Invocation]:
        body = node.child_by_field_name("body")
        inner = self.visit(body) if body is not None else []
        if not inner:
            inner = [Invocation([Word(":", ":")], node.start_point[0])]
            self.unit.invocations.append(inner[0])
        for child in node.named_children:
            if child.type == "file_redirect":
                self._attach(self._redirect(child), inner)
            elif child.type == "heredoc_redirect":
                self._heredoc(child, inner)
            elif child.type == "herestring_redirect":
                inner[0].stdin = "heredoc"
                inner[0].heredoc = self.text(child).lstrip("<").strip()
                self._inside(child)
        return inner

    def _attach(self, redirect: Redirect, inner: list[Invocation]) -> None:
        if redirect.operator == "<":
            inner[0].stdin = "file"
        inner[-1].redirects.append(redirect)

    def _heredoc(self, node: Node, inner: list[Invocation]) -> None:
        inner[0].stdin = "heredoc"
        for child in node.named_children:
            if child.type == "heredoc_body":
                inner[0].heredoc = self.text(child)
                self._inside(child)
            elif child.type == "file_redirect":
                self._attach(self._redirect(child), inner)
            elif child.type not in ("heredoc_start", "heredoc_end"):
                following = self.visit(child)
                for invocation in following[:1]:
                    invocation.stdin, invocation.before = "pipe", inner[-1].words[0].value

    def _redirect(self, node: Node) -> Redirect:
        target = node.child_by_field_name("destination")
        descriptor = node.child_by_field_name("descriptor")
        operator = next((self.text(c) for c in node.children if not c.is_named), "<<<")
        if target is not None:
            self._inside(target)
        return Redirect(
            operator,
            self.word(target).value if target is not None else "",
            self.text(descriptor) if descriptor is not None else "",
        )

    def _inside(self, node: Node) -> None:
        """Variables and command substitutions inside a word."""
        for child in _walk(node):
            if child.type == "simple_expansion":
                self.unit.variables.append(Variable(self.text(child)[1:], child.start_point[0]))
            elif child.type == "expansion":
                self._expansion(child)
            elif child.type in ("command_substitution", "process_substitution"):
                for part in child.named_children:
                    self.visit(part)

    def _expansion(self, node: Node) -> None:
        match = re.match(r"\$\{[#!]?(\w+)(?::?[-=](.*))?", self.text(node), re.DOTALL)
        if match:
            default = match.group(2)
            self.unit.variables.append(
                Variable(match.group(1), node.start_point[0], default.rstrip("}") if default is not None else None)
            )

    def word(self, node: Node) -> Word:
        raw = self.text(node)
        dynamic = any(c.type in ("simple_expansion", "expansion", "command_substitution") for c in _walk(node))
        return Word(raw, self._value(node), dynamic)

    def _value(self, node: Node) -> str:
        raw = self.text(node)
        if node.type == "raw_string":
            return raw[1:-1]
        if node.type == "ansi_c_string":
            return raw[2:-1]
        if node.type in ("string", "translated_string"):
            return re.sub(r"\\([\\\"$`])", r"\1", raw.lstrip("$")[1:-1])
        if node.type == "concatenation":
            return "".join(self._value(c) for c in node.children)
        if node.type == "command_name":
            return self._value(node.children[0]) if node.child_count else raw
        if node.type == "word":
            return raw.replace("\\\n", "").replace("\\", "") if "\\" in raw else raw
        return raw


def _walk(node: Node) -> Iterator[Node]:
    """The node and what is inside it, without going into command substitutions."""
    yield node
    if node.type in ("command_substitution", "process_substitution"):
        return
    for child in node.named_children:
        yield from _walk(child)


def split_units(source: str) -> list[Unit | shell_lines.Chunk]:
    """Units in order; blank and comment lines come as chunks."""
    out: list[Unit | shell_lines.Chunk] = []
    for chunk in shell_lines.chunks(source):
        if chunk.kind in ("blank", "comment"):
            out.append(chunk)
        elif chunk.kind == "unclosed":
            out.append(Unit(chunk.first, chunk.last, chunk.text, "broken"))
        else:
            out.append(parse_unit(chunk.text, chunk.first, chunk.last))
    return out


def invocations_of(source: str) -> list[Invocation] | None:
    """Simple commands of an inner script (``sh -c``, ``watch``, ``ssh``); None if it cannot be read."""
    found: list[Invocation] = []
    for part in split_units(source):
        if isinstance(part, Unit):
            if part.kind == "broken":
                return None
            found += part.invocations
    return found
