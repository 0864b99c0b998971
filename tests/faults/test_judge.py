"""The judge of these tests sees each kind of lie: what is planted is found, and nothing else is."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from runbooks import spool
from runbooks.models import CommandRun
from tests.faults.conftest import url_of_tests
from tests.faults.deeds import DEEDS
from tests.faults.invariants import judge
from tests.faults.standins import ask, deliver, wait_ended, walk_of_deeds
from tests.faults.world import World
from tests.incidents.escalation.conftest import Team, team
from tests.runbooks.running import now, wait_all_gone

__all__ = ["team"]
pytestmark = pytest.mark.django_db(transaction=True)
# What is planted here is not judged again.
JUDGED = False


@pytest.fixture
def run(world: World) -> Iterator[CommandRun]:
    """One attempt that was executed once and failed with 3, of which nothing is wrong."""
    with world.server() as server:
        deeds = [DEEDS["shell"]]
        asked = ask(world, walk_of_deeds(world, server, deeds), deeds, 0)
        wait_ended([deliver(asked)])
        wait_all_gone()
        yield now(asked)


def found(world: World) -> set[str]:
    """Which invariants are said to be broken."""
    verdict = judge(database_url=url_of_tests(), world=world, data=Path(settings.DATA_DIR))
    return {sentence.partition(":")[0] for sentence in verdict.violations}


@contextmanager
def row(table: str, column: str, value: str | int) -> Iterator[None]:
    """The one row of a table changed behind everybody's back, for a while."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        [(before,)] = cursor.fetchall()
        cursor.execute(f"UPDATE {table} SET {column} = %s", [value])
        yield
        cursor.execute(f"UPDATE {table} SET {column} = %s", [before])


@contextmanager
def effects(world: World, text: str) -> Iterator[None]:
    """The file of effects with other lines in it, for a while."""
    before = world.file.read_text()
    world.file.write_text(text)
    yield
    world.file.write_text(before)


def test_nothing_is_found_where_nothing_is_wrong_and_each_lie_is_found(world: World, run: CommandRun) -> None:
    assert found(world) == set()
    line = world.file.read_text()
    lies: list[tuple[AbstractContextManager[None], set[str]]] = [
        (effects(world, line * 2), {"G2", "G3"}),
        (effects(world, line + "attempt-of-nobody\n"), {"G2"}),
        (effects(world, ""), {"G3"}),
        (row("runbooks_commandrun", "exit_code", 0), {"G3"}),
        (row("runbooks_commandrun", "status", "succeeded"), {"G3", "G6"}),
        (row("runbooks_commandrun", "status", "not_started"), {"G3", "G6"}),
        (row("runbooks_commandrun", "status", "running"), {"G7"}),
        (row("runbooks_commandrun", "output_seq", 99), {"G6"}),
        (row("incidents_incident", "event_seq", 99), {"G6"}),
        (row("incidents_incident", "event_seq", 0), {"G6"}),
    ]
    for number, (lie, seen) in enumerate(lies):
        with lie:
            assert (number, found(world)) == (number, seen)
    world.acknowledged.append("never-came")
    assert found(world) == {"G1"}
    world.acknowledged.clear()
    assert found(world) == set()


def test_a_process_that_runs_on_is_found(world: World, run: CommandRun) -> None:
    home = spool.root() / str(run.pk) / "work"
    left = subprocess.Popen(["sleep", "60"], env={"HOME": str(home), "PATH": os.environ["PATH"]})
    try:
        assert found(world) == {"G8"}
    finally:
        left.kill()
        left.wait()
    assert found(world) == set()


def test_pages_that_are_lost_doubled_or_stuck_are_found(world: World, team: Team) -> None:
    incident = team.open()
    assert found(world) == {"G4"}, "it is still queued"
    taken: list[str] = []
    world.taken = lambda: taken
    with row("incidents_message", "status", "sent"):
        assert found(world) == {"G5"}, "no receiver has it"
        taken.append(incident.messages.get().idem_key[:32])
        assert found(world) == set()
        taken.append(taken[0])
        assert found(world) == {"G5"}, "it came twice and nobody repeated it"
        taken.pop()
        with row("incidents_message", "kind", "notice"):
            assert found(world) == {"G4"}, "a call without a page"
    with row("incidents_message", "status", "failed"):
        assert found(world) == {"G4"}, "the timeline does not tell of it"
