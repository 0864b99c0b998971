"""What every parser makes of a payload, and the bounds that a payload must keep."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_ALERTS = 1000
MAX_LABELS = 100
MAX_KEY = 200
MAX_VALUE = 16_384
MAX_DEPTH = 16


class Malformed(ValueError):
    """The payload cannot be taken; the message tells the sender why."""


@dataclass(frozen=True)
class ParsedAlert:
    """One alert of a payload. `group_key` ties alerts into one incident; times are
    aware, and without `starts_at` it began when it arrived.

    `environment` and `service` are names that may or may not be known here.
    """

    fingerprint: str
    name: str
    status: str
    severity: str
    labels: dict[str, str]
    group_key: str
    annotations: dict[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""
    environment: str = ""
    service: str = ""


def load(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, or `Malformed` with a sentence."""
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Malformed("The body is not UTF-8 text.") from error
    except RecursionError as error:
        raise Malformed("The JSON is nested too deeply.") from error
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise Malformed("The body must be a JSON object.")
    _bounded(data, 0)
    return data


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON value")


def _bounded(value: Any, depth: int) -> None:
    """Refuse depth, and text that the database cannot hold."""
    if depth > MAX_DEPTH:
        raise Malformed("The JSON is nested too deeply.")
    if isinstance(value, dict):
        for key, item in value.items():
            _bounded(key, depth + 1)
            _bounded(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _bounded(item, depth + 1)
    elif isinstance(value, str):
        if "\x00" in value:
            raise Malformed("The payload holds a NUL character, which is not text.")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Malformed("The payload holds half of a surrogate pair, which is not text.") from error


def text(data: dict[str, Any], key: str, *, default: str = "", most: int = MAX_VALUE) -> str:
    """The text under `key`; absent and null are `default`, anything else is malformed."""
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Malformed(f"“{key}” must be text.")
    return value[:most]


def pairs(data: dict[str, Any], key: str) -> dict[str, str]:
    """The names and texts under `key`: at most a hundred; absent and null are none."""
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"“{key}” must be an object of names and texts.")
    if len(value) > MAX_LABELS:
        raise Malformed(f"“{key}” has {len(value)} entries; at most {MAX_LABELS} are taken.")
    found = {}
    for name, item in value.items():
        if not isinstance(item, str | int | float | bool):
            raise Malformed(f"“{key}.{name[:60]}” must be text.")
        if len(name) > MAX_KEY:
            raise Malformed(f"A name in “{key}” is longer than {MAX_KEY} characters.")
        found[name] = (item if isinstance(item, str) else json.dumps(item))[:MAX_VALUE]
    return found


def time(data: dict[str, Any], key: str) -> datetime | None:
    """The RFC 3339 time under `key`; absent, null and year 1 (Go's zero time) are None."""
    value = text(data, key)
    if not value:
        return None
    try:
        found = datetime.fromisoformat(_microseconds(value))
    except ValueError as error:
        raise Malformed(f"“{key}” is not a time as in 2026-01-31T14:05:00Z.") from error
    if found.year <= 1:
        return None
    if not 1970 <= found.year <= 9998:
        raise Malformed(f"“{key}” is outside of the years that can be stored.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _microseconds(value: str) -> str:
    """Go writes nanoseconds; Python reads six digits."""
    head, dot, tail = value.partition(".")
    if not dot:
        return value
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[:digits][:6]}{tail[digits:]}"


def digest(*parts: object) -> str:
    """A short stable name for what identifies something."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:40]
