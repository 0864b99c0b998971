"""Output as people see it: lines of escaped HTML, live and saved alike, and the bytes for download.

A line is `<div class="ol" id="L12" data-n="12" data-t="14:03:22" data-stream="out">…</div>`. A line
that was not finished is sent again, whole, when more of it is known.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.safestring import SafeString, mark_safe

from erpops.sse import Frame, frame
from runbooks import sgr
from runbooks.access import visible_runs
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun, OutputChunk

# Chunks per look, and what they may come to as frames: short lines are ten times as long in HTML.
FRAMES, FRAMES_BYTES = 16, 262_144
# Lines of output that a page begins with.
LINES = 500
# What a page holds at most, but for one line that is longer: letters of HTML.
PAGE_LETTERS = 500_000
_CLASSES = {"out": "ol", "err": "ol e", "note": "ol m"}


@dataclass(frozen=True)
class Line:
    """One line of output: `html` is its content, escaped and coloured; `text` the same without colours."""

    number: int
    stream: str
    at: datetime
    html: str
    text: str


@dataclass(frozen=True)
class Page:
    """Some lines as HTML, and where the rest is: `first` and `last` are line numbers, 0 if there are none."""

    html: SafeString
    first: int
    last: int
    seq: int
    total_lines: int


class RunFeed:
    """The topic `run:<id>`: an `output` frame per chunk, then `end`."""

    def allowed(self, user: Any, key: str) -> bool:
        return key.isdigit() and visible_runs(user).filter(pk=int(key)).exists()

    def newest(self, key: str) -> int:
        status, last = _status_and_last(key)
        return last + (status in TERMINAL_RUNS)

    def after(self, key: str, cursor: int) -> list[Frame]:
        topic, size = f"run:{key}", 0
        # Before the chunks: an attempt that has ended by now has all of them.
        status, last = _status_and_last(key)
        chunks = list(OutputChunk.objects.filter(run_id=int(key), seq__gt=cursor).order_by("seq")[:FRAMES])
        frames: list[Frame] = []
        for seq, lines in _by_chunk(_with_beginning(chunks)):
            if seq <= cursor:
                continue
            frames.append(frame("output", seq, topic=topic, seq=seq, html="".join(map(line_html, lines))))
            size += len(frames[-1].wire)
            if size > FRAMES_BYTES:
                break
        told = frames[-1].seq if frames else cursor
        if told == last and status in TERMINAL_RUNS:
            # One above the last chunk, so that who has seen the end is told nothing more.
            frames.append(frame("end", last + 1, topic=topic, seq=last + 1, last=last, status=status))
        return frames


def _status_and_last(key: str) -> tuple[str, int]:
    """The attempt's status and the number of its last chunk."""
    run = CommandRun.objects.filter(pk=int(key)).values_list("status", "output_seq").first()
    return run or ("", 0)


def store(*, chunks: Sequence[OutputChunk]) -> None:
    """Keep chunks, once each: what an earlier try has stored already stays as it is."""
    OutputChunk.objects.bulk_create(chunks, ignore_conflicts=True)


def page(*, run: CommandRun, before: int | None = None, after_line: int | None = None, limit: int = LINES) -> Page:
    """At most `limit` lines: the last ones, the last before line `before`, or the first after `after_line`."""
    chunks = OutputChunk.objects.filter(run=run)
    last_chunk = chunks.order_by("-seq").first()
    if last_chunk is None:
        return Page(SafeString(""), 0, 0, 0, 0)
    total = _last_line(last_chunk)
    if after_line is not None:
        low, high = after_line + 1, min(total, after_line + limit)
    else:
        high = min(total, before - 1) if before else total
        low = max(1, high - limit + 1)
    found = _within(lines(run=run, first=low, last=high), from_start=bool(after_line))
    html = mark_safe("".join(map(line_html, found)))  # noqa: S308  (line_html escapes)
    first = found[0].number if found else 0
    return Page(html, first, found[-1].number if found else 0, last_chunk.seq, total)


def _within(found: list[Line], *, from_start: bool) -> list[Line]:
    """The first or the last of them, as many as a page holds."""
    ordered, size = found if from_start else found[::-1], 0
    for count, line in enumerate(ordered):
        size += len(line.html)
        if size > PAGE_LETTERS and count:
            return ordered[:count] if from_start else ordered[:count][::-1]
    return found


