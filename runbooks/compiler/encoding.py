"""Bytes or text in, clean text out; what was damaged is repaired only when the repair is certain."""

import re
from dataclasses import dataclass

_DAMAGED = re.compile(r"[^\x00-\x7f]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """``text`` has LF line ends and no byte order mark; ``notes`` are (rule, message) pairs."""

    text: str
    repair: str | None
    notes: tuple[tuple[str, str], ...] = ()


def decode(source: str | bytes) -> Decoded:
    """Decode, undo Mac Roman damage and normalise line ends. Never raises."""
    notes: list[tuple[str, str]] = []
    if isinstance(source, bytes):
        text, note = _from_bytes(source)
        if note:
            notes.append(note)
    else:
        text = source
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
        notes.append(("encoding.nul", "The file holds NUL characters; they are shown as a replacement mark."))
    repaired = undo_mac_roman(text)
    if repaired != text:
        message = "UTF-8 text was once saved as Mac Roman; it is read the way that it was meant."
        return Decoded(repaired, "mac_roman", (*notes, ("encoding.mac_roman", message)))
    return Decoded(text, None, tuple(notes))


def undo_mac_roman(text: str) -> str:
    """Turn runs like ``‚îî‚îÄ`` back into the characters whose UTF-8 bytes they spell.

    A run is touched only if all of it encodes to Mac Roman and those bytes are valid UTF-8, which
    accents, dashes and other scripts practically never are.
    """
    return _DAMAGED.sub(_undo_run, text)


def _undo_run(match: re.Match[str]) -> str:
    run = match.group()
    if len(run) < 2:
        return run
    try:
        return run.encode("mac_roman").decode("utf-8")
    except UnicodeError:
        return run


_NOT_UTF8 = "The file is not UTF-8; it is read as"


def _from_bytes(source: bytes) -> tuple[str, tuple[str, str] | None]:
    if source.startswith((b"\xff\xfe", b"\xfe\xff")):
        return source.decode("utf-16", errors="replace"), ("encoding.utf16", "The file is UTF-16; save it as UTF-8.")
    try:
        return source.decode("utf-8"), None
    except UnicodeDecodeError:
        if _looks_like_mac_roman(source):
            return source.decode("mac_roman"), ("encoding.not_utf8", f"{_NOT_UTF8} Mac Roman. Save it as UTF-8.")
        text = source.decode("cp1252", errors="replace")
        return text, ("encoding.not_utf8", f"{_NOT_UTF8} Windows-1252. Save it as UTF-8.")


def _looks_like_mac_roman(source: bytes) -> bool:
    """Mac Roman has its accented letters where Windows-1252 has few: more of them inside words decide."""
    inside = re.findall(rb"(?<=[A-Za-z])[\x80-\xff](?=[A-Za-z])", source)
    mac = sum(0x80 <= byte[0] <= 0x9F for byte in inside)
    return mac > len(inside) - mac
