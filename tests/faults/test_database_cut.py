"""Every connection to the database is cut again and again while commands run: nothing is guessed, it is looked up."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection

from runbooks import reaper
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun
from tests.faults.conftest import Worker
from tests.faults.deeds import DEEDS, Deed
from tests.faults.standins import ask, need_program, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.builders import Walk

pytestmark = pytest.mark.django_db(transaction=True)

EVERY_S = 2.0
# Rounds of commands, by default and in `make test-full`; a round takes about as long as a pause between two cuts.
SOME, FULL = 2, 60
# Without SQL, whose own connection would be among those that are cut.
KINDS = ["shell", "script", "http"] * 2


@contextmanager
def cutting() -> Iterator[list[int]]:
    """Every two seconds every session ends but this one's; yields how many that were, each time."""
    cut: list[int] = []
    over = threading.Event()
    database = connection.settings_dict["NAME"]

    def work() -> None:
        with psycopg.connect(os.environ["ERPOPS_TEST_ADMIN_URL"], autocommit=True) as admin:
            ending = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
            while not over.wait(EVERY_S):
                [(ended,)] = admin.execute(ending, [database]).fetchall()
                cut.append(ended)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield cut
    finally:
        over.set()
        thread.join(10)


def patiently(act: Callable[[], object]) -> object:
    """As a person or the engine, who try again when the database did not answer."""
    for _ in range(20):
        try:
            return act()
        except DatabaseError:
            connection.close()
            time.sleep(0.1)
    raise AssertionError("the database was away for too long")


def ask_once(world: World, place: Walk, deeds: Sequence[Deed], index: int) -> None:
    """Ask for an attempt; when the answer was lost, look whether it was made before asking again."""

    def asked() -> None:
        known = CommandRun.objects.filter(command=index).first()
        if known is None:
            ask(world, place, deeds, index)
        else:
            world.promise(known.pk, known.values.get("attempt", ""), deeds[index].exit_code)

    patiently(asked)


@pytest.mark.parametrize("rounds", [SOME, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_commands_are_executed_once_while_every_connection_is_cut_every_two_seconds(
    rounds: int, world: World, start_worker: Callable[..., Worker]
) -> None:
    start_worker(queue="env.self", concurrency=4)
    with world.server() as server:
        deeds = [DEEDS[kind] for kind in KINDS * rounds]
        for deed in deeds:
            need_program(deed)
        place = walk_of_deeds(world, server, deeds)
        with cutting() as cut:
            for index in range(len(deeds)):
                ask_once(world, place, deeds, index)
                patiently(reaper.tick)
                time.sleep(EVERY_S / len(KINDS))
            until_over(len(deeds))
    assert len(cut) >= rounds - 1
    assert sum(cut) > 0
    unknown = CommandRun.objects.filter(status="outcome_unknown").count()
    assert unknown == 0, "who asks again finds what was done"
    assert world.effects() == dict.fromkeys(world.promised, 1)


def until_over(number: int) -> None:
    """The engine's part, until all attempts have ended."""
    deadline = time.monotonic() + 60

    def left() -> int:
        reaper.tick()
        return number - CommandRun.objects.filter(status__in=TERMINAL_RUNS).count()

    while patiently(left):
        assert time.monotonic() < deadline, "not all attempts have ended"
        time.sleep(0.2)
