"""Credentials of targets: when they were last handed out, and a warning before they expire."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import credentials, tasks
from checks.models import Target
from erpops import clock as time
from erpops.claims import claim
from erpops.models import AuditEntry
from erpops.needs import needs_of
from incidents.models import Environment
from tests.clock import Clock, clock

from .conftest import ADMIN, OPERATOR, MakeCheck

__all__ = ["clock"]
Person = Callable[..., Client]


def today() -> date:
    return timezone.localdate(time.now())


def put(target: Target, **values: object) -> None:
    Target.objects.filter(pk=target.pk).update(**values)
    target.refresh_from_db()


@pytest.mark.django_db(transaction=True)
def test_a_check_that_receives_a_credential_says_so_once_a_minute(make_check: MakeCheck, clock: Clock) -> None:
    check = make_check()

    def measured() -> datetime | None:
        [claimed] = claim(type(check).objects.filter(pk=check.pk), limit=1, lease_s=60)
        tasks.run_check(check.pk, claimed.fence)
        check.target.refresh_from_db()
        return check.target.credential_used_at

    assert measured() is None, "there is no credential"
    put(check.target, credential="hunter2")
    first = measured()
    assert first is not None
    clock.advance(seconds=30)
    assert measured() == first
    clock.advance(seconds=31)
    second = measured()
    assert second is not None and second > first
    assert check.target.credential == "hunter2"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "words", "tone"),
    [
        (15, None, None),
        (14, "expires in 14 days", "warn"),
        (1, "expires in 1 day", "warn"),
        (0, "expired today", "bad"),
        (-3, "expired 3 days ago", "bad"),
    ],
)
def test_the_last_fortnight_is_said_to_admins(
    make_check: MakeCheck, person: Person, days: int, words: str | None, tone: str | None
) -> None:
    target = make_check().target
    put(target, credential="hunter2", credential_expires_on=today() + timedelta(days=days))
    found = credentials.expiry(target, time.now())
    assert (found.words if found else None, found.tone if found else None) == (words, tone)
    admin = person(ADMIN)
    listed = admin.get("/checks/targets/").content.decode()
    assert ((words or "expire").capitalize() in listed) == (words is not None)
    assert ("Replace the credential" in admin.get("/").content.decode()) == (words is not None)
    assert "Replace the credential" not in person(OPERATOR).get("/").content.decode()


@pytest.mark.django_db
def test_who_has_none_or_is_switched_off_needs_nothing(make_check: MakeCheck) -> None:
    target = make_check().target
    user = User.objects.create_user("admin")
    user.groups.add(Group.objects.get_or_create(name=ADMIN)[0])
    for values in ({"credential": ""}, {"credential": "x", "enabled": False}):
        put(target, credential_expires_on=today(), **values)
        assert [need for need in needs_of(user) if "credential" in need.verb] == []


@pytest.mark.django_db
def test_the_day_is_set_in_the_form_and_kept_with_the_audit(places: Environment, person: Person) -> None:
    given = {
        "label": "Orders database",
        "name": "orders-db",
        "kind": "postgres",
        "environment": places.pk,
        "address": "postgresql://reader@127.0.0.1:1/orders",
        "credential": "hunter2",
        "credential_expires_on": "2027-03-14",
        "enabled": "on",
        "act": "save",
    }
    client = person(ADMIN)
    assert client.post("/checks/targets/new", given).status_code == 302
    made = Target.objects.get()
    assert made.credential_expires_on == date(2027, 3, 14)
    page = client.get("/checks/targets/orders-db/").content.decode()
    assert 'value="2027-03-14"' in page
    assert "not handed to any command or check yet" in page
    refused = client.post("/checks/targets/orders-db/", given | {"credential_expires_on": "soon"})
    assert refused.status_code == 422 and "Write the day as 2027-03-14." in refused.content.decode()
    client.post("/checks/targets/orders-db/", given | {"credential": "", "credential_expires_on": ""})
    assert Target.objects.values_list("credential", "credential_expires_on").get() == ("hunter2", None)
    assert "credential_expires_on" in AuditEntry.objects.filter(action="target.edit").latest("pk").details["changed"]


@pytest.mark.django_db
def test_pages_write_nothing(make_check: MakeCheck, person: Person) -> None:
    target = make_check().target
    put(target, credential="hunter2")
    client = person(ADMIN)
    for url in ("/checks/targets/", "/checks/targets/of-connections/", "/"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(url)
        assert not [query["sql"] for query in queries if query["sql"].startswith('UPDATE "checks_target')]
    target.refresh_from_db()
    assert target.credential_used_at is None
