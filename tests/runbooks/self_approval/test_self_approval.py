"""Ways to approve one's own destruction, written straight into the tables: the database refuses each of them."""

import pytest
from django.db import IntegrityError, transaction

from runbooks.models import CommandRun
from tests.runbooks.self_approval import answers, people, runs, without_a_second
from tests.runbooks.self_approval.world import World, made

pytestmark = pytest.mark.django_db
PATHS = people.PATHS | answers.PATHS | without_a_second.PATHS | runs.PATHS


@pytest.fixture
def world() -> World:
    return made()


def refuses(name: str, world: World) -> bool:
    """Whether the database stops the path at its last act; nothing of it stays."""
    with transaction.atomic():
        steps = PATHS[name](world.as_it_is())
        next(steps)
        runs = CommandRun.objects.count()
        try:
            with transaction.atomic():
                next(steps, None)
            refused = False
        except IntegrityError:
            refused = CommandRun.objects.count() == runs
        transaction.set_rollback(True)
    return refused


def test_the_database_refuses_each_path(world: World) -> None:
    assert [name for name in PATHS if not refuses(name, world)] == []


def test_there_are_more_than_sixty_paths() -> None:
    assert len(PATHS) >= 60


def test_the_way_that_is_meant_is_open(world: World) -> None:
    world.approve(world.lena, "sql")
    world.use()
    world.insert_run()
    assert CommandRun.objects.get().approval == world.asked
