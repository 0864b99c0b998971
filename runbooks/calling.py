"""Becoming the process of a call: a function instead of a program, with a program's environment and streams."""

import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from runbooks.choices import RunStatus
from runbooks.executors import Job

BROKE = 70
_VERDICT = "verdict.json"


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended where an exit status cannot say it: not started, unknown, a stop unconfirmed."""

    status: RunStatus
    reason: str

    def leave(self, job: Job) -> None:
        """Write it beside the command's directory, where the supervisor looks for it."""
        (job.home.parent / _VERDICT).write_text(json.dumps([self.status.value, self.reason]), encoding="utf-8")

    @classmethod
    def left_in(cls, spool: Path) -> "Verdict | None":
        """What a call has left, or None."""
        try:
            status, reason = json.loads((spool / _VERDICT).read_text(encoding="utf-8"))
            return cls(RunStatus(status), str(reason))
        except (OSError, ValueError):
            return None


def become(
    call: Callable[[], int],
    *,
    env: Mapping[str, str],
    home: Path,
    enter: Callable[[], None],
    ends: Mapping[str, tuple[int, int]],
) -> NoReturn:
    """In a forked child: leave the supervisor's session, descriptors and environment behind, then call.

    The exit status is what the call gives; 70 when it breaks. A SIGTERM interrupts it, so that it can take
    back what it has asked of others, and ends it with 143.
    """
    status = BROKE
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.setsid()
        enter()
        os.umask(0o077)
        os.chdir(home)
        for number, stream in ((1, "out"), (2, "err")):
            os.dup2(ends[stream][1], number)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.closerange(3, 4096)
        os.environ.clear()
        os.environ.update(env)
        sys.stdout, sys.stderr = _text(1), _text(2)
        status = call()
    except KeyboardInterrupt:
        status = 128 + signal.SIGTERM
    except BaseException:
        traceback.print_exc()
    finally:
        for printed in (sys.stdout, sys.stderr):
            try:
                printed.flush()
            except (OSError, ValueError):
                continue
        os._exit(status & 0xFF)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _text(descriptor: int) -> io.TextIOWrapper:
    """A text stream that shows a line when it is whole."""
    raw = os.fdopen(descriptor, "wb", buffering=0, closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
