"""The engine: a loop that needs PostgreSQL only.

It runs its modules in the order below, read aloud: alerts first, people next, clean-up last. Each
module finds due rows, claims them and acts; one that fails or takes long does not stop the others.
Any number of engines may run: rows are claimed, so nothing depends on being alone.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable
from importlib import import_module

from django.db import DatabaseError, close_old_connections, connection

from erpops import beats

logger = logging.getLogger(__name__)

# One line per module, `package.module`; each has `tick() -> int`: how many rows it acted on.
MODULES = [
    "checks.scheduler",
    "runbooks.matching",
    "runbooks.plans",
    "runbooks.rehearsal",
    "incidents.handover",
    "runbooks.clocks",
    "incidents.escalation",
    "incidents.outbox",
    "runbooks.approvals",
    "runbooks.reaper",
    "runbooks.stalled",
    "incidents.upkeep",
]
PAUSE_S = 0.5
SLOW_S = 5.0
BEAT_S = 5.0


class Engine:
    """The loop. `stop()` may be called from a signal handler or another thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._ticks: list[tuple[str, Callable[[], int]]] = [(name, import_module(name).tick) for name in MODULES]
        self._next_beat = 0.0

    def stop(self, *_: object) -> None:
        """Finish the running module, then return from `run`."""
        self._stop.set()

    def run(self) -> None:
        """Until stopped. A database that is away is waited for."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        while not self._stop.is_set():
            busy = self.cycle()
            self._stop.wait(0.02 if busy else PAUSE_S)

    def cycle(self) -> int:
        """Every module once; how many rows were acted on."""
        acted = 0
        try:
            self._beat()
        except DatabaseError as error:
            self._lost(error)
            return 0
        for name, tick in self._ticks:
            if self._stop.is_set():
                break
            acted += self._one(name, tick)
        return acted

    def _one(self, name: str, tick: Callable[[], int]) -> int:
        began = time.monotonic()
        try:
            return tick()
        except DatabaseError as error:
            self._lost(error)
        except Exception:
            logger.exception("Engine module %s failed; the next round tries again", name)
        finally:
            took = time.monotonic() - began
            if took > SLOW_S:
                logger.warning("Engine module %s took %.1f s", name, took)
        return 0

    def _beat(self) -> None:
        if time.monotonic() >= self._next_beat:
            beats.beat(role="engine")
            self._next_beat = time.monotonic() + BEAT_S

    def _lost(self, error: DatabaseError) -> None:
        logger.warning("Engine: the database did not answer: %s", str(error).splitlines()[0] if str(error) else error)
        connection.close()
        close_old_connections()
        self._stop.wait(1.0)
