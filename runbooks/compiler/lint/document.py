"""All rules of one document, in the form of the contract."""

from collections.abc import Iterator, Sequence

from runbooks.compiler.context import Context
from runbooks.compiler.contract import Document, Finding
from runbooks.compiler.lint import commands, containers, numbers, people, promises, secrets, structure, undone
from runbooks.compiler.lint.found import Found, finding
from runbooks.compiler.sections import Section

_ANY_SQL_ERROR = "The database will refuse this SQL"


def of_document(document: Document, context: Context, root: Section, lines: Sequence[str]) -> list[Finding]:
    """What is wrong with a document by itself, each place once."""
    found = {
        (line, rule, message): (line, rule, level, message, use)
        for line, rule, level, message, use in _all(document, context, root, lines)
    }
    named = {(line, rule) for line, rule, message in found if not message.startswith(_ANY_SQL_ERROR)}
    return [
        finding(each)
        for (line, rule, message), each in found.items()
        if not (message.startswith(_ANY_SQL_ERROR) and (line, rule) in named)
    ]


def _all(document: Document, context: Context, root: Section, lines: Sequence[str]) -> Iterator[Found]:
    yield from commands.of_commands(document, context)
    yield from promises.of_document(document)
    yield from undone.of_document(document)
    yield from numbers.of_document(document, lines)
    yield from structure.of_document(document, root, lines)
    yield from people.of_document(document, root, lines)
    yield from secrets.of_lines(lines)
    yield from containers.of_document(document, lines)
