"""`manage.py prepare`: from an empty database to a console that watches itself."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from checks.models import Check, Target
from erpops import people
from erpops.management.commands import prepare
from incidents.models import Environment, Service, Source

MANAGE = Path(settings.BASE_DIR) / "manage.py"
EXPECTED_ALERTS = {
    "ErpopsDatabaseConnectionsHigh",
    "ErpopsSlowQueries",
    "ErpopsValkeyMemoryHigh",
    "ErpopsWorkerBacklog",
    "ErpopsDiskSpaceLow",
    "ErpopsWebLatencyHigh",
}


def run() -> str:
    out = StringIO()
    call_command("prepare", stdout=out)
    return out.getvalue()


def contents() -> dict[str, list[Any]]:
    """Every row of every table of ours."""
    ours = ("erpops", "incidents", "checks", "runbooks", "auth")
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.app_label in ours
    }


@pytest.mark.django_db
def test_a_fresh_installation_watches_itself() -> None:
    said = run()
    login = re.search(r"^FIRST_LOGIN admin (\S+)$", said, re.MULTILINE)
    assert login is not None
    assert Client().login(username="admin", password=login[1])
    admin = User.objects.get()
    assert set(admin.groups.values_list("name", flat=True)) == {"admin", "lead", "operator"}
    assert not admin.is_superuser
    assert set(Group.objects.values_list("name", flat=True)) == {"admin", "lead", "operator", "stakeholder"}
    environment = Environment.objects.get()
    assert (environment.name, environment.is_production) == ("self", False)
    assert set(Service.objects.values_list("name", flat=True)) == {"console", "database", "broker", "worker"}
    assert set(Source.objects.values_list("name", "kind")) == {
        ("Checks", "checks"),
        ("Fire drill", "generic"),
        ("Alertmanager", "alertmanager"),
    }
    assert Check.objects.count() >= 8
    assert set(Check.objects.values_list("alert_name", flat=True)) == EXPECTED_ALERTS
    assert all(target.setting and not target.address for target in Target.objects.all())


@pytest.mark.django_db
def test_preparing_again_changes_nothing_and_tells_no_password() -> None:
    run()
    before = contents()
    assert "FIRST_LOGIN" not in run()
    assert contents() == before


@pytest.mark.django_db
def test_what_people_changed_or_removed_stays_so() -> None:
    run()
    Check.objects.filter(name="database-size").delete()
    Check.objects.filter(name="data-disk").update(critical_at=50)
    Source.objects.filter(name="Alertmanager").delete()
    Service.objects.filter(name="worker").update(label="Workers")
    User.objects.create_user("second")
    run()
    assert not Check.objects.filter(name="database-size").exists()
    assert Check.objects.get(name="data-disk").critical_at == 50
    assert not Source.objects.filter(name="Alertmanager").exists()
    assert Service.objects.get(name="worker").label == "Workers"


@pytest.mark.django_db
def test_the_first_admin_can_be_reached_at_a_given_address(settings: Any) -> None:
    settings.ADMIN_EMAIL = "not an address"
    with pytest.raises(CommandError, match="ERPOPS_ADMIN_EMAIL is 'not an address'"):
        run()
    assert not User.objects.exists()
    settings.ADMIN_EMAIL = "ops@example.org"
    run()
    assert User.objects.get().email == "ops@example.org"


@pytest.mark.django_db
def test_an_installation_with_accounts_gets_no_admin() -> None:
    User.objects.create_user("somebody")
    assert "FIRST_LOGIN" not in run()
    assert User.objects.count() == 1


def test_the_password_is_long_and_without_look_alikes() -> None:
    made = {people.first_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){3}", word) for word in made)


@pytest.mark.django_db
def test_another_one_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "WAIT_S", 0.3)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [prepare.LOCK])
        with pytest.raises(CommandError, match=r"Another `manage.py prepare` has been running"):
            run()


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"fresh_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_two_at_once_on_an_empty_database_make_one_installation(empty_database: str) -> None:
    environment = os.environ | {"DATABASE_URL": empty_database}
    both = [
        subprocess.Popen(
            [sys.executable, str(MANAGE), "prepare"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=100)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "".join(said).count("FIRST_LOGIN admin ") == 1
    with psycopg.connect(empty_database) as found:
        row = found.execute(
            "SELECT (SELECT count(*) FROM auth_user), (SELECT count(*) FROM checks_check WHERE enabled)"
        ).fetchone()
    assert row is not None and row[0] == 1 and row[1] >= 8
