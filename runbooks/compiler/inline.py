"""Reading inline Markdown without a full inline parse: plain text, code spans, links, bold leads."""

import re
from typing import NamedTuple

_LINK = re.compile(r"!?\[([^\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"]*\")?\)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_MARKS = re.compile(r"\*\*|__|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|~~")
_ANCHOR = re.compile(r"\s*\{#[\w-]+\}\s*$")
_PICTOGRAMS = re.compile(r"^(?:[^\w\s<>\[\]({\"'`$#/.&@+~%*=|:;,!?^\\-]\ufe0f?\s*)+")
_BOLD_LEAD = re.compile(r"^(?:\*\*|__)(.+?)(?:\*\*|__)\s*(.*)$", re.DOTALL)


def plain(text: str) -> str:
    """The text without emphasis, code ticks, link targets, heading anchors and leading pictograms."""
    text = _LINK.sub(lambda m: m.group(1), _ANCHOR.sub("", text))
    text = _CODE.sub(lambda m: m.group(2).strip(), text)
    text = _MARKS.sub("", text)
    return _PICTOGRAMS.sub("", " ".join(text.split())).strip()


def links(text: str) -> list[str]:
    """Targets of inline links and bare URLs, in order, without code spans."""
    bare = _CODE.sub(" ", text)
    found = [m.group(2) for m in _LINK.finditer(bare) if m.group(2)]
    rest = _LINK.sub(" ", bare)
    found += [u.rstrip(".,;:)>*`\"'") for u in re.findall(r"https?://[^\s<>|\]]+", rest)]
    return list(dict.fromkeys(found))


class Span(NamedTuple):
    """A code span: its content on one line, its row from 0, and where it begins and ends with its ticks."""

    text: str
    row: int
    start: int
    end: int


def spans(text: str) -> list[Span]:
    """The code spans of a text, in order."""
    found: list[Span] = []
    row = counted = 0
    for match in _CODE.finditer(text):
        row += text.count("\n", counted, match.start())
        counted = match.start()
        found.append(Span(" ".join(match.group(2).split()), row, match.start(), match.end()))
    return found


def bold_lead(text: str) -> tuple[str, str] | None:
    """``**Lead**: rest`` → ("Lead", "rest"); the colon may stand inside or outside of the bold."""
    match = _BOLD_LEAD.match(text.strip())
    if not match:
        return None
    lead, rest = match.group(1).strip(), match.group(2).strip()
    if not lead.endswith(":") and rest.startswith(":"):
        rest = rest[1:].strip()
    elif not lead.endswith(":") and rest and not rest.startswith("("):
        return (lead, rest) if rest.startswith(("-", "–", "—")) else None
    return lead.rstrip(":").strip(), rest


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = plain_keep_pictograms(title).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def plain_keep_pictograms(text: str) -> str:
    """Like ``plain`` but nothing is dropped at the start (anchors count those characters)."""
    text = _LINK.sub(lambda m: m.group(1), text)
    return _MARKS.sub("", _CODE.sub(lambda m: m.group(2), text)).strip()
