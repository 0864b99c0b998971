"""Places where a test ends or stops this process, as a power cut or a frozen machine would.

`ERPOPS_FAILPOINT=name:nth` makes the nth pass through the place `name` the process's last act: SIGKILL, so
nothing is tidied up. With `:stop` behind it the process is stopped instead, until somebody sends SIGCONT.
Passes are counted in each process; with `ERPOPS_FAILPOINT_COUNTER`, the path of a file, in all processes that
share it, so that only one of them dies. Without the variable a place costs one comparison.
"""

import logging
import os
import signal
from dataclasses import dataclass, field
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured

from erpops import env

logger = logging.getLogger(__name__)

# Every place by name: what has happened when it is passed. Each is passed in one line of the source.
POINTS = {
    "delivery.before_commit": "alerts are taken in a transaction that is still open",
    "delivery.committed": "alerts are stored, their sender does not know it",
    "run.before_commit": "an attempt is asked for in a transaction that is still open",
    "acknowledge.before_commit": "an incident is acknowledged in a transaction that is still open",
    "approval.before_commit": "a command is approved in a transaction that is still open",
    "act.committed": "what a person asked for is committed, the answer has not left",
    "bell.before_ring": "an attempt is committed, no worker has been told of it",
    "claim.before_commit": "an attempt is claimed in a transaction that is still open",
    "claim.committed": "an attempt is claimed, nothing else",
    "start.committed": "an attempt is said to run, nothing of it is started yet",
    "supervisor.forked": "a supervisor was told of an attempt; it is the worker that ends here",
    "command.before_spawn": "the supervisor lives, the command does not",
    "command.spawned": "the command lives, nothing of its output is kept",
    "output.kept": "some output is on disk, perhaps not in PostgreSQL",
    "command.ended": "the command has ended, its end is written nowhere",
    "end.on_disk": "the end is on disk, not in PostgreSQL",
    "end.before_commit": "the end is written in a transaction that is still open",
    "end.committed": "the end is in PostgreSQL, the spool is still there",
    "reaper.claimed": "an attempt without a supervisor is claimed to be settled",
    "page.before_send": "a page is claimed and has not left",
    "page.sent": "the receiver has taken a page, which is written nowhere",
}


@dataclass
class _Armed:
    """What was asked for. `passes` counts in this process; a forked child goes on from its parent's count."""

    name: str
    nth: int
    number: signal.Signals
    counter: str
    passes: int = field(default=0)

    def arrive(self) -> None:
        if self._pass() == self.nth:
            logger.warning("Failpoint %s: %s", self.name, self.number.name)
            os.kill(os.getpid(), self.number)
            if self.number == signal.SIGKILL:
                _wait_for_the_end()

    def _pass(self) -> int:
        if not self.counter:
            self.passes += 1
            return self.passes
        handle = os.open(self.counter, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, b".")
            # After an append the offset is the end of what this process wrote, whoever writes meanwhile.
            return os.lseek(handle, 0, os.SEEK_CUR)
        finally:
            os.close(handle)


_armed: _Armed | None = None


def failpoint(name: str) -> None:
    """The place `name` of `POINTS`: nothing happens unless it is armed."""
    if _armed is not None and _armed.name == name:
        _armed.arrive()


def arm(text: str, *, counter: str = "") -> None:
    """Arm this process and those that it forks: `name:nth` or `name:nth:stop`; empty text disarms.

    Raises ImproperlyConfigured with what is wrong.
    """
    global _armed  # noqa: PLW0603  (one per process)
    _armed = _parsed(text, counter) if text else None


def _parsed(text: str, counter: str) -> _Armed:
    name, _, rest = text.partition(":")
    nth, _, how = rest.partition(":")
    if name not in POINTS or not nth.isdigit() or int(nth) < 1 or how not in {"", "stop"}:
        raise ImproperlyConfigured(
            f"ERPOPS_FAILPOINT is {text!r}; write name:nth or name:nth:stop with a name of {', '.join(POINTS)}."
        )
    return _Armed(name, int(nth), signal.SIGSTOP if how else signal.SIGKILL, counter)


def _wait_for_the_end() -> NoReturn:
    """A thread may run on for a moment after the process was killed; not past this line."""
    while True:
        signal.pause()


arm(env.text("ERPOPS_FAILPOINT"), counter=env.text("ERPOPS_FAILPOINT_COUNTER"))
