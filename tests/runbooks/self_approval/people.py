"""Who may not approve: each tries it by the ORM and by SQL alone."""

from collections.abc import Callable, Iterator

from django.contrib.auth.models import Group, User
from django.db import transaction

from erpops import audit, people
from runbooks.models import Version
from tests.runbooks.builders import person
from tests.runbooks.self_approval.world import Path, Paths, World

PATHS = Paths()


def second_account(email: str) -> User:
    twin = person("op2", "lead")
    twin.email = email
    twin.save(update_fields=["email"])
    return twin


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
