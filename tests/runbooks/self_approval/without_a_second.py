"""Ways around the second person: the glass, and being the only lead."""

from collections.abc import Iterator

from django.contrib.auth.models import User

from incidents import lifecycle
from tests.runbooks.self_approval.world import Paths, World

PATHS = Paths()


@PATHS.add
def glass_broken_outside_a_sev1(world: World) -> Iterator[None]:
    world.asks_again(world.lars)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


def _in_a_sev1(world: World, by: User) -> None:
    lifecycle.set_severity(incident=world.place.incident, to="SEV1", by=None)
    world.asks_again(by)


@PATHS.add
def glass_broken_too_soon(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.lars)
    world.clock.advance(minutes=4, seconds=59)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


@PATHS.add
def glass_broken_without_a_reason(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.lars)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.lars, way="break_glass", comment="   ")


@PATHS.add
def glass_broken_by_an_operator(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.place.user)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.place.user, way="break_glass", comment="it cannot wait at all")


@PATHS.add
def glass_broken_for_somebody_else(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.place.user)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


@PATHS.add
def glass_broken_when_it_is_over(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.lars)
    world.clock.advance(minutes=6)
    lifecycle.resolve(incident=world.place.incident, resolution="gone", by=world.lars)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


@PATHS.add
def alone_while_another_lead_is_there(world: World) -> Iterator[None]:
    world.asks_again(world.lars)
    world.clock.advance(minutes=2)
    yield
    world.approve(world.lars, way="solo")


def _alone(world: World) -> None:
    User.objects.exclude(pk=world.lars.pk).filter(groups__name="lead").update(is_active=False)
    world.asks_again(world.lars)


@PATHS.add
def alone_before_the_cool_down_is_over(world: World) -> Iterator[None]:
    _alone(world)
    world.clock.advance(seconds=59)
    yield
    world.approve(world.lars, way="solo")


@PATHS.add
def alone_without_being_a_lead(world: World) -> Iterator[None]:
    world.clock.advance(seconds=61)
    User.objects.exclude(pk=world.lars.pk).filter(groups__name="lead").update(is_active=False)
    yield
    world.approve(world.place.user, way="solo")


@PATHS.add
def alone_until_another_lead_appeared(world: World) -> Iterator[None]:
    _alone(world)
    world.clock.advance(seconds=61)
    world.approve(world.lars, way="solo")
    User.objects.filter(pk=world.lena.pk).update(is_active=True)
    yield
    world.use()
