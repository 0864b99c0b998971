"""The Celery side of commands: a doorbell with one id, and the claim that it leads to."""

import logging
import os
import queue
import socket
import threading
from typing import Any

from django.conf import settings

from erpops.celery import app
from runbooks.choices import RunStatus

logger = logging.getLogger(__name__)

_bells: "queue.Queue[tuple[int, str]]" = queue.Queue(maxsize=1000)
_ringer: threading.Thread | None = None
_ringer_pid = 0
_start = threading.Lock()


@app.task(name="runbooks.run_command")
def run_command(run_id: int) -> None:
    """Start the attempt, unless somebody did. Lost, doubled or forged ids cost seconds, never an effect."""
    # runner imports this module for `ring`; supervisor builds on runner.
    from runbooks import containment, runner, supervisor
    from runbooks.executors import CannotStart
    from runbooks.refusals import Refused

    run = runner.claim(run_id=int(run_id), host=socket.gethostname())
    if run is None:
        return
    try:
        prepared = supervisor.prepare(run=run, bound=runner.recheck(run))
    except (Refused, CannotStart) as refusal:
        runner.finish(run=run, outcome=runner.Outcome(RunStatus.NOT_STARTED, reason=str(refusal)))
        return
    if runner.started(run=run, containment=containment.level()):
        supervisor.carry_out(prepared)
    else:
        # A stop came first; or the claim is somebody else's by now, and then this writes nothing.
        runner.finish(run=run, outcome=runner.Outcome(RunStatus.STOPPED, reason="Stopped before it started."))


def ring(run_id: int, queue_name: str) -> None:
    """Tell a worker to look at an attempt. Returns at once; a broker that is away costs the caller nothing."""
    if not settings.REDIS_URL:
        return
    _ensure_ringer()
    try:
        _bells.put_nowait((run_id, queue_name))
    except queue.Full:
        logger.warning("No doorbell for run %s: too many are waiting. The engine rings again.", run_id)


def _ensure_ringer() -> None:
    """One thread per process: it holds the broker connection, whose time-outs nobody else should wait for."""
    global _ringer, _ringer_pid
    with _start:
        if _ringer is None or not _ringer.is_alive() or _ringer_pid != os.getpid():
            _ringer, _ringer_pid = threading.Thread(target=_ring_for_ever, daemon=True, name="doorbell"), os.getpid()
            _ringer.start()


def _ring_for_ever() -> None:
    connection: Any = None
    while True:
        run_id, queue_name = _bells.get()
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
