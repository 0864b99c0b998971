"""Masking of secrets in a stream of bytes: known values in their encodings, and what looks like one.

A convenience against accidents, not a boundary: a command that encodes a secret in a way of its own shows it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import re2

from runbooks import secret_forms, secret_patterns

MASK = "•••".encode()
# A beginning of a known secret that is longer is given out only when it is known not to become one.
_SURE = 3
_BREAKS = b"\r\n"
# How much of what was shown the patterns see before what follows.
_CONTEXT = 64


class _Known:
    """The forms of the known values: where they stand in bytes, and how much of an end could become one."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        whole = {form for value in secrets.values() for form in secret_forms.written(value)}
        broken = {form for value in secrets.values() for form in secret_forms.encoded(value)}
        clues = {form for value in secrets.values() for form in secret_forms.clues(value)}
        patterns = [(len(form), re2.escape(form)) for form in whole]
        patterns += [(len(form), rb"(?:\r?\n)?".join(map(re2.escape, _single(form)))) for form in broken]
        patterns.sort(reverse=True)
        self._forms = _compiled(b"|".join(pattern for _, pattern in patterns)) if patterns else None
        run = rb"(?:" + b"|".join(map(re2.escape, clues)) + rb")[A-Za-z0-9+/=_\r\n-]*"
        self._runs = _compiled(run) if clues else None
        self._whole, self._broken = _beginnings(whole | clues), _beginnings(broken)
        self.longest = max((*(size for size, _ in patterns), *map(len, clues)), default=0)

    def spans(self, data: bytes, start: int) -> tuple[list[tuple[int, int]], int]:
        """(start, end) of each known value from `start` on, in order; and from where on it may be more."""
        found = [match.span() for match in self._forms.finditer(data, start)] if self._forms is not None else []
        if self._runs is None:
            return found, len(data)
        runs = [match.span() for match in self._runs.finditer(data, start)]
        return sorted(found + runs), runs[-1][0] if runs and runs[-1][1] == len(data) else len(data)

    def beginnings(self, data: bytes) -> list[tuple[int, int]]:
        """(start, bytes that fit) of each end of `data` with which a value begins, the longest first."""
        end = data[-2 * self.longest :] if self.longest else b""
        places = [at for at, byte in enumerate(end) if byte not in _BREAKS]
        flat, offset = end.translate(None, _BREAKS), len(data) - len(end)
        fit: dict[int, int] = {}
        for size in range(min(self.longest, len(end)), 0, -1):
            if end[-size:] in self._whole:
                fit[len(data) - size] = size
        for size in range(min(self.longest, len(flat)), 0, -1):
            if flat[-size:] in self._broken:
                fit.setdefault(offset + places[-size], size)
        return sorted(fit.items())


class Masker:
    """Replaces secrets, also where one arrives in pieces.

    `feed` holds back an end that could be the beginning of a secret; `pause` gives it out when nothing has
    followed for a moment, `flush` when nothing will. One masker per stream: a secret comes down one pipe.
    """

    def __init__(self, secrets: Mapping[str, str] | _Known) -> None:
        self._known = secrets if isinstance(secrets, _Known) else _Known(secrets)
        # The end of what came. Up to `_shown` it was given out and is kept for what may follow it; known values
        # are looked for from `_fresh` on, so that no byte counts for two of them.
        self._kept = b""
        self._shown = self._fresh = 0
        self._is_sure = False

    def twin(self) -> "Masker":
        """A masker of the same secrets for another stream."""
        return Masker(self._known)

    def feed(self, data: bytes) -> bytes:
        """What may be shown now."""
        buffer = self._kept + data
        spans, hold = self._find(buffer)
        shown = _masked(buffer, spans, self._shown, hold)
        begin = max(0, hold - _CONTEXT)
        self._kept, self._shown = buffer[begin:], max(hold, self._shown) - begin
        self._fresh = max(hold, self._fresh) - begin
        return shown

    def pause(self) -> bytes:
        """What was held back for no strong reason, when nothing came for a moment."""
        return b"" if self._is_sure else self._release(final=False)

    def flush(self) -> bytes:
        """The rest, when nothing follows."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> bytes:
        if self._shown == len(self._kept):
            return b""
        shown = _masked(self._kept, self._find(self._kept, final=final)[0], self._shown, len(self._kept))
        self._shown = len(self._kept)
        return shown

    def _find(self, buffer: bytes, *, final: bool = False) -> tuple[list[tuple[int, int]], int]:
        """What to mask, and from where on to wait for more."""
        known, hold = self._known.spans(buffer, self._fresh)
        guessed, grows_from = secret_patterns.spans(buffer, final=final)
        hold = min(hold, grows_from)
        if len(buffer) - hold > secret_patterns.LONGEST:
            hold = len(buffer)
        self._is_sure = False
        for start, size in self._known.beginnings(buffer):
            if start >= self._fresh and not any(begin < start < end for begin, end in known[-4:]):
                hold, self._is_sure = min(hold, start), size > _SURE
                break
        spans = sorted(known + guessed)
        # Never cut inside of what is masked: its rest would be shown.
        for begin, end in reversed(spans):
            if begin < hold < end:
                hold = end if (begin, end) in known else begin
        return spans, hold


def _masked(data: bytes, spans: list[tuple[int, int]], start: int, end: int) -> bytes:
    """`data` from `start` to `end`; a mask for each span, and one for those that overlap."""
    out, at = [], start
    for begin, stop in _merged(spans):
        if stop > at and begin < end:
            out += [data[at:begin], MASK]
            at = stop
    return b"".join([*out, data[at:end]])


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    last: tuple[int, int] | None = None
    for begin, stop in spans:
        if last is not None and begin < last[1]:
            last = (last[0], max(last[1], stop))
            continue
        if last is not None:
            yield last
        last = (begin, stop)
    if last is not None:
        yield last


def _compiled(pattern: bytes) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.max_mem = 48 << 20
    return re2.compile(pattern, options)


def _single(form: bytes) -> list[bytes]:
    return [form[at : at + 1] for at in range(len(form))]


def _beginnings(forms: set[bytes]) -> frozenset[bytes]:
    return frozenset(form[:size] for form in forms for size in range(1, len(form)))
