"""How a known secret may be written: as it is, escaped by some tool, or encoded beside other text."""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

# A shorter value would mask half of every line; a shorter encoded one, half of what is encoded.
SHORTEST, SHORTEST_ENCODED = 4, 8
# A line of a secret of many lines (a key) is a secret of its own from this length on.
SHORTEST_LINE = 16
# A longer value is known by its pieces: by all of them as it is, by some of them where it is encoded.
LONG, PIECE, EVERY = 96, 64, 192
_CLUE = 24
# Of three bytes in four characters: how many characters a prefix of 0, 1 or 2 bytes has a part in.
_SHIFTS = ((0, 0), (1, 2), (2, 3))


def written(value: str) -> set[bytes]:
    """The forms that stand in one piece."""
    text = [form for part in _parts(value) for form in _escaped(part)]
    return {form.encode("utf-8", "surrogateescape") for form in text if len(form) >= SHORTEST}


def encoded(value: str) -> set[bytes]:
    """The forms that a tool may break into lines: base64 in its three positions and two alphabets, hexadecimal."""
    short = [part for part in {value, value.strip()} if SHORTEST <= len(part) <= LONG]
    return {form for part in short for form in _encodings(part) if len(form) >= SHORTEST_ENCODED}


def clues(value: str) -> set[bytes]:
    """Pieces of the encodings of a long value: where one of them stands, the whole run of such letters is secret."""
    if len(value) <= LONG:
        return set()
    return {
        form[at + shift : at + shift + _CLUE]
        for form in _encodings(value)
        for at in range(0, len(form) - 2 * _CLUE, EVERY)
        # Two neighbours: a line break is in one of them at most.
        for shift in (0, _CLUE)
    }


def _encodings(value: str) -> Iterable[bytes]:
    raw = value.encode("utf-8", "surrogateescape")
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    for form in _base64(raw):
        yield from (form, form.replace(b"+", b"-").replace(b"/", b"_"))


def _parts(value: str) -> set[str]:
    stripped = value.strip()
    lines = {line.strip() for line in stripped.splitlines()} if "\n" in stripped else {stripped}
    lines = {line for line in lines if not line.startswith("-----")}
    if len(value) <= LONG:
        return {value, stripped} | {line for line in lines if len(line) >= SHORTEST_LINE}
    return {piece for line in lines if len(line) >= SHORTEST_LINE for piece in _even_pieces(line)}


def _even_pieces(line: str) -> list[str]:
    """At most `PIECE` long, none of them much shorter than the others: a short rest would be too common a word."""
    size = -(-len(line) // -(-len(line) // PIECE))
    return [line[at : at + size] for at in range(0, len(line), size)]


def _escaped(value: str) -> Iterable[str]:
    yield from (value, value.replace("\n", "\r\n"))
    safe = value.encode("utf-8", "surrogateescape")
    for form in (quote(safe, safe=""), quote(safe), quote(safe, safe="!'()*"), quote_plus(safe)):
        yield from (form, re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), form))
    yield from _in_json(value)
    yield from _in_shell(value)
    yield from (html.escape(value), html.escape(value, quote=False), repr(value)[1:-1], value.replace("'", "''"))


def _in_json(value: str) -> Iterable[str]:
    for form in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield from (form, form.replace("/", "\\/"))
        yield re.sub(r"[<>&]", lambda match: f"\\u{ord(match.group()):04x}", form)


def _in_shell(value: str) -> Iterable[str]:
    yield shlex.quote(value)
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", value)
    yield re.sub(r'(["$`\\])', r"\\\1", value)
    yield value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")


def _base64(raw: bytes) -> Iterable[bytes]:
    yield base64.b64encode(raw)
    for prefix, touched in _SHIFTS:
        whole = (prefix + len(raw)) * 8 // 6
        yield base64.b64encode(bytes(prefix) + raw)[touched:whole]
