"""The Celery side of commands: a doorbell with one id, and whom it wakes."""

import gc
import logging
import os
import queue
import threading
from typing import Any

from celery.signals import worker_process_init
from django.conf import settings

from erpops.celery import app
from erpops.failpoints import failpoint

logger = logging.getLogger(__name__)

MOST_BELLS = 1000


@app.task(name="runbooks.run_command")
def run_command(run_id: int) -> None:
    """Have the attempt carried out, unless somebody did. Lost, doubled or forged ids cost seconds, never an effect."""
    # What carries it out builds on the runner, which imports this module for `ring`.
    from runbooks import spares

    spares.supervise(int(run_id))


@worker_process_init.connect
def _get_ready(**_: Any) -> None:
    """What a process of the worker does before its first message."""
    # As in `run_command`.
    from runbooks import spares, warming

    warming.compiled()
    # What it shares with the processes that it forks is not touched by a collection, and so not copied.
    gc.collect()
    gc.freeze()
    spares.keep_one()


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
