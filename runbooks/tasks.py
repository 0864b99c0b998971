"""The Celery side of commands: a doorbell with one id, and the claim that it leads to."""

import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection

from erpops.celery import app
from erpops.failpoints import failpoint
from runbooks.choices import Risk, RunStatus

logger = logging.getLogger(__name__)

# Well within a lease: what was claimed must not be taken over while it is being started.
PATIENCE_S, RETRY_S = 10.0, 0.2
T = TypeVar("T")

MOST_BELLS = 1000


@app.task(name="runbooks.run_command")
def run_command(run_id: int) -> None:
    """Start the attempt, unless somebody did. Lost, doubled or forged ids cost seconds, never an effect."""
    # runner imports this module for `ring`; supervisor builds on runner.
    from runbooks import containment, runner, supervisor
    from runbooks.executors import CannotStart
    from runbooks.refusals import Refused

    claim = partial(runner.claim, run_id=int(run_id), host=socket.gethostname(), owner=uuid.uuid4().hex)
    run = _patiently(claim)
    if run is None:
        return
    failpoint("claim.committed")
    try:
        prepared = _patiently(lambda: supervisor.prepare(run=run, bound=runner.recheck(run)))
        if run.risk != Risk.READ:
            # Nothing that decides the effect has changed while it was prepared.
            _patiently(lambda: runner.recheck(run))
    except (Refused, CannotStart) as refusal:
        outcome = runner.Outcome(RunStatus.NOT_STARTED, reason=str(refusal))
        _patiently(lambda: runner.finish(run=run, outcome=outcome))
        return
    held_since = time.monotonic()
    if _patiently(lambda: runner.started(run=run, containment=containment.level())):
        failpoint("start.committed")
        supervisor.carry_out(prepared, held_since=held_since)
    else:
        _patiently(lambda: runner.finish(run=run, outcome=runner.why_not_started(run)))


def _patiently(act: Callable[[], T]) -> T:
    """`act`, and again for a few seconds while the database does not answer: nobody knows whether it was done.

    So each act is one that finds what an earlier try of it has done.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError, InternalError) as error:
            if connection.in_atomic_block or time.monotonic() >= deadline:
                raise
            logger.warning("The database did not answer: %s", str(error).strip()[:200])
            connection.close()
            time.sleep(RETRY_S)


def ring(run_id: int, queue_name: str) -> None:
    """Tell a worker to look at an attempt. Returns at once; a broker that is away costs the caller nothing."""
    failpoint("bell.before_ring")
    if settings.REDIS_URL:
        _ringer.ring(run_id, queue_name)


class _Ringer:
    """One thread per process: it holds the broker connection, whose time-outs nobody else should wait for."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """In a forked process no thread rings, and a lock may have been held while it was forked."""
        self._bells: queue.Queue[tuple[int, str]] = queue.Queue(maxsize=MOST_BELLS)
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, run_id: int, queue_name: str) -> None:
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._ring_for_ever, daemon=True, name="doorbell")
                self._thread.start()
        try:
            self._bells.put_nowait((run_id, queue_name))
        except queue.Full:
            logger.warning("No doorbell for run %s: too many are waiting. The engine rings again.", run_id)

    def _ring_for_ever(self) -> None:
        connection: Any = None
        while True:
            run_id, queue_name = self._bells.get()
            try:
                connection = connection or _broker()
                run_command.apply_async(args=[run_id], queue=queue_name, connection=connection, retry=False)
            except Exception as error:  # whatever the broker's client raises: the row is queued, the engine rings again
                logger.warning("No doorbell for run %s: %s", run_id, error)
                if connection is not None:
                    connection.release()
                connection = None


def _broker() -> Any:
    options = {
        **app.conf.broker_transport_options,
        "socket_timeout": 1,
        "socket_connect_timeout": 1,
        # Without this kombu tries to connect for ever inside the first use.
        "max_retries": 0,
    }
    return app.connection_for_write(connect_timeout=1, transport_options=options)


_ringer = _Ringer()
os.register_at_fork(after_in_child=_ringer.renew)
