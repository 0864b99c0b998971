"""Processes that stand still for longer than their lease, and wake: what they do then changes nothing."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from erpops import pids
from runbooks import containment, reaper, settling, spool
from runbooks import supervisor as supervising
from runbooks.executors import Job, Launch, executors
from runbooks.models import CommandRun
from tests.clock import Clock
from tests.faults.deeds import DEEDS
from tests.faults.standins import (
    ask,
    deliver,
    in_child,
    seen_by_the_engine,
    settled,
    wait_ended,
    wait_stopped,
    walk_of_deeds,
)
from tests.faults.world import World, is_stopped
from tests.runbooks.running import ended, now, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)

# Pauses at each place that `make test-full` makes.
FULL = 20
TIMES = [1, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
KINDS = ["shell", "sql"]
STANDS_STILL_S = 0.3


@pytest.fixture
def server(world: World) -> Iterator[str]:
    with world.server() as address:
        yield address


@pytest.fixture(autouse=True)
def _nobody_sleeps_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reaper, "CLEAR_EVERY_S", 0.0)
    monkeypatch.setattr(reaper, "_next_clearing", 0.0)
    yield
    for run_id in spool.run_ids():
        pids.signal_same(*spool.Spool(run_id).supervisor(), signal.SIGCONT)


def put_to_sleep(run: CommandRun, point: str) -> int:
    """The pid of a worker's process that gets the message; it or its supervisor is going to stand still.

    The lease runs out by the database's clock, which tests move; by the machine's own clock the patience is
    scaled down, that of a transaction too. A place that is passed before the command is reached at any speed.
    """
    options = {**connection.settings_dict["OPTIONS"], "options": "-c idle_in_transaction_session_timeout=1s"}
    with pytest.MonkeyPatch.context() as scaled:
        if point in {"start.committed", "command.before_spawn"}:
            scaled.setattr(supervising, "LEASE_LOST_S", STANDS_STILL_S)
        return deliver(run, armed=f"{point}:1:stop", OPTIONS=options)


def stopped_below(worker: int) -> int:
    """The pid of the process below a worker's that stands still, once there is one."""
    until(lambda: any(is_stopped(pid) for pid in pids.descendants(worker)))
    [pid] = [pid for pid in pids.descendants(worker) if is_stopped(pid)]
    return pid


def stopped_supervisor(run: CommandRun) -> int:
    """The pid of the supervisor of an attempt, once it stands still."""
    until(spool.Spool(run.pk).supervised)
    pid, _ = spool.Spool(run.pk).supervisor()
    wait_stopped(pid)
    return pid


def _sleep() -> int:
    time.sleep(300)
    return 0


def reaped(runs: list[CommandRun], clock: Clock) -> list[CommandRun]:
    """As the engine sees them when their leases are over, while their processes still stand still."""
    clock.advance(seconds=30)
    return settled(runs)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("point", ["claim.committed", "start.committed"])
def test_who_wakes_after_the_lease_of_its_claim_starts_nothing(
    point: str, times: int, world: World, server: str, clock: Clock
) -> None:
    deeds = [DEEDS[kind] for kind in KINDS]
    place = walk_of_deeds(world, server, deeds)
    for _ in range(times):
        runs = [ask(world, place, deeds, index) for index in range(len(deeds))]
        workers = [put_to_sleep(run, point) for run in runs]
        sleepers = [stopped_below(worker) for worker in workers]
        for run in reaped(runs, clock):
            assert run.status == "outcome_unknown"
            settling.settle_unknown(run=run, verdict="not_done", by=place.user)
        # A person has decided and runs them again; only then the sleepers wake.
        again = [ask(world, place, deeds, index) for index in range(len(deeds))]
        wait_ended([deliver(run) for run in again])
        time.sleep(STANDS_STILL_S)
        for pid in sleepers:
            os.kill(pid, signal.SIGCONT)
        assert wait_ended(workers) == [0] * len(workers)
        wait_all_gone()
        assert [now(run).status for run in runs] == ["failed"] * len(runs)
        assert [world.effects()[run.pk] for run in [*runs, *again]] == [0] * len(runs) + [1] * len(again)


