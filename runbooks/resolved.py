"""A command's text as a person reads it: placeholders filled, each value marked, nothing executed from here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


@dataclass(frozen=True)
class Piece:
    """A run of the text; `name` is the parameter that it shows, `missing` if nobody has given it a value."""

    text: str
    name: str = ""
    missing: bool = False


def pieces(text: str, parameters: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> list[Piece]:
    """Cut `text` at its parameters and put their values in; the pieces joined are the text as it will run.

    What the shell itself reads (`$NAME` that nobody is asked for) stays as it is written.
    """
    forms = [(item["name"], _forms(item["name"], item["notation"])) for item in parameters]
    if not forms:
        return [Piece(text)]
    pattern = re.compile("|".join(f"(?P<p{index}>{form})" for index, (_, form) in enumerate(forms)))
    found: list[Piece] = []
    at = 0
    for match in pattern.finditer(text):
        name = forms[int(str(match.lastgroup)[1:])][0]
        if match.start() > at:
            found.append(Piece(text[at : match.start()]))
        value = values.get(name, "")
        found.append(Piece(value or match.group(), name, not value))
        at = match.end()
    if at < len(text):
        found.append(Piece(text[at:]))
    return found


def marked(found: Iterable[Piece], *, reading: bool = False) -> SafeString:
    """The pieces as HTML: every value in a <mark> with its name; for `reading`, none of them is missing."""
    return format_html_join("", "{}", ((_mark(piece, reading) if piece.name else piece.text,) for piece in found))


def _mark(piece: Piece, reading: bool) -> SafeString:
    if piece.missing and not reading:
        return format_html('<mark data-missing title="{}">{}</mark>', piece.name, piece.text)
    return format_html('<mark title="{}">{}</mark>', piece.name, piece.text)


def _forms(name: str, notation: str) -> str:
    word = re.escape(name)
    return {
        "angle": rf"<{word}>",
        "env": rf"\$\{{{word}(?:[:=?+-][^}}]*)?\}}|\${word}(?![A-Za-z0-9_])",
        "bracket": rf"\[{word}\]",
        "template": rf"\{{\{{?\s*{word}\s*\}}?\}}",
    }.get(notation, rf"(?<![\w-]){word}(?![\w-])")
