"""Questions and answers that were never asked or given like that, or are changed afterwards."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User

from incidents import lifecycle
from runbooks.models import Approval, Version
from tests.runbooks.self_approval.world import Paths, World

PATHS = Paths()


@PATHS.add
def a_question_that_is_born_approved(world: World) -> Iterator[None]:
    Approval.objects.filter(pk=world.asked.pk).update(status="withdrawn")
    yield
    _copy(world, status="approved", way="second", decided_by=world.lena)


@PATHS.add
def a_question_that_is_born_used(world: World) -> Iterator[None]:
    Approval.objects.filter(pk=world.asked.pk).update(status="withdrawn")
    yield
    _copy(world, status="used", way="second", decided_by=world.lena)


@PATHS.add
def a_question_that_is_born_with_an_answer(world: World) -> Iterator[None]:
    Approval.objects.filter(pk=world.asked.pk).update(status="withdrawn")
    yield
    _copy(world, decided_by=world.lena)


@PATHS.add
def two_open_questions_about_one_command(world: World) -> Iterator[None]:
    yield
    _copy(world)


def _copy(world: World, **other: Any) -> None:
    names = ("step_run", "command", "digest", "text", "doing", "target", "reason", "requested_by", "asked_at")
    kept = {name: getattr(world.asked, name) for name in (*names, "expires_at")}
    Approval.objects.create(**{**kept, **other})


@PATHS.add
def used_without_an_answer(world: World) -> Iterator[None]:
    yield
    world.use()


@PATHS.add
def approved_in_no_way(world: World) -> Iterator[None]:
    yield
    world.approve(world.lena, way="")


@PATHS.add
def the_author_asks_and_a_lead_approves(world: World) -> Iterator[None]:
    lifecycle.set_severity(incident=world.place.incident, to="SEV1", by=None)
    world.asks_again(User.objects.get(username="ada"))
    yield
    world.approve(world.lena)


@PATHS.add
def the_publisher_asks_and_a_lead_approves(world: World) -> Iterator[None]:
    lifecycle.set_severity(incident=world.place.incident, to="SEV1", by=None)
    world.asks_again(User.objects.get(username="pia"))
    yield
    world.approve(world.lena)


@PATHS.add
def a_text_that_was_published_by_the_approver_meanwhile(world: World) -> Iterator[None]:
    Version.objects.filter(pk=world.place.execution.version_id).update(reviewed_by=world.lena)
    yield
    world.approve(world.lena)


@PATHS.add
def asked_in_the_name_of_another(world: World) -> Iterator[None]:
    yield
    world.write(requested_by=world.lars)


@PATHS.add
def without_the_authors(world: World) -> Iterator[None]:
    yield
    world.write(authors=[])


@PATHS.add
def asked_for_something_else_meanwhile(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(digest="0" * 64)


@PATHS.add
def asked_for_another_command_meanwhile(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(command=1)


@PATHS.add
def asked_in_another_step_meanwhile(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(step_run=world.place.step(1))


@PATHS.add
def asked_longer_ago_than_it_was(world: World) -> Iterator[None]:
    yield
    world.write("sql", asked_at="2020-01-01 00:00:00+00")


@PATHS.add
def a_longer_time(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write("sql", expires_at="2100-01-01 00:00:00+00")


@PATHS.add
def approved_when_its_time_is_over(world: World) -> Iterator[None]:
    world.clock.advance(minutes=15)
    yield
    world.approve(world.lena)


@PATHS.add
def approved_by_the_clock(world: World) -> Iterator[None]:
    world.clock.advance(minutes=15)
    yield
    world.approve(None)


@PATHS.add
def used_when_its_time_is_over(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.clock.advance(minutes=15)
    yield
    world.use()


@PATHS.add
def approved_after_a_refusal(world: World) -> Iterator[None]:
    world.write(status="rejected", decided_by=world.lars)
    yield
    world.approve(world.lena)


@PATHS.add
def approved_after_it_was_withdrawn(world: World) -> Iterator[None]:
    world.write(status="withdrawn")
    yield
    world.approve(world.lena)


@PATHS.add
def approved_after_it_expired(world: World) -> Iterator[None]:
    world.clock.advance(minutes=16)
    world.write(status="expired")
    yield
    world.approve(world.lena)


@PATHS.add
def a_used_approval_opened_again(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.write(status="approved")


@PATHS.add
def another_name_under_the_answer(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(decided_by=world.lars)


@PATHS.add
def used_after_the_approver_left(world: World) -> Iterator[None]:
    world.approve(world.lena)
    User.objects.filter(pk=world.lena.pk).update(is_active=False)
    yield
    world.use()


@PATHS.add
def used_after_the_approver_lost_the_role(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.lena.groups.clear()
    yield
    world.use()


@PATHS.add
def used_after_the_asker_left(world: World) -> Iterator[None]:
    world.approve(world.lena)
    User.objects.filter(pk=world.place.user.pk).update(is_active=False)
    yield
    world.use()


@PATHS.add
def asked_by_a_deactivated_account(world: World) -> Iterator[None]:
    world.write(status="withdrawn")
    User.objects.filter(pk=world.place.user.pk).update(is_active=False)
    yield
    _copy(world)
