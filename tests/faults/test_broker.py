"""The broker forgets, dies, comes back and is away: it costs time, and nothing else."""

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
import redis
from django.conf import settings

from erpops.embedded.valkey import Valkey
from runbooks import reaper, tasks
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun
from tests.faults.conftest import Worker
from tests.faults.deeds import DEEDS
from tests.faults.standins import ask, walk_of_deeds
from tests.faults.world import World
from tests.running_servers import _servers

pytestmark = pytest.mark.django_db(transaction=True)
StartWorker = Callable[..., Worker]

# Without anybody's help a worker must take up work again within this time of the broker's return.
BACK_WITHIN_S = 30
# Restarts at once, and how long the broker is away in the end, by default and in `make test-full`.
SOME, FULL = (0, 1.0), (20, 60.0)
PER_TURN = 5


@pytest.fixture
def broker() -> Iterator[Valkey]:
    [found] = [each for each in _servers if isinstance(each, Valkey)]
    yield found
    if not found.alive():
        found.start()


def finish(runs: Sequence[CommandRun], seconds: float) -> float:
    """Do the engine's part until every attempt has an end; how long that took."""
    began = time.monotonic()
    ids = [run.pk for run in runs]
    while CommandRun.objects.filter(pk__in=ids).exclude(status__in=TERMINAL_RUNS).exists():
        assert time.monotonic() - began < seconds, "not all attempts have ended"
        reaper.tick()
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("restarts", "away_s"), [SOME, pytest.param(*FULL, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_a_broker_that_forgets_and_restarts_and_stays_away_costs_only_time(
    restarts: int, away_s: float, world: World, start_worker: StartWorker, broker: Valkey
) -> None:
    start_worker(queue="env.self", concurrency=4)
    deeds = [DEEDS["shell"]] * (PER_TURN * (2 * restarts + 3))
    place = walk_of_deeds(world, "", deeds)
    indexes = iter(range(len(deeds)))

    def turn() -> list[CommandRun]:
        return [ask(world, place, deeds, next(indexes)) for _ in range(PER_TURN)]

    runs = turn()
    for run in runs:
        for _ in range(10):
            tasks.ring(run.pk, run.queue)
    time.sleep(0.1)
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    finish(runs, BACK_WITHIN_S)
    for away in [0.0] * restarts + [away_s]:
        # It dies with messages in it and on their way, and comes back empty at the same address.
        runs = turn()
        broker.stop(hurry=True)
        gone_at = time.monotonic()
        runs += turn()
        while time.monotonic() - gone_at < away:
            reaper.tick()
            time.sleep(0.2)
        broker.start()
        finish(runs, BACK_WITHIN_S)
    assert world.effects() == dict.fromkeys(world.promised, 1)
