"""Supervisors that are forked before they are needed.

Between the doorbell and the first line of output stand two forks of a large process, connections to PostgreSQL and
Valkey, and a control group. A worker's process has all of that ready in a spare, which serves one attempt and is
then replaced. The spare is detached from the worker, so that a worker may die or be deployed while the command goes
on; its guardian does nothing but wait for the supervisor and end what that leaves behind.
"""

import logging
import os
import signal
import socket
from contextlib import suppress

from django.db import connections

from erpops import nudges
from erpops.failpoints import failpoint
from runbooks import containment, limits, undertaking, warming
from runbooks.containment import Containment
from runbooks.launcher import Launcher
from runbooks.supervisor import Supervision

logger = logging.getLogger(__name__)

_NUMBER = 8
# What a spare answers to the number of an attempt. It says nothing if it dies before.
_MINE, _NOTHING = b"+", b"-"


class Spare:
    """A guardian and a supervisor that wait for the number of an attempt. It ends with the process that made it."""

    def __init__(self) -> None:
        # Found out once, by who lives longer.
        containment.level()
        self._socket, theirs = socket.socketpair()
        self._guardian = os.fork()
        if self._guardian == 0:
            _become_guardian(theirs)
        theirs.close()

    def serve(self, run_id: int) -> bytes:
        """Hand over an attempt and wait for its end. Answers what the spare said, empty if it was lost.

        Nothing depends on the wait: it lets Celery's concurrency bound the number of commands.
        """
        try:
            self._socket.sendall(run_id.to_bytes(_NUMBER))
            failpoint("supervisor.forked")
            answer = self._socket.recv(1)
            if answer == _MINE:
                # Both ends of it are closed when guardian and supervisor are gone.
                self._socket.recv(1)
        except ConnectionError:
            return b""
        return answer

    def end(self) -> None:
        """Let it go, and collect what is left of it."""
        self._socket.close()
        os.waitpid(self._guardian, 0)


class _Ahead:
    """The spare of this process, where one is kept ahead."""

    spare: Spare | None = None
    keeps = False


def keep_one() -> None:
    """From now on have one ready in this process, which must not be a parent of other ones that do the same."""
    _Ahead.keeps = True
    _Ahead.spare = Spare()


def supervise(run_id: int) -> None:
    """Have the attempt carried out, unless somebody did, and wait for its end."""
    if not 0 <= run_id < 1 << (8 * _NUMBER - 1):
        return
    # One that waited may have been ended meanwhile; whatever else became of the first, the claim is the gate.
    if not (_served(run_id) or _served(run_id)):
        logger.warning("Two supervisors for run %s were lost. The engine rings again.", run_id)


def _served(run_id: int) -> bytes:
    """What the next spare says to it. Another one is ready afterwards, where one is kept."""
    spare, _Ahead.spare = _Ahead.spare or Spare(), None
    answer = b""
    try:
        answer = spare.serve(run_id)
        if answer == _NOTHING and _Ahead.keeps:
            _Ahead.spare = spare
    finally:
        if _Ahead.spare is None:
            spare.end()
            _Ahead.spare = Spare() if _Ahead.keeps else None
    return answer


def _become_guardian(told: socket.socket) -> None:
    try:
        os.setsid()
        _detach(told.fileno())
        # Only this process's memory of the worker's connection: its socket was replaced just now.
        connections.close_all()
        containment.become_subreaper("erpops-guard")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        held = Containment(limits.of_settings())
        supervisor = os.fork()
        if supervisor == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _become_supervisor(told, held)
        while os.wait()[0] != supervisor:
            pass
        containment.sweep(held.group)
    finally:
        os._exit(0)


def _become_supervisor(told: socket.socket, held: Containment) -> None:
    run_id = 0
    try:
        containment.become_subreaper("erpops-run")
        launcher = Launcher(held)
        _warm_up()
        while run_id := int.from_bytes(told.recv(_NUMBER)):
            _look_at_connections()
            if (run := undertaking.claim(run_id)) is None:
                _say(told, _NOTHING)
                continue
            _say(told, _MINE)
            if (prepared := undertaking.begin(run)) is not None:
                Supervision(prepared, held, launcher).carry_out()
            break
    except BaseException:
        logger.exception("The supervisor of run %s failed", run_id)
        os._exit(1)
    os._exit(0)


def _say(told: socket.socket, answer: bytes) -> None:
    # The worker may be gone: the attempt is carried out all the same.
    with suppress(OSError):
        told.send(answer)


def _warm_up() -> None:
    try:
        warming.go_through()
    except Exception as error:  # what it is for is done without it, only slower
        logger.warning("A spare did not get warm: %s", error)
    nudges.connect()


def _look_at_connections() -> None:
    """One that broke while nothing was to be done is opened anew at its first use."""
    for each in connections.all(initialized_only=True):
        each.close_if_unusable_or_obsolete()


def _detach(keep: int) -> None:
    """Own signals, own descriptors: nothing of the worker's but its log and the line on which it tells us."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:
            signal.signal(number, signal.SIG_DFL)
    # Our log may go to a pipe whose reader dies with the worker.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    signal.alarm(0)
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else map(str, range(3, 1024)):  # noqa: PTH112, PTH208
        descriptor = int(name)
        # Replaced, not closed: an object of the worker that is collected later closes its old number.
        if descriptor not in {1, 2, keep, null} and _is_open(descriptor):
            os.dup2(null, descriptor, inheritable=False)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
