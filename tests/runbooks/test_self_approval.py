"""Ways to approve one's own destruction, written straight into the tables: the database refuses each of them.

Each path is a generator: what comes before its `yield` is legal and prepares, what comes after is refused.
Who may not approve is tried by the ORM and by SQL alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction

from erpops import audit, people
from incidents import lifecycle
from incidents.models import Incident
from runbooks import approvals, executions, gate
from runbooks.models import Approval, CommandRun, Execution, Version
from tests.clock import Clock, in_this_transaction
from tests.runbooks.builders import Walk, command, compiled, person, phase, step, walk_of

pytestmark = pytest.mark.django_db

GIVEN = gate.Confirmation(yes=True, reason="beyond repair", target="erpgo-api")
DESTROYS = [command("docker rm -f erpgo-api", "destroy"), command("docker rm -f erpgo-api # again", "destroy")]


@dataclass
class World:
    """An operator's question about what Ada wrote and Pia published; Lena and Lars are the leads."""

    place: Walk
    asked: Approval
    lena: User
    lars: User
    clock: Clock

    def as_it_is(self) -> "World":
        """Read anew, so that no path sees what another had in memory."""
        execution = Execution.objects.get(pk=self.place.execution.pk)
        user, lena, lars = (User.objects.get(pk=each.pk) for each in (self.place.user, self.lena, self.lars))
        place = Walk(execution, user, Incident.objects.get(pk=self.place.incident.pk))
        return World(place, Approval.objects.get(pk=self.asked.pk), lena, lars, self.clock)

    def write(self, how: str = "orm", **values: Any) -> None:
        """Change the approval past every function of ours: by the ORM, or by SQL alone."""
        rows = Approval.objects.filter(pk=self.asked.pk)
        if how == "orm":
            rows.update(**values)
            return
        columns = {name + "_id" * (name.endswith("_by")): value for name, value in values.items()}
        given = [value.pk if isinstance(value, User) else value for value in columns.values()]
        names = ", ".join(f"{name} = %s" for name in columns)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE runbooks_approval SET {names} WHERE id = %s", [*given, self.asked.pk])

    def approve(self, by: User | None, how: str = "orm", way: str = "second", comment: str = "fine") -> None:
        self.write(how, status="approved", way=way, decided_by=by, comment=comment)

    def use(self) -> None:
        self.write(status="used")

    def insert_run(self, **other: Any) -> None:
        """A run as it would be inserted, with whatever differs."""
        asked = self.asked
        base = {"step_run": asked.step_run, "command": asked.command, "kind": "shell", "text": asked.text}
        rest = {"script": "true", "risk": "destroy", "digest": asked.digest, "queue": "env.test"}
        whose = {"requested_by": asked.requested_by, "queued_at": asked.asked_at, "approval": asked}
        CommandRun.objects.create(**{**base, **rest, **whose, **other})

    def asks_again(self, by: User) -> None:
        """The question, asked by `by`, who took over for it."""
        executions.take_over(execution=self.place.execution, by=by)
        self.asked = approvals.ask(step_run=self.place.step(), command=0, by=by, given=GIVEN)


@pytest.fixture
def world() -> World:
    runbook = compiled("Wipe", phase("resolution", step("Wipe", *DESTROYS), step("Other", command("true"))))
    place = walk_of(runbook, production=True)
    lena, lars = person("lena", "lead"), person("lars", "lead")
    ada, pia = person("ada", "admin", "lead"), person("pia", "admin", "lead")
    version = place.execution.version
    version.created_by, version.reviewed_by = ada, pia
    version.save(update_fields=["created_by", "reviewed_by"])
    for user in (lena, lars, ada, pia, place.user):
        User.objects.filter(pk=user.pk).update(email=f"{user.username}@example.test")
    clock = in_this_transaction()
    asked = approvals.ask(step_run=place.step(), command=0, by=place.user, given=GIVEN)
    return World(place, asked, lena, lars, clock)


Path = Callable[[World], Iterator[None]]
PATHS: dict[str, Path] = {}


