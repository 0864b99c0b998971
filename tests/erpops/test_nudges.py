"""Doorbells from processes that were forked while others were ringing, as supervisors are."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from erpops import nudges

FORKS = 150


@pytest.fixture
def busy_bells() -> Iterator[None]:
    """Threads of this process that ring without a pause."""
    over = threading.Event()

    def ring() -> None:
        while not over.is_set():
            nudges.ring("test:busy")

    threads = [threading.Thread(target=ring) for _ in range(6)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def _rings_in_a_fork() -> bool:
    pid = os.fork()
    if pid == 0:
        # The signal's own action: a process that waits for a lock must end all the same.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)
        try:
            nudges.ring("test:forked")
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def test_a_process_that_was_forked_while_others_rang_is_not_held_up_by_their_locks(busy_bells: None) -> None:
    assert all(_rings_in_a_fork() for _ in range(FORKS))
