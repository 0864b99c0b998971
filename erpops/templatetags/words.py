"""Template words that every page may use."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def duration(value: Any) -> str:
    """Seconds or a timedelta as people say it: `45 s`, `5 min`, `1 h 30 min`, `2 d`."""
    if value is None or value == "":
        return ""
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else float(value))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"


@register.filter
def code_marks(value: str) -> SafeString:
    """Text with what stands in backticks as <code>; everything is escaped."""
    parts = str(value).split("`")
    if len(parts) % 2 == 0:
        return format_html("{}", value)
    pairs = ((part, "code" if number % 2 else "") for number, part in enumerate(parts))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", part) if tag else part,) for part, tag in pairs))


@register.filter
def iso(value: datetime | None) -> str:
    """A machine-readable time for <time datetime=…>."""
    return value.isoformat() if value else ""


# What stands before the time that is left, and in its place once none is.
_COUNTDOWNS = {"left": ("countdown", "", "00:00"), "possible": ("countdown", "in ", "now")}


@register.simple_tag
def moment(value: datetime | None, style: str = "clock") -> SafeString | str:
    """A <time> that the browser shows in local time; `style` is clock, date, ago, elapsed or countdown.

    Two kinds of countdown have a word for their end: `left` stays at nothing left, `possible` is "in 0:40", then "now".
    """
    if value is None:
        return "–"
    kind, ahead, past = _COUNTDOWNS.get(style, (style, "", ""))
    of_day = kind in {"clock", "elapsed", "countdown"}
    return format_html(
        '<time datetime="{0}" data-{1}="{0}"{2} title="{3} UTC">{4}</time>',
        value.isoformat(),
        kind,
        format_html(' data-ahead="{}" data-past="{}"', ahead, past) if past else "",
        value.strftime("%Y-%m-%d %H:%M:%S"),
        value.strftime("%H:%M:%S" if of_day else "%Y-%m-%d %H:%M"),
    )
