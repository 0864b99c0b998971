"""Sizes, ages and spans as docker and kubectl write them, and reading the spans and instants of their options."""

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?$")


def span(text: str) -> float:
    """Seconds of a span such as `1h30m`; ValueError for anything else."""
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    if body == "0":
        return 0
    if not body or _SPAN.sub("", body):
        raise ValueError(f'invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(body))


def instant(text: str) -> datetime:
    """An RFC 3339 instant, as engines and clusters write it; a missing part is zero, a missing zone UTC."""
    found = _INSTANT.match(text)
    if not found:
        raise ValueError(f"{text!r} is not a time")
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    parsed = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}").astimezone(UTC)
    return parsed + timedelta(seconds=float(fraction or 0))


def decimal_size(count: float, digits: int = 4) -> str:
    """`1.98MB`, in steps of a thousand."""
    return _scaled(count, 1000, ("B", "kB", "MB", "GB", "TB", "PB"), digits)


def binary_size(count: float) -> str:
    """`588KiB`, in steps of 1024."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"), 4)


def _scaled(count: float, step: int, units: tuple[str, ...], digits: int) -> str:
    at = 0
    while count >= step and at < len(units) - 1:
        count, at = count / step, at + 1
    return f"{count:.{digits}g}{units[at]}"


def docker_age(seconds: float) -> str:
    """`2 minutes`, `About an hour`, as docker says how long ago something was."""
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if int(seconds) == 1 else f"{int(seconds)} seconds"
    minutes = int(seconds / 60)
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    for most, unit, name in ((14, 1, "days"), (60, 7, "weeks"), (730, 30, "months")):
        if days < most:
            return f"{days // unit} {name}"
    return f"{days // 365} years"


def kubernetes_age(seconds: float) -> str:
    """`5m12s`, `3d4h`, as kubectl says how old something is."""
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return "<invalid>" if whole < -1 else f"{max(whole, 0)}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 48:
        return _two(hours, "h", minutes % 60, "m") if hours < 8 else f"{hours}h"
    if days < 730:
        return _two(days, "d", hours % 24, "h") if hours < 192 else f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
