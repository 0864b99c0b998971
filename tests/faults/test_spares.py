"""Supervisors that wait for their command: what they outlive, and what they do not."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from erpops import pids
from runbooks import containment, spares, tasks
from tests.faults.deeds import DEEDS
from tests.faults.standins import ask, in_child, wait_ended, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.running import now, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(world: World) -> Iterator[str]:
    with world.server() as address:
        yield address


def idle() -> tuple[int, int]:
    """A process that keeps a spare, and the guardian of that, once all of it is there."""

    def work() -> None:
        spares.keep_one()
        time.sleep(60)

    worker = in_child(work)
    until(lambda: len(pids.descendants(worker)) == 3)
    [guardian] = pids.children(worker)
    return worker, guardian


def groups_of(guardian: int) -> list[Path]:
    """The control groups that a guardian has made and nobody has removed."""
    return [path for path, maker in containment.groups() if maker == guardian]


def test_a_spare_that_was_ended_while_it_waited_is_replaced_at_once(world: World, server: str) -> None:
    deeds = [DEEDS["shell"]]
    run = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)

    def work() -> None:
        spares.keep_one()
        until(lambda: len(pids.descendants(os.getpid())) == 3)
        for pid in pids.descendants(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        tasks.run_command(run.pk)
        assert now(run).exit_code == 3, "there was no need to ring again"

    assert wait_ended([in_child(work)]) == [0]
    wait_all_gone()


def test_messages_that_lead_to_nothing_leave_the_spare_ready(world: World, server: str) -> None:
    deeds = [DEEDS["shell"]]
    run = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)

    def work() -> None:
        spares.keep_one()
        first = pids.children(os.getpid())
        for forged in (987_654_321, 987_654_321, 1 << 62):
            tasks.run_command(forged)
        assert pids.children(os.getpid()) == first
        tasks.run_command(run.pk)
        assert now(run).exit_code == 3
        assert [pid for pid in pids.children(os.getpid()) if pids.started_at(pid)] != first, "each serves one attempt"

    assert wait_ended([in_child(work)]) == [0]
    wait_all_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_idle_spares_end_with_their_worker_and_leave_nothing(world: World, number: signal.Signals) -> None:
    worker, guardian = idle()
    left = pids.descendants(worker)
    os.kill(worker, number)
    assert wait_ended([worker]) == [-number]
    until(lambda: not any(pids.started_at(pid) for pid in left))
    assert groups_of(guardian) == []


def test_groups_of_guardians_that_were_killed_are_tidied_away(world: World) -> None:
    if containment.level() != containment.CGROUP:
        pytest.skip("this machine has no cgroup v2 that could be written: run as root on a machine that has")

    worker, guardian = idle()
    until(lambda: groups_of(guardian))
    for pid in (guardian, *pids.descendants(guardian), worker):
        os.kill(pid, signal.SIGKILL)
    wait_ended([worker])
    wait_all_gone()
    until(lambda: not pids.started_at(guardian))
    containment.tidy()
    assert groups_of(guardian) == []
