"""How a stand-in ends before its end, and what it prints."""

import sys
from collections.abc import Iterable

REFUSED = 64


class Ended(Exception):
    """The program ends here with `status`; `said` goes to standard error as the real one would say it."""

    def __init__(self, status: int, said: str = "") -> None:
        super().__init__(said)
        self.status = status
        self.said = said


class Lost(Ended):
    """The connection to what was started elsewhere broke, so it may go on."""


class NotUnderstood(Exception):
    """Something the stand-in does not know, so nothing is started: `what` as it was written."""


def out(*lines: str) -> None:
    """Lines for standard output."""
    _write(sys.stdout.buffer, lines)


def err(*lines: str) -> None:
    """Lines for standard error."""
    _write(sys.stderr.buffer, lines)


def raw(stream: str, data: bytes) -> None:
    """Bytes for standard output (`out`) or error (`err`), at once."""
    to = sys.stderr.buffer if stream == "err" else sys.stdout.buffer
    to.write(data)
    to.flush()


def _write(to: object, lines: Iterable[str]) -> None:
    for line in lines:
        to.write(line.encode("utf-8", "surrogateescape") + b"\n")  # type: ignore[attr-defined]
    to.flush()  # type: ignore[attr-defined]
