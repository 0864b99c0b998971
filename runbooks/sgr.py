"""SGR, the part of terminal control codes that is rendered: colours, bold, underline.

A style is a string of codes such as `1;31`, so that it can be stored beside a chunk of output.
Everything else that a terminal would obey is made visible instead.
"""

import html
import re

CODE = re.compile(r"\x1b\[([0-9;:]{0,60})m")
_CODE_BYTES = re.compile(rb"\x1b\[([0-9;:]{0,60})m")
_ATTRIBUTES = {1, 2, 3, 4, 7, 9}
_OFF = {21: {1}, 22: {1, 2}, 23: {3}, 24: {4}, 27: {7}, 29: {9}}
_FOREGROUND = {*range(30, 38), *range(90, 98)}
_BACKGROUND = {*range(40, 48), *range(100, 108)}
# C0 without tab; DEL; C1; and what reorders or hides text: bidi controls, zero-width, line separators.
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def fold(style: str, codes: str) -> str:
    """The style after one SGR sequence with these parameters."""
    now = {int(part) for part in style.split(";") if part}
    numbers = [int(part) if part.isdigit() else 0 for part in re.split("[;:]", codes)]
    while numbers:
        code = numbers.pop(0)
        if code in {38, 48}:
            now = _extended(now, code, numbers)
        elif code == 0:
            now = set()
        elif code in _ATTRIBUTES:
            now.add(code)
        elif code in _OFF:
            now -= _OFF[code]
        elif code in _FOREGROUND or code == 39:
            now = (now - _FOREGROUND) | ({code} - {39})
        elif code in _BACKGROUND or code == 49:
            now = (now - _BACKGROUND) | ({code} - {49})
    return ";".join(map(str, sorted(now)))


def after(style: str, data: bytes) -> str:
    """The style with which `data`, begun in `style`, ends."""
    for match in _CODE_BYTES.finditer(data):
        style = fold(style, match.group(1).decode("ascii"))
    return style


def to_html(text: str, style: str) -> tuple[str, str]:
    """One line as escaped HTML with classes `sgr-N`, and the style at its end."""
    pieces, at = [], 0
    for match in CODE.finditer(text):
        pieces.append(_piece(text[at : match.start()], style))
        style, at = fold(style, match.group(1)), match.end()
    pieces.append(_piece(text[at:], style))
    return "".join(pieces), style


def visible(text: str) -> str:
    """The text with every other control code as its picture (␛), and reordering marks by their number."""
    return _UNSEEN.sub(_picture, text)


def plain(text: str) -> str:
    """The text without SGR sequences, control codes visible."""
    return visible(CODE.sub("", text))


def _piece(text: str, style: str) -> str:
    if not text:
        return ""
    shown = html.escape(visible(text)).replace("•••", '<span class="masked">•••</span>')
    if not style:
        return shown
    return f'<span class="{" ".join(f"sgr-{code}" for code in style.split(";"))}">{shown}</span>'


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"‹{code:04X}›"


def _extended(now: set[int], code: int, numbers: list[int]) -> set[int]:
    """38;5;N and 38;2;R;G;B (48 alike): the nearest of the sixteen colours that we have."""
    kind = numbers.pop(0) if numbers else 0
    if kind == 5 and numbers:
        index = numbers.pop(0)
        if index < 16:
            base = index if index < 8 else index - 8 + 60
            return _with_colour(now, code, base)
        rgb = _cube(index)
    elif kind == 2 and len(numbers) >= 3:
        rgb = (numbers.pop(0), numbers.pop(0), numbers.pop(0))
    else:
        return now
    return _with_colour(now, code, _nearest(rgb))


def _with_colour(now: set[int], code: int, base: int) -> set[int]:
    group, start = (_FOREGROUND, 30) if code == 38 else (_BACKGROUND, 40)
    return (now - group) | {start + base}


def _cube(index: int) -> tuple[int, int, int]:
    if index >= 232:
        grey = 8 + 10 * (min(index, 255) - 232)
        return grey, grey, grey
    steps = (0, 95, 135, 175, 215, 255)
    index -= 16
    return steps[index // 36 % 6], steps[index // 6 % 6], steps[index % 6]


def _nearest(rgb: tuple[int, int, int]) -> int:
    """0–7 dark, 60–67 bright: which of red, green and blue are there at all, and how bright."""
    top = max(rgb)
    if top < 48:
        return 0
    bits = sum(1 << place for place, value in enumerate(rgb) if value > top * 0.55)
    return bits + (60 if top > 200 else 0)
