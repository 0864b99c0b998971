"""Every place where something can die, for every kind of command: what the labels say is what happened."""

import math
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbooks import reaper, settling, spool
from runbooks.executors import executors
from runbooks.models import CommandRun, OutputChunk
from tests.clock import Clock
from tests.faults.deeds import DEEDS, ONLY_LOOK, Deed, available, lacking
from tests.faults.standins import ask, deliver, kill_supervisor, seen_by_the_engine, wait_ended, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.builders import output_of
from tests.runbooks.running import now, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)

# Kills of each kind of command at each place that `make test-full` makes.
FULL = 25
KILLED = -9


@dataclass(frozen=True)
class Expected:
    """After a death: is the true end known, how often may the command have been executed, how does the worker end.

    Up to `end.committed` it is the supervisor that dies, and the worker that waits for it ends as if nothing was.
    """

    known: bool
    executed: tuple[int, ...]
    worker: int = 0
    # What was kept of its output must be shown.
    output: bool = False


CRASHES = {
    "claim.before_commit": Expected(True, (1,), output=True),
    "claim.committed": Expected(False, (0,)),
    "start.committed": Expected(False, (0,)),
    "supervisor.forked": Expected(True, (1,), worker=KILLED, output=True),
    "command.before_spawn": Expected(False, (0,)),
    "command.spawned": Expected(False, (0, 1)),
    "output.kept": Expected(False, (0, 1), output=True),
    "command.ended": Expected(False, (1,), output=True),
    "end.on_disk": Expected(True, (1,), output=True),
    "end.before_commit": Expected(True, (1,), output=True),
    "end.committed": Expected(True, (1,), output=True),
}


@pytest.fixture
def server(world: World) -> Iterator[str]:
    with world.server() as address:
        yield address


def test_every_kind_of_command_that_acts_has_a_deed() -> None:
    missing = [why for kind in executors if kind not in ONLY_LOOK and (why := lacking(kind))]
    if missing:
        pytest.skip(f"nothing dies while these run: {'; '.join(missing)}")


@pytest.mark.parametrize("times", [1, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
@pytest.mark.parametrize("point", CRASHES)
def test_a_death_at_any_place_leaves_the_truth(point: str, times: int, world: World, server: str, clock: Clock) -> None:
    deeds = available()
    place = walk_of_deeds(world, server, deeds)
    expected = CRASHES[point]
    for _ in range(times):
        runs = [ask(world, place, deeds, index) for index in range(len(deeds))]
        assert wait_ended([deliver(run, armed=f"{point}:1") for run in runs]) == [expected.worker] * len(runs)
        wait_all_gone()
        # The message comes again.
        wait_ended([deliver(run) for run in runs])
        for deed, run in zip(deeds, seen_by_the_engine(runs, clock), strict=True):
            _require(expected, deed, run, world)
            if run.status == "outcome_unknown":
                settling.settle_unknown(run=run, verdict="not_done", by=place.user)


def _require(expected: Expected, deed: Deed, run: CommandRun, world: World) -> None:
    done = world.effects()[run.pk]
    known = "succeeded" if deed.exit_code == 0 else "failed"
    assert run.status == (known if expected.known else "outcome_unknown"), (deed.kind, run.reason)
    assert done in expected.executed, deed.kind
    assert bool(run.output_seq) or not expected.output, f"what {deed.kind} had written is not shown"


def test_an_end_on_a_disk_that_the_engine_cannot_see_is_learned_from_the_worker_there(
    world: World, server: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    deeds = [DEEDS["shell"], DEEDS["shell"]]
    place = walk_of_deeds(world, server, deeds)
    known, lost = [ask(world, place, deeds, index) for index in range(2)]
    wait_ended([deliver(known, armed="end.on_disk:1"), deliver(lost, armed="command.ended:1")])
    wait_all_gone()
    # As if neither of them had reached the database after its start; one saw how its command ended.
    OutputChunk.objects.all().delete()
    CommandRun.objects.update(host="elsewhere", output_seq=0, output_bytes=0)
    monkeypatch.setattr(reaper, "_next_clearing", math.inf)
    for run in seen_by_the_engine([known, lost], clock):
        assert (run.status, run.output_seq) == ("outcome_unknown", 0)
    # What every worker does for its own machine, and an engine that sees the disk.
    monkeypatch.setattr(reaper, "_next_clearing", 0.0)
    reaper.tend_spools()
    assert (now(known).status, now(known).exit_code, output_of(known)) == ("failed", 3, b"one\ntwo\n")
    assert (now(lost).status, output_of(lost)) == ("outcome_unknown", b"one\ntwo\n")
    assert spool.run_ids() == []


def test_a_guardian_that_dies_alone_changes_nothing(world: World, server: str) -> None:
    deeds = [DEEDS["shell"]]
    run = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)
    worker = deliver(run)
    until(spool.Spool(run.pk).supervised)
    guardian = guardian_of(run)
    assert guardian
    os.kill(guardian, signal.SIGKILL)
    assert wait_ended([worker]) == [0]
    wait_all_gone()
    assert (now(run).status, now(run).exit_code) == ("failed", 3)


def guardian_of(run: CommandRun) -> int:
    """The pid of an attempt's guardian; 0 when it or the supervisor is gone (another process took the child in)."""
    supervisor, _ = spool.Spool(run.pk).supervisor()
    with suppress(OSError):
        parent = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[1])
        if Path(f"/proc/{parent}/comm").read_text().strip() == "erpops-guard":
            return parent
    return 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_random_deaths_leave_the_truth(world: World, server: str, clock: Clock) -> None:
    """Any process of a command's tree but the command itself, at any time; the seed is in the output."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    # One of each kind: two that write to the same place would wait for each other.
    at_once = available()
    deeds = at_once * 2 * FULL
    place = walk_of_deeds(world, server, deeds)
    for first in range(0, len(deeds), len(at_once)):
        runs = [ask(world, place, deeds, first + index) for index in range(len(at_once))]
        workers = [deliver(run) for run in runs]
        for run, worker in zip(runs, workers, strict=True):
            time.sleep(dice.uniform(0, 0.1))
            victims = dice.sample(["worker", "guardian", "supervisor"], dice.randint(1, 3))
            if "guardian" in victims and (guardian := guardian_of(run)):
                os.kill(guardian, signal.SIGKILL)
            if "supervisor" in victims:
                kill_supervisor(run)
            # Not collected yet, so this pid is still its.
            if "worker" in victims:
                os.kill(worker, signal.SIGKILL)
        assert set(wait_ended(workers)) <= {0, KILLED}
        wait_all_gone()
        wait_ended([deliver(run) for run in runs])
        for run in seen_by_the_engine(runs, clock):
            if run.status == "outcome_unknown":
                settling.settle_unknown(run=run, verdict="not_done", by=place.user)