def path(make: Path) -> Path:
    PATHS[make.__name__] = make
    return make


def second_account(email: str) -> User:
    twin = person("op2", "lead")
    twin.email = email
    twin.save(update_fields=["email"])
    return twin


# Who tries to approve: each by the ORM and by SQL.
def the_asker_made_lead(world: World) -> User:
    world.place.user.groups.add(Group.objects.get(name="lead"))
    return world.place.user


def a_second_account(world: World) -> User:
    return second_account("op@example.test")


def a_second_account_in_capitals(world: World) -> User:
    return second_account("OP@Example.TEST")


def a_second_account_behind_a_plus(world: World) -> User:
    return second_account("op+lead@example.test")


def a_second_account_with_blanks(world: World) -> User:
    return second_account("  op@example.test ")


def the_author(world: World) -> User:
    return User.objects.get(username="ada")


def the_publisher(world: World) -> User:
    return User.objects.get(username="pia")


def the_authors_second_account(world: World) -> User:
    return second_account("ada@example.test")


def the_author_of_the_same_text_before(world: World) -> User:
    walked = world.place.execution.version
    earlier = person("eve", "lead")
    shared = {"text": walked.text, "sha256": walked.sha256, "compiled": walked.compiled}
    Version.objects.create(
        runbook=walked.runbook,
        number=99,
        state="superseded",
        created_at=walked.created_at,
        created_by=earlier,
        **shared,
    )
    return earlier


def a_superuser(world: World) -> User:
    return User.objects.create_superuser("root")


def an_admin(world: World) -> User:
    return person("amy", "admin")


def another_operator(world: World) -> User:
    return person("omar", "operator")


def a_stakeholder(world: World) -> User:
    return person("stan", "stakeholder")


def somebody_without_a_role(world: World) -> User:
    return person("nobody")


def a_deactivated_lead(world: World) -> User:
    User.objects.filter(pk=world.lena.pk).update(is_active=False)
    return world.lena


def a_lead_whose_role_was_taken(world: World) -> User:
    world.lena.groups.clear()
    return world.lena


def nobody(world: World) -> None:
    return None


def a_lead_whose_password_the_asker_reset(world: World) -> User:
    people.reset_password(user=world.lena, by=world.place.user)
    return world.lena


def a_lead_made_by_the_asker(world: World) -> User:
    fresh = person("fresh", "lead")
    with transaction.atomic():
        audit.record(action="person.roles", target=f"user:{fresh.pk}", by=world.place.user, roles=["lead"])
    return fresh


WHO = (
    the_asker_made_lead,
    a_second_account,
    a_second_account_in_capitals,
    a_second_account_behind_a_plus,
    a_second_account_with_blanks,
    the_author,
    the_publisher,
    the_authors_second_account,
    the_author_of_the_same_text_before,
    a_superuser,
    an_admin,
    another_operator,
    a_stakeholder,
    somebody_without_a_role,
    a_deactivated_lead,
    a_lead_whose_role_was_taken,
    nobody,
    a_lead_whose_password_the_asker_reset,
    a_lead_made_by_the_asker,
)


def _approved_by(who: Callable[[World], User | None], how: str) -> Path:
    def act(world: World) -> Iterator[None]:
        user = who(world)
        yield
        world.approve(user, how)

    return act


PATHS |= {f"approved_by_{who.__name__}_{how}": _approved_by(who, how) for who in WHO for how in ("orm", "sql")}


@path
def a_question_that_is_born_approved(world: World) -> Iterator[None]:
    Approval.objects.filter(pk=world.asked.pk).update(status="withdrawn")
    yield
    _copy(world, status="approved", way="second", decided_by=world.lena)


@path
def a_question_that_is_born_used(world: World) -> Iterator[None]:
    Approval.objects.filter(pk=world.asked.pk).update(status="withdrawn")
    yield
    _copy(world, status="used", way="second", decided_by=world.lena)


