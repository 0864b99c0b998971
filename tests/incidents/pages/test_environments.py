"""Environments are made and changed by admins, in sentences; secrets are kept out of plain variables."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from erpops.models import AuditEntry
from incidents.models import Environment

from .conftest import ClientOf

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(admin: User, client_of: ClientOf) -> Client:
    """The admin's browser."""
    return client_of(admin)


def form(**changes: str) -> dict[str, str]:
    return {"label": "Production EU", "name": "prod-eu", "is_production": "on", "variables": ""} | changes


def test_an_environment_is_added_and_changed_and_the_audit_names_what(office: Client) -> None:
    office.post("/environments/new", form(variables="# where\nDB_HOST = db.internal\n\nURL=https://a/?b=c"))
    made = Environment.objects.get(name="prod-eu")
    assert made.is_production
    assert made.variables == {"DB_HOST": "db.internal", "URL": "https://a/?b=c"}
    changes = {"label": "Production Europe", "variables": "DB_HOST=db2.internal", "folder": "/srv/shop"}
    office.post("/environments/prod-eu/", form(**changes))
    made.refresh_from_db()
    assert (made.label, made.variables) == ("Production Europe", {"DB_HOST": "db2.internal"})
    assert made.folder == "/srv/shop"
    details = AuditEntry.objects.get(action="environment.edit").details
    assert set(details) == {"name", "label", "variables", "folder"}
    assert "DB_HOST=db2.internal" in office.get("/environments/prod-eu/").content.decode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "prod eu"}, "Use letters, digits, hyphens and underscores only."),
        ({"name": "self"}, "Another environment has this name"),
        ({"name": "new"}, "Another environment has this name"),
        ({"label": ""}, "Say what people call it"),
        ({"variables": "DB_HOST"}, "Line 1: write NAME=value"),
        ({"variables": "A=1\n2B=3"}, "Line 2: write NAME=value"),
        ({"variables": "DB_PASSWORD=x"}, "DB_PASSWORD looks like a secret"),
        ({"variables": "A=\x07"}, "control characters"),
        ({"folder": "srv/shop"}, "Write the whole path"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(office: Client, changes: dict[str, str], sentence: str) -> None:
    Environment.objects.get_or_create(name="self", defaults={"label": "erpops itself"})
    answer = office.post("/environments/new", form(**changes))
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Environment.objects.filter(name="prod-eu").exists()


def test_only_admins_change_where_things_run(operator: User, client_of: ClientOf) -> None:
    client = client_of(operator)
    assert client.get("/environments/").status_code == 403
    assert client.post("/environments/new", form()).status_code == 403
    assert not Environment.objects.filter(name="prod-eu").exists()
