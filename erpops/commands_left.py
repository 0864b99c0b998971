"""Commands that still run when the console stops: asked to end, then ended with everything below them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from erpops import pids


def end(spool: Path, *, within: float, hurried: Callable[[], bool]) -> int:
    """End the supervisor of every running command; returns how many there were.

    Each has written `<spool>/<attempt>/supervisor.pid` with `pids.identity()`.
    """
    recorded = [pids.read_identity(path) for path in spool.glob("*/supervisor.pid")]
    running = {pid: started for pid, started in recorded if pids.is_same(pid, started)}
    for pid, started in running.items():
        pids.signal_same(pid, started, signal.SIGTERM)
    deadline = time.monotonic() + within
    while any(pids.is_same(*item) for item in running.items()) and time.monotonic() < deadline and not hurried():
        time.sleep(0.02)
    for pid, started in running.items():
        below = pids.descendants(pid)
        if pids.signal_same(pid, started, signal.SIGKILL):
            for member in below:
                _kill(member)
    return len(running)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
