"""Sends what waits in the outbox: one lane of threads per channel, so that no provider delays another.

A thread claims one message, sends it outside any transaction, settles it and takes the next; it ends
with its lane. Nothing is remembered here: a process that dies leaves leases, which run out.
"""

import atexit
import logging
import threading
import time

from django.db import DatabaseError, connection

from erpops.failpoints import failpoint
from incidents import notify
from incidents.channels import channels
from incidents.channels.transport import TransportError
from incidents.models import Message
from incidents.policy import note_fate

logger = logging.getLogger(__name__)

LANE_THREADS = 4
STOP_S = 3.0

_stopping = threading.Event()
_lock = threading.Lock()
_lanes: dict[str, list[threading.Thread]] = {}


def tick() -> int:
    """Start as many threads as due messages can use; the lanes then drain themselves, so 0 does not mean idle."""
    swept = notify.sweep_withdrawn()
    waiting = list(notify.due().order_by().values_list("channel", flat=True)[:1000])
    for name in sorted(set(waiting)):
        _start(name, min(waiting.count(name), LANE_THREADS))
    return swept


def stop(timeout_s: float = STOP_S) -> bool:
    """Take no further message and wait for the ones under way; whether all ended in time."""
    _stopping.set()
    until = time.monotonic() + timeout_s
    with _lock:
        running = [thread for lane in _lanes.values() for thread in lane]
    for thread in running:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in running)


# Threads are daemons, so that a hanging provider cannot keep a process; a short wait saves repetitions.
atexit.register(stop)


def resume() -> None:
    """Send again after `stop`."""
    _stopping.clear()


def _start(name: str, wanted: int) -> None:
    if _stopping.is_set():
        return
    with _lock:
        lane = [thread for thread in _lanes.get(name, []) if thread.is_alive()]
        fresh = [
            threading.Thread(target=_run, args=(name,), name=f"outbox-{name}", daemon=True)
            for _ in range(wanted - len(lane))
        ]
        _lanes[name] = lane + fresh
        for thread in fresh:
            thread.start()


def _run(name: str) -> None:
    try:
        while not _stopping.is_set():
            message = notify.take(name)
            if message is None:
                return
            deliver(message)
    except DatabaseError as error:
        logger.warning("Outbox lane %s: the database did not answer: %s", name, error)
    except Exception:
        logger.exception("Outbox lane %s failed; the next round starts it again", name)
    finally:
        connection.close()


def deliver(message: Message) -> None:
    """Send one claimed message and settle it."""
    channel, method = channels.get(message.channel), message.method
    if not notify.may_leave(message):
        notify.settle_withdrawn(message)
        return
    try:
        if channel is None:
            raise TransportError(f"There is no channel {message.channel!r} here", permanent=True)
        if method is None:
            raise TransportError("The way to reach this contact was deleted", permanent=True)
        if message.attempts > notify.ATTEMPTS or (message.repeats > 1 and not channel.dedupes):
            raise TransportError("The sender stopped in the middle again; it may have arrived", permanent=True)
        failpoint("page.before_send")
        receipt = channel.send(message, method)
        failpoint("page.sent")
    except TransportError as error:
        notify.settle_error(message, error, dedupes=channel is not None and channel.dedupes)
        note_fate(message, error=error)
        return
    except (OSError, ValueError) as error:
        # Nothing was sent: the message could not be composed (ValueError), or a file not written.
        failure = TransportError(str(error), permanent=isinstance(error, ValueError))
        notify.settle_error(message, failure, dedupes=False)
        return
    if notify.settle_sent(message, receipt):
        note_fate(message)
