"""Deployments under load: workers are told to stop and others take over, while commands wait, start, run and end."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from runbooks import reaper
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun
from tests.faults.conftest import Worker
from tests.faults.deeds import DEEDS, Deed
from tests.faults.standins import ask, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.running import until

pytestmark = pytest.mark.django_db(transaction=True)
StartWorker = Callable[..., Worker]

# Deployments that `make test-full` makes.
SOME, FULL = 3, 50
GRACE_S, EXITS_WITHIN_S = 1, 5
LANES = 4


def _long(world: World, server: str) -> str:
    return DEEDS["shell"].text(world, server).replace("; echo two", f"; sleep {GRACE_S + 1.5}; echo two")


# Of each deployment: two that run on when the old worker's patience is over, and four that come and go.
LOAD = [Deed("shell", _long, 3)] * 2 + [DEEDS["shell"]] * 4


class Deploying:
    """One console's load, and the worker that serves it."""

    def __init__(self, world: World, start_worker: StartWorker, times: int) -> None:
        self.world, self.start_worker = world, start_worker
        self.deeds = LOAD * times
        self.place = walk_of_deeds(world, "", self.deeds)
        self.indexes: Iterator[int] = iter(range(len(self.deeds)))
        self.runs: list[CommandRun] = []
        self.exits: list[float] = []

    def begin(self) -> Worker:
        armed = {"ERPOPS_STOP_GRACE_S": str(GRACE_S)}
        return self.start_worker(queue="env.self", concurrency=LANES, armed=armed)

    def load(self, number: int) -> None:
        self.runs += [ask(self.world, self.place, self.deeds, next(self.indexes)) for _ in range(number)]

    def stop(self, worker: Worker) -> None:
        """Tell it to stop, more load meanwhile; how long it took to end is noted."""
        began = time.monotonic()
        os.kill(worker.process.pid, signal.SIGTERM)
        self.load(2)
        until(lambda: self.tick() and worker.process.poll() is not None, GRACE_S + EXITS_WITHIN_S)
        self.exits.append(time.monotonic() - began)
        assert worker.process.returncode == 0, worker.log.read_text()

    def tick(self) -> bool:
        """What the engine does meanwhile."""
        reaper.tick()
        return True

    def over(self) -> bool:
        self.tick()
        ids = [run.pk for run in self.runs]
        return not CommandRun.objects.filter(pk__in=ids).exclude(status__in=TERMINAL_RUNS).exists()


@pytest.mark.parametrize("times", [SOME, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_deployments_under_load_double_and_lose_nothing(times: int, world: World, start_worker: StartWorker) -> None:
    deploying = Deploying(world, start_worker, times)
    worker = deploying.begin()
    with ThreadPoolExecutor(1) as starter:
        for _ in range(times):
            coming: Future[Worker] = starter.submit(deploying.begin)
            deploying.load(4)
            until(lambda: CommandRun.objects.filter(status="running").count() >= 2, 15)
            before = coming.result()
            deploying.stop(worker)
            worker = before
    until(deploying.over, 60)
    ends = Counter(CommandRun.objects.values_list("status", "exit_code"))
    print(f"{times} deployments, exits after at most {max(deploying.exits):.1f} s, commands: {dict(ends)}")
    assert world.effects() == dict.fromkeys(world.promised, 1)
    assert ends == {("failed", 3): len(LOAD) * times}
