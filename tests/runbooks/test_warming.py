"""What a spare does before there is an attempt: all that an attempt needs, and nothing that anybody sees."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from erpops import env
from incidents.models import Environment
from runbooks import runner, spool, undertaking, variables, warming
from runbooks.variables import Variables
from tests.runbooks.builders import command, walk
from tests.runbooks.running import run_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def own_connection() -> Iterator[None]:
    """Whatever is set for the connection ends with the test."""
    connection.close()
    yield
    connection.close()


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored."""
    return {model._meta.db_table: list(model._base_manager.values_list()) for model in apps.get_models()}


def prepared() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE name LIKE '\\_pg3%'")
        return {statement for (statement,) in cursor.fetchall() if "pg_prepared_statements" not in statement}


@pytest.mark.usefixtures("own_connection")
def test_going_through_an_attempt_of_nobody_leaves_nothing_and_takes_no_attempt_of_somebody() -> None:
    place = walk(command("echo one"))
    waiting = runner.request(step_run=place.step(), command=0, by=place.user)
    before = rows()
    warming.go_through()
    assert rows() == before
    assert not spool.Spool(0).path.exists()
    waiting.refresh_from_db()
    assert waiting.status == "queued"


@pytest.mark.usefixtures("own_connection")
def test_nothing_between_the_bell_and_the_start_is_planned_for_the_first_time() -> None:
    if not env.flag("ERPOPS_PREPARED_STATEMENTS", True):
        pytest.skip("statements are not prepared: ERPOPS_PREPARED_STATEMENTS is 0")
    place = walk(command("echo one"))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    warming.go_through()
    known = prepared()
    assert any("UPDATE" in statement and "fence" in statement for statement in known)
    claimed = undertaking.claim(run.pk)
    assert claimed is not None
    assert undertaking.begin(claimed) is not None
    new = sorted(prepared() - known)
    assert new == [], new


def test_an_attempt_is_carried_out_though_its_spare_could_not_get_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    given = variables.of_targets

    def fails_nowhere(environment: Environment) -> Variables:
        if environment.pk == 0:
            raise RuntimeError("not today")
        return given(environment)

    monkeypatch.setitem(variables.providers._items, "targets", fails_nowhere)
    assert run_now(walk(command("echo one"))).status == "succeeded"
