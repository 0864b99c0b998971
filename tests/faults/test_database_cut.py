"""Every connection to the database is cut again and again while commands run: nothing is guessed, it is looked up."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection

from runbooks import reaper
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun
from tests.faults.conftest import Worker
from tests.faults.deeds import DEEDS, Deed
from tests.faults.proxy import Proxy
from tests.faults.standins import ask, deliver, wait_ended, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.builders import Walk, output_of
from tests.runbooks.running import now, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)

EVERY_S = 2.0
# Rounds of commands, by default and in `make test-full`; a round takes about as long as a pause between two cuts.
SOME, FULL = 2, 60
# How many writes the way of one command has, from its claim to its end.
LEAST_WRITES, MOST_WRITES = 6, 16
# Without SQL, whose own connection would be among those that are cut.
KINDS = ["shell", "script"] * 3


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
        place = walk_of_deeds(world, server, deeds)
        with cutting() as cut:
            for index in range(len(deeds)):
                ask_once(world, place, deeds, index)
                patiently(reaper.tick)
                time.sleep(EVERY_S / len(KINDS))
            until_over(len(deeds))
    assert len(cut) >= rounds - 1 and sum(cut) > 0, "else nothing was cut"
    unknown = CommandRun.objects.filter(status="outcome_unknown").count()
    assert unknown == 0, "who asks again finds what was done"
    assert world.effects() == dict.fromkeys(world.promised, 1)


def test_no_answer_that_is_lost_makes_anything_happen_twice_or_not_at_all(world: World) -> None:
    """Each write on the way of a command once is the one whose answer never comes: done, and nobody knows."""
    deeds = [DEEDS["shell"]] * (MOST_WRITES + 1)
    place = walk_of_deeds(world, "", deeds)
    [writes] = carried_out(world, place, deeds, [0])
    assert LEAST_WRITES <= writes <= MOST_WRITES
    seen = carried_out(world, place, deeds, list(range(1, writes + 1)))
    assert sum(number >= cut for cut, number in enumerate(seen, 1)) >= LEAST_WRITES, "else too few were cut"


def carried_out(world: World, place: Walk, deeds: Sequence[Deed], cuts: list[int]) -> list[int]:
    """Carry out a command for each of `cuts`, the number of the write that gets no answer; how many writes each had."""
    host, port = connection.settings_dict["HOST"], int(connection.settings_dict["PORT"])
    with ExitStack() as opened:
        proxies = [opened.enter_context(Proxy(host, port, cut=cut)) for cut in cuts]
        runs = [ask(world, place, deeds, cut) for cut in cuts]
        children = [deliver(run, PORT=str(proxy.port)) for run, proxy in zip(runs, proxies, strict=True)]
        assert wait_ended(children, 60) == [0] * len(runs)
        wait_all_gone()
    assert [(now(run).status, now(run).exit_code) for run in runs] == [("failed", 3)] * len(runs)
    assert [output_of(run) for run in runs] == [b"one\ntwo\n"] * len(runs)
    assert [world.effects()[run.pk] for run in runs] == [1] * len(runs)
    return [proxy.seen for proxy in proxies]


def until_over(number: int) -> None:
    """The engine's part, until all attempts have ended."""
    deadline = time.monotonic() + 60

    def left() -> int:
        reaper.tick()
        return number - CommandRun.objects.filter(status__in=TERMINAL_RUNS).count()

    while patiently(left):
        assert time.monotonic() < deadline, "not all attempts have ended"
        time.sleep(0.2)
