"""Parameters whose name says that they are secrets: kept encrypted, never shown, used all the same."""

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from erpops import secrets
from runbooks import executions, runner, secret_values
from runbooks.models import CommandRun, Execution
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import run_now, wait_all_gone

SECRET = "tr0ub4dor-and-3-more"


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "admin-token", "apiKey", "aws_secret_access_key", "client-secret", "PGPASSWORD"]
)
def test_a_name_says_that_it_is_a_secret(name: str) -> None:
    assert secret_values.is_secret(name)


@pytest.mark.parametrize(
    "name", ["secret", "secret-name", "pod", "password-file", "token_id", "keyspace", "key", "user"]
)
def test_other_names_are_no_secrets(name: str) -> None:
    assert not secret_values.is_secret(name)


@pytest.fixture
def place(transactional_db: None) -> Walk:
    parameters = [{"name": "db-password"}, {"name": "user"}]
    text = 'x=<db-password>; printf "%s %s %s\\n" <user> "${#x}" <db-password>; printf %s <db-password> | base64'
    return walk(command(text, parameters=parameters))


def stored() -> str:
    """Everything that the two tables hold of values, as the database has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT values::text FROM runbooks_execution UNION ALL SELECT values::text FROM runbooks_commandrun"
        )
        return " ".join(row[0] for row in cursor.fetchall())


def test_a_secret_value_is_used_and_masked_and_encrypted(place: Walk) -> None:
    executions.set_values(execution=place.execution, values={"db-password": SECRET, "user": "ann"}, by=place.user)
    run = run_now(place)
    wait_all_gone()
    assert run.status == "succeeded", run.reason
    assert output_of(run).decode() == f"ann {len(SECRET)} •••\n•••\n"
    assert SECRET not in stored()
    assert "ann" in stored()
    assert str(CommandRun.objects.get().values["db-password"]) == "•••"
    assert secret_values.opened(CommandRun.objects.get().values)["db-password"] == SECRET


def test_a_form_that_sends_the_mask_back_changes_nothing(place: Walk) -> None:
    for given in ({"db-password": SECRET, "user": "ann"}, {"db-password": secret_values.SHOWN, "user": "bob"}):
        executions.set_values(execution=place.execution, values=given, by=place.user)
    kept = secret_values.opened(Execution.objects.get().values)
    assert kept == {"db-password": SECRET, "user": "bob"}
    run = run_now(place, values={"db-password": secret_values.SHOWN, "user": "bob"})
    wait_all_gone()
    assert output_of(run).decode().startswith(f"bob {len(SECRET)} ")
    executions.set_values(execution=place.execution, values={"db-password": ""}, by=place.user)
    assert Execution.objects.get().values == {"user": "bob"}


def test_no_page_shows_a_secret_value(place: Walk, client: Client) -> None:
    executions.set_values(execution=place.execution, values={"db-password": SECRET, "user": "ann"}, by=place.user)
    run = run_now(place)
    wait_all_gone()
    client.force_login(place.user)
    number, execution = place.incident.pk, place.execution.pk
    step = client.get(reverse("walk_step", kwargs={"number": number, "execution": execution, "position": 0}))
    page = client.get(reverse("run_output", kwargs={"number": number, "run": run.pk}))
    for answer in (step, page):
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()
        assert "ann" in answer.content.decode()
    assert 'type="password"' in step.content.decode()


def test_a_sealed_value_is_a_mask_wherever_it_is_written() -> None:
    [value] = secret_values.sealed({"password": SECRET}).values()
    assert [str(value), f"{value}", f"{value:>5}", repr(value), "%s" % value] == ["•••", "•••", "  •••", "'•••'", "•••"]  # noqa: UP031
    assert secret_values.sealed({"password": value})["password"] is value


def test_a_value_whose_key_is_gone_is_asked_for_again(place: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"db-password": SECRET, "user": "ann"}
    executions.set_values(execution=place.execution, values=given, by=place.user)
    monkeypatch.setattr(settings, "FIELD_KEYS", ["another key than before"])
    secrets._box.cache_clear()
    try:
        with pytest.raises(Refused, match="Fill in db-password first"):
            runner.request(step_run=place.step(), command=0, by=place.user)
        executions.set_values(execution=place.execution, values={"db-password": SECRET}, by=place.user)
        run = run_now(place)
        wait_all_gone()
        assert run.status == "succeeded", run.reason
    finally:
        secrets._box.cache_clear()
