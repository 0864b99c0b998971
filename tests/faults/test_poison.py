"""Work that kills or confuses whoever touches it: it does so once, and everything else goes on."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runbooks import tasks
from runbooks.executors import Job, Launch, executors, shell
from runbooks.models import CommandRun
from runbooks.spool import Spool
from tests.clock import Clock
from tests.faults.deeds import DEEDS, Deed
from tests.faults.standins import ask, deliver, seen_by_the_engine, settled, wait_ended, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.running import now, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)

POISON = Deed("shell", lambda world, server: "echo poison # <attempt>", 0)
GOOD = DEEDS["shell"]
# What may stand where a supervisor writes an end.
DAMAGES = [
    '{"status": "nonsense"}',
    "",
    "[]",
    '{"started_at": "once", "status": "succeeded", "exit_code": 0, "reason": "", "ended_at": "never", '
    '"output_bytes": 0, "dropped_bytes": 0, "last_seq": 0}',
]
FORGED = ["1; true", "-1", "99999999999999999999999", None, "1e3", [1], {"run": 1}]


@pytest.fixture
def server(world: World) -> Iterator[str]:
    with world.server() as address:
        yield address


def test_a_command_that_kills_who_prepares_it_does_so_once_and_others_go_on(
    world: World, server: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def launch(job: Job) -> Launch:
        if "poison" in job.script:
            with (tmp_path / "deaths").open("a") as deaths:
                deaths.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return shell.launch(job)

    monkeypatch.setitem(executors._items, "shell", launch)
    deeds = [POISON, GOOD, POISON, GOOD]
    place = walk_of_deeds(world, server, deeds)
    runs = [ask(world, place, deeds, index) for index in range(len(deeds))]
    for _ in range(4):
        assert wait_ended([deliver(run) for run in runs]) == [0] * len(runs)
    assert (tmp_path / "deaths").read_text() == "xx", "one for each poisonous command, however often its message comes"
    found = [run.status for run in seen_by_the_engine(runs, clock)]
    assert found == ["outcome_unknown", "failed", "outcome_unknown", "failed"]


def test_records_that_make_no_sense_end_as_unknown_and_hold_nobody_up(world: World, server: str, clock: Clock) -> None:
    deeds = [GOOD] * (len(DAMAGES) + 1)
    place = walk_of_deeds(world, server, deeds)
    runs = [ask(world, place, deeds, index) for index in range(len(deeds))]
    wait_ended([deliver(run, armed="end.on_disk:1") for run in runs])
    wait_all_gone()
    for run, damage in zip(runs[:-1], DAMAGES, strict=True):
        (Spool(run.pk).path / "exit.json").write_text(damage)
        (Spool(run.pk).path / "output").write_bytes(b'{"size": 3}\nabc{"seq"')
    clock.advance(seconds=30)
    assert [run.status for run in settled(runs)] == ["outcome_unknown"] * len(DAMAGES) + ["failed"]


def test_a_record_from_before_a_restore_is_not_taken_for_an_attempt_of_the_same_number(
    world: World, server: str, clock: Clock
) -> None:
    deeds = [GOOD, GOOD]
    place = walk_of_deeds(world, server, deeds)
    old, new = [ask(world, place, deeds, index) for index in range(2)]
    # One after the other: only the time of its start tells one from the other.
    wait_ended([deliver(old, armed="end.on_disk:1")])
    wait_ended([deliver(new, armed="start.committed:1")])
    wait_all_gone()
    shutil.copytree(Spool(old.pk).path, Spool(new.pk).path)
    assert [run.status for run in seen_by_the_engine([old, new], clock)] == ["failed", "outcome_unknown"]


def test_messages_that_make_no_sense_start_nothing(world: World, server: str) -> None:
    deeds = [GOOD]
    run = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)
    for forged in FORGED:
        with suppress(TypeError, ValueError, OverflowError):
            tasks.run_command(forged)
        assert now(run).status == "queued", forged
    wait_ended([deliver(run)])
    assert CommandRun.objects.get().exit_code == 3
