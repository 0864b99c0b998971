"""Runs that no approval, or another one, is bound to."""

from collections.abc import Iterator

from runbooks.models import CommandRun
from tests.runbooks.self_approval.world import Paths, World

PATHS = Paths()


@PATHS.add
def a_run_without_an_approval(world: World) -> Iterator[None]:
    yield
    world.insert_run(approval=None)


@PATHS.add
def a_run_with_an_open_question(world: World) -> Iterator[None]:
    yield
    world.insert_run()


@PATHS.add
def a_run_with_an_approval_that_stays_open(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.insert_run()


@PATHS.add
def a_run_with_a_refusal(world: World) -> Iterator[None]:
    world.write(status="rejected", decided_by=world.lena)
    yield
    world.insert_run()


@PATHS.add
def a_second_run_with_the_same_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    world.insert_run(status="succeeded")
    yield
    world.insert_run(attempt=2)


@PATHS.add
def a_run_with_an_approval_that_was_used_up_before(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    world.clock.advance(seconds=1)
    yield
    world.insert_run()


@PATHS.add
def another_command_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(command=1)


@PATHS.add
def other_bytes_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(digest="f" * 64)


@PATHS.add
def another_person_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(requested_by=world.lars)


@PATHS.add
def another_step_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(step_run=world.place.step(1))


@PATHS.add
def a_reading_run_turned_into_a_destroying_one(world: World) -> Iterator[None]:
    world.insert_run(risk="read", approval=None)
    yield
    CommandRun.objects.update(risk="destroy")


@PATHS.add
def other_bytes_put_into_a_run(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    world.insert_run()
    yield
    CommandRun.objects.update(script="rm -rf /")


@PATHS.add
def an_approval_put_into_a_run(world: World) -> Iterator[None]:
    world.insert_run(risk="change", approval=None)
    yield
    CommandRun.objects.update(approval=world.asked)