def lines(*, run: CommandRun, first: int = 1, last: int | None = None) -> list[Line]:
    """The lines with the numbers `first` to `last`, both included."""
    chunks = OutputChunk.objects.filter(run=run)
    begin = chunks.filter(line__lte=first, cont=False).order_by("-seq").values_list("seq", flat=True).first()
    wanted = chunks.filter(seq__gte=begin or 0).order_by("seq")
    if last is not None:
        wanted = wanted.filter(line__lte=last)
    found: dict[int, Line] = {}
    for _, some in _by_chunk(wanted.iterator(chunk_size=200)):
        found.update((line.number, line) for line in some)
    return [line for number, line in sorted(found.items()) if number >= first and (last is None or number <= last)]


def text(*, run: CommandRun) -> Iterator[bytes]:
    """The stored bytes in order, for download."""
    for data in OutputChunk.objects.filter(run=run).order_by("seq").values_list("data", flat=True).iterator(200):
        yield bytes(data)


_DIGEST = """
SELECT encode(sha256(coalesce(string_agg(data, ''::bytea ORDER BY seq), ''::bytea)), 'hex')
FROM runbooks_outputchunk WHERE run_id = %s
"""


def digest(*, run: CommandRun) -> str:
    """SHA-256 of the stored bytes, the same as that of the downloaded file."""
    with connection.cursor() as cursor:
        cursor.execute(_DIGEST, [run.pk])
        return str(cursor.fetchone()[0])


def beginning(*, run: CommandRun, limit: int) -> str:
    """The first `limit` bytes of what it printed, as text; the worker's own lines left out."""
    kept = b""
    rows = OutputChunk.objects.filter(run=run).exclude(stream="sys").order_by("seq").values_list("data", flat=True)
    for data in rows.iterator(50):
        kept += bytes(data)
        if len(kept) >= limit:
            break
    return kept[:limit].decode("utf-8", "replace")


def line_html(line: Line) -> str:
    """A line as the output viewer takes it."""
    return (
        f'<div class="{_CLASSES[line.stream]}" id="L{line.number}" data-n="{line.number}" '
        f'data-t="{line.at:%H:%M:%S}" data-stream="{line.stream}">{line.html}</div>'
    )


def _by_chunk(chunks: Iterable[OutputChunk]) -> Iterator[tuple[int, list[Line]]]:
    """(seq, lines) per chunk; a chunk that continues a line gives that line whole.

    What is remembered of an unfinished line is bounded, because `cutting` bounds a line's bytes.
    """
    unfinished: list[tuple[bytes, str]] = []
    for chunk in chunks:
        data = bytes(chunk.data)
        pieces = [*unfinished, (data, chunk.style)] if chunk.cont else [(data, chunk.style)]
        begun = b"".join(piece for piece, _ in pieces[:-1])
        yield chunk.seq, list(_render(begun + data, pieces[0][1], chunk))
        breaks = data.rfind(b"\n") + 1
        if data.endswith(b"\n"):
            unfinished = []
        elif breaks:
            unfinished = [(data[breaks:], sgr.after(chunk.style, data[:breaks]))]
        else:
            unfinished = pieces


def _render(data: bytes, style: str, chunk: OutputChunk) -> Iterator[Line]:
    parts = data.split(b"\n")
    if not parts[-1]:
        parts.pop()
    for offset, raw in enumerate(parts):
        decoded = raw.removesuffix(b"\r").decode("utf-8", "replace")
        html, style = sgr.to_html(decoded, style)
        yield Line(chunk.line + offset, chunk.stream, chunk.at, html, sgr.plain(decoded))


def _with_beginning(chunks: list[OutputChunk]) -> list[OutputChunk]:
    """Put the pieces before the first chunk in front of it, if it continues their line."""
    if not chunks or not chunks[0].cont:
        return chunks
    before = OutputChunk.objects.filter(run_id=chunks[0].run_id, seq__lt=chunks[0].seq)
    begin = before.filter(cont=False).order_by("-seq").values_list("seq", flat=True).first() or 0
    return [*before.filter(seq__gte=begin).order_by("seq"), *chunks]


def _last_line(chunk: OutputChunk) -> int:
    data = bytes(chunk.data)
    return chunk.line + data.count(b"\n") - data.endswith(b"\n")