@path
def a_question_that_is_born_with_an_answer(world: World) -> Iterator[None]:
    Approval.objects.filter(pk=world.asked.pk).update(status="withdrawn")
    yield
    _copy(world, decided_by=world.lena)


@path
def two_open_questions_about_one_command(world: World) -> Iterator[None]:
    yield
    _copy(world)


def _copy(world: World, **other: Any) -> None:
    names = ("step_run", "command", "digest", "text", "doing", "target", "reason", "requested_by", "asked_at")
    kept = {name: getattr(world.asked, name) for name in (*names, "expires_at")}
    Approval.objects.create(**{**kept, **other})


@path
def used_without_an_answer(world: World) -> Iterator[None]:
    yield
    world.use()


@path
def approved_in_no_way(world: World) -> Iterator[None]:
    yield
    world.approve(world.lena, way="")


@path
def the_author_asks_and_a_lead_approves(world: World) -> Iterator[None]:
    lifecycle.set_severity(incident=world.place.incident, to="SEV1", by=None)
    world.asks_again(User.objects.get(username="ada"))
    yield
    world.approve(world.lena)


@path
def the_publisher_asks_and_a_lead_approves(world: World) -> Iterator[None]:
    lifecycle.set_severity(incident=world.place.incident, to="SEV1", by=None)
    world.asks_again(User.objects.get(username="pia"))
    yield
    world.approve(world.lena)


@path
def a_text_that_was_published_by_the_approver_meanwhile(world: World) -> Iterator[None]:
    Version.objects.filter(pk=world.place.execution.version_id).update(reviewed_by=world.lena)
    yield
    world.approve(world.lena)


@path
def glass_broken_outside_a_sev1(world: World) -> Iterator[None]:
    world.asks_again(world.lars)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


def _in_a_sev1(world: World, by: User) -> None:
    lifecycle.set_severity(incident=world.place.incident, to="SEV1", by=None)
    world.asks_again(by)


@path
def glass_broken_too_soon(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.lars)
    world.clock.advance(minutes=4, seconds=59)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


@path
def glass_broken_without_a_reason(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.lars)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.lars, way="break_glass", comment="   ")


@path
def glass_broken_by_an_operator(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.place.user)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.place.user, way="break_glass", comment="it cannot wait at all")


@path
def glass_broken_for_somebody_else(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.place.user)
    world.clock.advance(minutes=6)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


@path
def glass_broken_when_it_is_over(world: World) -> Iterator[None]:
    _in_a_sev1(world, world.lars)
    world.clock.advance(minutes=6)
    lifecycle.resolve(incident=world.place.incident, resolution="gone", by=world.lars)
    yield
    world.approve(world.lars, way="break_glass", comment="it cannot wait at all")


@path
def alone_while_another_lead_is_there(world: World) -> Iterator[None]:
    world.asks_again(world.lars)
    world.clock.advance(minutes=2)
    yield
    world.approve(world.lars, way="solo")


def _alone(world: World) -> None:
    User.objects.exclude(pk=world.lars.pk).filter(groups__name="lead").update(is_active=False)
    world.asks_again(world.lars)


@path
def alone_before_the_cool_down_is_over(world: World) -> Iterator[None]:
    _alone(world)
    world.clock.advance(seconds=59)
    yield
    world.approve(world.lars, way="solo")


@path
def alone_without_being_a_lead(world: World) -> Iterator[None]:
    world.clock.advance(seconds=61)
    User.objects.exclude(pk=world.lars.pk).filter(groups__name="lead").update(is_active=False)
    yield
    world.approve(world.place.user, way="solo")


@path
def alone_until_another_lead_appeared(world: World) -> Iterator[None]:
    _alone(world)
    world.clock.advance(seconds=61)
    world.approve(world.lars, way="solo")
    User.objects.filter(pk=world.lena.pk).update(is_active=True)
    yield
    world.use()


@path
def asked_in_the_name_of_another(world: World) -> Iterator[None]:
    yield
    world.write(requested_by=world.lars)


@path
def without_the_authors(world: World) -> Iterator[None]:
    yield
    world.write(authors=[])


