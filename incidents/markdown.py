"""Markdown that people write (notes, reviews) as HTML that is safe to show.

Two fences: the parser turns raw HTML into text, and what it renders passes an allow-list.
"""

import re

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def render(text: str) -> SafeString:
    """`text` as HTML. No images, scripts, styles or foreign schemes; links open without a referrer.

    Headings come one level lower than written: the page that shows them has a title of its own.
    """
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    html = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(html)  # noqa: S308  (cleaned one line above)


def escape(text: str) -> str:
    """`text` as one line of Markdown that shows it literally, also inside a table cell."""
    line = " ".join(text.split())
    return "".join(f"\\{char}" if char in r"\`*_{}[]<>#|~!" else char for char in line)


def fenced(text: str, *, indent: str = "") -> str:
    """`text` as a block of code in Markdown, whatever stands in it; `indent` puts it into a list."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"{indent}{line}" for line in (fence, *text.split("\n"), fence))
