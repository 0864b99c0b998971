"""From the bytes of two pipes to numbered chunks: cut at line ends, counted, capped at head and tail.

A chunk can be rendered without its neighbours, which is what makes the live view and the saved one
the same: it knows its first line's number, whether that line began earlier, and the style it begins in.
"""

import re
from collections import deque
from datetime import datetime

from django.conf import settings

from runbooks import sgr
from runbooks.models import OutputChunk

CHUNK_BYTES = 8192
# A line that is longer, or that came in more pieces, goes on as another line.
LINE_BYTES, LINE_PIECES = 8192, 64
# An escape sequence or a UTF-8 character that has only begun.
_UNFINISHED = re.compile(
    rb"(?:\x1b(?:\[[0-9;:?]{0,30})?|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)


class Cutter:
    """Takes bytes in the order in which they were read; gives chunks in the order in which they count."""

    def __init__(self, run_id: int) -> None:
        self.total = self.dropped = 0
        self.seq = 0
        self._run_id = run_id
        # Half of what is kept is the beginning, half the end.
        self._half = settings.COMMAND_OUTPUT_MB * 500_000
        self._pending = {"out": bytearray(), "err": bytearray()}
        self._waited = {"out": False, "err": False}
        self._styles = {"out": "", "err": "", "note": ""}
        self._line, self._open, self._open_bytes, self._open_pieces = 0, "", 0, 0
        self._stored = 0
        self._tail: deque[tuple[str, bytes, datetime]] = deque()
        self._tail_bytes = 0
        self._ready: list[OutputChunk] = []

    @property
    def waiting(self) -> bool:
        """Whether there is something that `take` could give, now or at the next turn."""
        return any(self._pending.values()) or bool(self._ready)

    def feed(self, stream: str, data: bytes, *, at: datetime) -> None:
        """Bytes of one pipe (`out` or `err`). Large amounts are cut at once, so that memory stays small."""
        pending = self._pending[stream]
        pending += data
        if len(pending) >= CHUNK_BYTES:
            self._cut_whole(stream, at)

    def take(self, *, at: datetime, final: bool = False) -> list[OutputChunk]:
        """The chunks of this turn. An unfinished line waits for one turn, then goes out unfinished."""
        for stream in self._pending:
            self._cut_rest(stream, at, final)
        if final:
            self._release_tail(at)
        ready, self._ready = self._ready, []
        return ready

    def _cut_whole(self, stream: str, at: datetime) -> None:
        pending = self._pending[stream]
        start = 0
        while len(pending) - start >= CHUNK_BYTES:
            window = bytes(pending[start : start + CHUNK_BYTES])
            size = window.rfind(b"\n") + 1 or CHUNK_BYTES - _unfinished(window)
            self._emit(stream, window[:size], at)
            start += size
        del pending[:start]
        self._waited[stream] = False

    def _cut_rest(self, stream: str, at: datetime, final: bool) -> None:
        pending = self._pending[stream]
        if not pending:
            return
        size = len(pending) if final else pending.rfind(b"\n") + 1
        if not size and self._waited[stream]:
            size = len(pending) - _unfinished(bytes(pending[-32:]))
        if size:
            self._emit(stream, bytes(pending[:size]), at)
            del pending[:size]
        self._waited[stream] = bool(pending)

    def _emit(self, stream: str, data: bytes, at: datetime) -> None:
        self.total += len(data)
        if self._stored + len(data) <= self._half and not self._tail:
            self._stored += len(data)
            self._store(stream, data, at)
            return
        self._tail.append((stream, data, at))
        self._tail_bytes += len(data)
        while self._tail_bytes > self._half:
            gone = len(self._tail.popleft()[1])
            self._tail_bytes -= gone
            self.dropped += gone

    def _release_tail(self, at: datetime) -> None:
        if self.dropped:
            self._styles = dict.fromkeys(self._styles, "")
            self._open = ""
            self._store("note", f"… {self.dropped:,} bytes were not kept …\n".encode(), at)
        while self._tail:
            self._store(*self._tail.popleft())
        self._tail_bytes = 0

    def _store(self, stream: str, data: bytes, at: datetime) -> None:
        cont = self._open == stream and self._open_bytes < LINE_BYTES and self._open_pieces < LINE_PIECES
        first = self._line if cont else self._line + 1
        breaks = data.count(b"\n")
        ended = data.endswith(b"\n")
        self.seq += 1
        self._ready.append(
            OutputChunk(
                run_id=self._run_id,
                seq=self.seq,
                stream=stream,
                at=at,
                line=first,
                cont=cont,
                style=self._styles[stream],
                data=data,
            )
        )
        self._styles[stream] = sgr.after(self._styles[stream], data)
        self._line = first + breaks - ended
        tail = len(data) - (data.rfind(b"\n") + 1)
        same = cont and not breaks
        self._open_bytes = tail + (self._open_bytes if same else 0)
        self._open_pieces = 1 + (self._open_pieces if same else 0)
        self._open = "" if ended else stream


def _unfinished(data: bytes) -> int:
    found = _UNFINISHED.search(data)
    return len(found.group()) if found else 0
