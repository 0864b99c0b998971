"""Notes on what a stand-in has started on another machine and cannot yet call ended.

A note lies in the command's own directory while the process elsewhere may run. Whoever ends the command by force
reads the notes that are left: their processes may go on.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from runbooks.standins.ending import Ended, Lost

FOLDER = ".elsewhere"


class Stopped(Exception):
    """This program was told to end."""


@contextmanager
def noted(sentence: str) -> Iterator[None]:
    """Keep a note as long as the block runs. It stays after `Stopped` and `Lost`."""
    note = _Note(sentence)
    # Only the first signal interrupts: ending what runs elsewhere must not be cut short by a second one.
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
        note.take_back()
    except Lost:
        raise
    except Ended:
        note.take_back()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Note:
    """One note, written at once; it names no arguments, for it is read by people. Without HOME nobody reads it."""

    def __init__(self, sentence: str) -> None:
        home = os.environ.get("HOME", "")
        self._path = Path(home, FOLDER, str(os.getpid())) if home else None
        try:
            if self._path is not None:
                self._path.parent.mkdir(exist_ok=True)
                self._path.write_text(sentence, encoding="utf-8")
        except OSError:
            self._path = None

    def take_back(self) -> None:
        """What it was about has ended."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _stop(number: int, frame: FrameType | None) -> None:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped
