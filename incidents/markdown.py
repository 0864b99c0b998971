"""Markdown that people write (notes, reviews) as HTML that is safe to show.

Two fences: the parser turns raw HTML into text, and what it renders passes an allow-list.
"""

import re
from collections.abc import Iterable, Iterator

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "img", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


# CSI and OSC sequences, other escapes, and control characters but tab and line feed.
_CONTROLS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]?|[\x00-\x08\x0b-\x1f\x7f]"
)
_PICTURE = re.compile(r"picture:([A-Za-z0-9_-]{22})")
_OWN = re.compile(r"/picture/[A-Za-z0-9_-]{22}")


def render(text: str) -> SafeString:
    """`text` as HTML. No scripts, styles or foreign schemes; links open without a referrer.

    Of images only the console's own are shown (`![…](picture:KEY)`), each a link to itself in full size.

    Headings come one level lower than written: the page that shows them has a title of its own.
    """
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        if token.children:
            token.children = list(_with_own_pictures(token.children))
    html = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}, "img": {"src", "alt", "loading"}},
        attribute_filter=_only_own,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(html)  # noqa: S308  (cleaned one line above)


def _with_own_pictures(tokens: Iterable[Token]) -> Iterator[Token]:
    """Own pictures with their addresses, inside a link; of other images only what they are said to show."""
    for token in tokens:
        if token.type != "image":
            yield token
        elif found := _PICTURE.fullmatch(str(token.attrs.get("src", ""))):
            address = f"/picture/{found[1]}"
            token.attrs |= {"src": address, "loading": "lazy"}
            yield Token("link_open", "a", 1, attrs={"href": address})
            yield token
            yield Token("link_close", "a", -1)
        else:
            yield Token("text", "", 0, content=token.content)


def _only_own(tag: str, name: str, value: str) -> str | None:
    """Whatever wrote it: an image of ours, or none."""
    return value if (tag, name) != ("img", "src") or _OWN.fullmatch(value) else None


def escape(text: str) -> str:
    """`text` as one line of Markdown that shows it literally, also inside a table cell."""
    line = " ".join(text.split())
    return "".join(f"\\{char}" if char in r"\`*_{}[]<>#|~!" else char for char in line)


def without_controls(text: str) -> str:
    """`text` as a terminal shows it, without the sequences that colour it or move its cursor."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n"))


def fenced(text: str, *, indent: str = "") -> str:
    """`text` as a block of code in Markdown, whatever stands in it; `indent` puts it into a list."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"{indent}{line}" for line in (fence, *text.split("\n"), fence))
