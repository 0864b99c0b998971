"""What a process in a container prints and reads: the engine's frames, and feeding its input."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator

from runbooks.standins.docker.engine import Connection
from runbooks.standins.docker.secured import Secured
from runbooks.standins.ending import Lost, raw

_HEADER = 8
_READ = 65536
Sink = Callable[[str, bytes], None]


class Frames:
    """Puts frames together: eight bytes say stream and length, then the output follows."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """What is whole by now: `out` or `err`, and the bytes."""
        self._waiting += data
        while len(self._waiting) >= _HEADER:
            end = _HEADER + int.from_bytes(self._waiting[4:8], "big")
            if len(self._waiting) < end:
                return
            stream = "err" if self._waiting[0] == 2 else "out"
            body, self._waiting = self._waiting[_HEADER:end], self._waiting[end:]
            yield stream, body


def show(pieces: Iterable[bytes], *, framed: bool, sink: Sink = raw) -> None:
    """Pass on what comes; a container with a terminal has one stream without frames."""
    frames = Frames()
    for piece in pieces:
        for stream, body in frames.feed(piece) if framed else [("out", piece)]:
            sink(stream, body)


def show_all(connection: Connection | Secured) -> None:
    """Pass on what a process without a terminal prints; Lost when the connection breaks."""
    try:
        show(connection.coming(), framed=True)
    except OSError as error:
        raise Lost(1, f"docker: the connection to the engine broke: {error}") from None


def feed_input(connection: Connection | Secured) -> None:
    """Give this program's standard input to the process, in a thread, and end its input at the end."""
    threading.Thread(target=_feed, args=(connection,), daemon=True).start()


def _feed(connection: Connection | Secured) -> None:
    try:
        while piece := os.read(0, _READ):
            connection.send(piece)
        connection.send_no_more()
    except OSError:
        # The process has ended before it has read everything.
        return