@path
def asked_for_something_else_meanwhile(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(digest="0" * 64)


@path
def asked_for_another_command_meanwhile(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(command=1)


@path
def asked_in_another_step_meanwhile(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(step_run=world.place.step(1))


@path
def asked_longer_ago_than_it_was(world: World) -> Iterator[None]:
    yield
    world.write("sql", asked_at="2020-01-01 00:00:00+00")


@path
def a_longer_time(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write("sql", expires_at="2100-01-01 00:00:00+00")


@path
def approved_when_its_time_is_over(world: World) -> Iterator[None]:
    world.clock.advance(minutes=15)
    yield
    world.approve(world.lena)


@path
def approved_by_the_clock(world: World) -> Iterator[None]:
    world.clock.advance(minutes=15)
    yield
    world.approve(None)


@path
def used_when_its_time_is_over(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.clock.advance(minutes=15)
    yield
    world.use()


@path
def approved_after_a_refusal(world: World) -> Iterator[None]:
    world.write(status="rejected", decided_by=world.lars)
    yield
    world.approve(world.lena)


@path
def approved_after_it_was_withdrawn(world: World) -> Iterator[None]:
    world.write(status="withdrawn")
    yield
    world.approve(world.lena)


@path
def approved_after_it_expired(world: World) -> Iterator[None]:
    world.clock.advance(minutes=16)
    world.write(status="expired")
    yield
    world.approve(world.lena)


@path
def a_used_approval_opened_again(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.write(status="approved")


@path
def another_name_under_the_answer(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.write(decided_by=world.lars)


@path
def used_after_the_approver_left(world: World) -> Iterator[None]:
    world.approve(world.lena)
    User.objects.filter(pk=world.lena.pk).update(is_active=False)
    yield
    world.use()


@path
def used_after_the_approver_lost_the_role(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.lena.groups.clear()
    yield
    world.use()


@path
def used_after_the_asker_left(world: World) -> Iterator[None]:
    world.approve(world.lena)
    User.objects.filter(pk=world.place.user.pk).update(is_active=False)
    yield
    world.use()


@path
def asked_by_a_deactivated_account(world: World) -> Iterator[None]:
    world.write(status="withdrawn")
    User.objects.filter(pk=world.place.user.pk).update(is_active=False)
    yield
    _copy(world)


@path
def a_run_without_an_approval(world: World) -> Iterator[None]:
    yield
    world.insert_run(approval=None)


@path
def a_run_with_an_open_question(world: World) -> Iterator[None]:
    yield
    world.insert_run()


@path
def a_run_with_an_approval_that_stays_open(world: World) -> Iterator[None]:
    world.approve(world.lena)
    yield
    world.insert_run()


@path
def a_run_with_a_refusal(world: World) -> Iterator[None]:
    world.write(status="rejected", decided_by=world.lena)
    yield
    world.insert_run()


@path
def a_second_run_with_the_same_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    world.insert_run(status="succeeded")
    yield
    world.insert_run(attempt=2)


@path
def a_run_with_an_approval_that_was_used_up_before(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    world.clock.advance(seconds=1)
    yield
    world.insert_run()


@path
def another_command_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(command=1)


@path
def other_bytes_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(digest="f" * 64)


@path
def another_person_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(requested_by=world.lars)


@path
def another_step_with_the_approval(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    yield
    world.insert_run(step_run=world.place.step(1))


@path
def a_reading_run_turned_into_a_destroying_one(world: World) -> Iterator[None]:
    world.insert_run(risk="read", approval=None)
    yield
    CommandRun.objects.update(risk="destroy")


@path
def other_bytes_put_into_a_run(world: World) -> Iterator[None]:
    world.approve(world.lena)
    world.use()
    world.insert_run()
    yield
    CommandRun.objects.update(script="rm -rf /")


@path
def an_approval_put_into_a_run(world: World) -> Iterator[None]:
    world.insert_run(risk="change", approval=None)
    yield
    CommandRun.objects.update(approval=world.asked)


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