def test_a_worker_that_stands_still_past_the_lease_holds_nothing_up(world: World, server: str, clock: Clock) -> None:
    deeds = [DEEDS[kind] for kind in KINDS]
    place = walk_of_deeds(world, server, deeds)
    runs = [ask(world, place, deeds, index) for index in range(len(deeds))]
    workers = [put_to_sleep(run, "supervisor.forked") for run in runs]
    for worker in workers:
        wait_stopped(worker)
    ends = [ended(run) for run in runs]
    known = [(run.status, run.exit_code) for run in ends]
    assert [(run.status, run.exit_code) for run in reaped(ends, clock)] == known == [("failed", 3), ("succeeded", 0)]
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    assert wait_ended(workers) == [0] * len(workers)
    assert [world.effects()[run.pk] for run in runs] == [1] * len(runs)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("point", ["command.before_spawn", "command.spawned", "output.kept", "end.on_disk"])
def test_a_supervisor_that_wakes_after_its_lease_changes_no_label_but_to_the_truth(
    point: str, times: int, world: World, server: str, clock: Clock
) -> None:
    deeds = [DEEDS[kind] for kind in KINDS]
    place = walk_of_deeds(world, server, deeds)
    for _ in range(times):
        runs = [ask(world, place, deeds, index) for index in range(len(deeds))]
        workers = [put_to_sleep(run, point) for run in runs]
        sleepers = [stopped_supervisor(run) for run in runs]
        seen = reaped(runs, clock)
        assert {run.status for run in seen} <= {"outcome_unknown", "failed", "succeeded"}
        time.sleep(STANDS_STILL_S * (point == "command.before_spawn"))
        for run, pid in zip(seen, sleepers, strict=True):
            # What ran under a supervisor that stood still was ended before anybody was told.
            assert not [below for below in pids.descendants(pid) if pids.started_at(below)], run
            os.kill(pid, signal.SIGCONT)
        assert wait_ended(workers) == [0] * len(workers)
        wait_all_gone()
        reaper.tend_spools()
        for run in map(now, runs):
            done = world.effects()[run.pk]
            if point == "command.before_spawn":
                assert (run.status, done) == ("not_started", 0), "the supervisor knew, so everybody knows now"
            elif point == "end.on_disk":
                assert run.status in {"succeeded", "failed"}
            else:
                # It was ended before anybody was told, or had ended by itself, which is then learned.
                assert (run.status, run.exit_code) == ("outcome_unknown", None) or run.exit_code in {0, 3}
            assert not spool.Spool(run.pk).exists()
            if run.status == "outcome_unknown":
                settling.settle_unknown(run=run, verdict="not_done", by=place.user)


def test_a_call_under_a_supervisor_that_stands_still_is_found_and_ended(
    world: World, server: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call has no environment that another process could read, and here no group of the kernel's either."""

    def launch(job: Job) -> Launch:
        return Launch(env=job.env, call=_sleep)

    monkeypatch.setattr(containment, "_can_group", lambda: False)
    monkeypatch.setitem(executors._items, "shell", launch)
    deeds = [DEEDS["shell"]]
    run = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)
    worker = put_to_sleep(run, "command.spawned")
    sleeper = stopped_supervisor(run)
    # What would have become a program has nothing to do and ends.
    until(lambda: len([pid for pid in pids.descendants(sleeper) if pids.started_at(pid)]) == 1)
    [called] = [pid for pid in pids.descendants(sleeper) if pids.started_at(pid)]
    assert [seen.status for seen in reaped([run], clock)] == ["outcome_unknown"]
    assert not pids.started_at(called)
    os.kill(sleeper, signal.SIGCONT)
    assert wait_ended([worker]) == [0]


def test_an_engine_that_dies_while_it_cleans_up_is_followed_by_the_next(
    world: World, server: str, clock: Clock
) -> None:
    deeds = [DEEDS["shell"]]
    run = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)
    assert wait_ended([deliver(run, armed="start.committed:1")]) == [0]
    clock.advance(seconds=30)
    assert wait_ended([in_child(reaper.tick, armed="reaper.claimed:1")]) == [-signal.SIGKILL]
    assert now(run).status == "running"
    [run] = seen_by_the_engine([run], clock)
    assert (run.status, world.effects()[run.pk]) == ("outcome_unknown", 0)


def test_an_attempt_whose_bell_was_never_rung_is_found(world: World, server: str, clock: Clock) -> None:
    deeds = [DEEDS["shell"]]
    place = walk_of_deeds(world, server, deeds)
    asking = in_child(lambda: ask(world, place, deeds, 0), armed="bell.before_ring:1")
    assert wait_ended([asking]) == [-signal.SIGKILL]
    run = CommandRun.objects.get()
    world.promise(run.pk, run.values["attempt"], 3)
    assert (run.status, reaper.tick()) == ("queued", 0)
    clock.advance(seconds=4)
    assert reaper.tick() == 1, "the engine rings again"
    wait_ended([deliver(run)])
    assert now(run).exit_code == 3
