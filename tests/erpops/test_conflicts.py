"""What PostgreSQL refuses because of another transaction is done again; a database that is away is said."""

import pytest
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from incidents.models import Service

_RAISE = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
states: list[str] = []


def act(request: HttpRequest) -> HttpResponse:
    """One transaction that meets the next of `states` after it has written."""
    with transaction.atomic():
        Service.objects.create(name="orders", label="Orders", public_name="Orders")
        if states:
            with connection.cursor() as cursor:
                cursor.execute(_RAISE.format(state=states.pop(0)))
    return HttpResponse("done")


def lost(request: HttpRequest) -> HttpResponse:
    raise OperationalError("the connection is closed")


urlpatterns = [path("act", act), path("lost", lost)]
handler500 = "erpops.views.shell.failed"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(django_user_model: type) -> Client:
    states.clear()
    client = Client(raise_request_exception=False)
    client.force_login(django_user_model.objects.create_user("op"))  # type: ignore[attr-defined]
    return client


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_deadlock_or_serialization_failure_is_done_again_and_written_once(client: Client, state: str) -> None:
    states.extend([state, state])
    assert client.post("/act").content == b"done"
    assert Service.objects.filter(name="orders").count() == 1


@override_settings(ROOT_URLCONF=__name__)
def test_a_conflict_that_does_not_end_is_an_error_and_leaves_nothing(client: Client) -> None:
    states.extend(["40P01"] * 10)
    assert client.post("/act").status_code == 503
    assert not Service.objects.filter(name="orders").exists()


@override_settings(ROOT_URLCONF=__name__)
def test_other_errors_of_the_database_are_not_tried_again(client: Client) -> None:
    states.extend(["23514"] * 10)
    assert client.post("/act").status_code == 500
    assert len(states) == 9


@override_settings(ROOT_URLCONF=__name__)
def test_without_a_database_the_page_says_so_and_when_to_come_back(client: Client) -> None:
    answer = client.get("/lost")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "The database does not answer" in answer.content.decode()
