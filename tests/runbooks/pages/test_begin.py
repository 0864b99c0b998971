"""One click that acknowledges and starts the runbook that matches."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from erpops import clock
from incidents import lifecycle
from incidents.models import Environment, Incident
from runbooks.models import Execution, Match, Runbook
from tests.runbooks.pages.conftest import DISK, HTMX, shelve

Browser = Callable[[User], Client]


def test_one_click_acknowledges_and_starts_and_twice_is_once(
    signed_in: Browser, operator: User, incident: Incident, match: Match
) -> None:
    browser = signed_in(operator)
    address = reverse("walk_begin", args=[incident.pk])
    assert browser.get("/").content.decode().count("Acknowledge &amp; start") == 1
    assert "Acknowledge &amp; start" in browser.get(f"/i/{incident.pk}/").content.decode()
    plain = browser.post(address)
    again = browser.post(address, headers=HTMX)
    execution = Execution.objects.get()
    assert plain["Location"] == again["HX-Redirect"] == f"/i/{incident.pk}/run/{execution.pk}/step/0/"
    incident.refresh_from_db()
    assert (incident.acknowledged_by, execution.holder) == (operator, operator)
    assert "Acknowledge" not in browser.get("/").content.decode()


def test_without_one_exact_match_a_person_chooses(
    signed_in: Browser, operator: User, incident: Incident, match: Match
) -> None:
    other = shelve({**DISK, "title": "Disk is full, too"}, slug="disk-is-full-too")
    Match.objects.create(incident=incident, runbook=other, rank="exact", score=90, at=clock.now())
    browser = signed_in(operator)
    assert "Acknowledge &amp; start" not in browser.get("/").content.decode()
    answer = browser.post(reverse("walk_begin", args=[incident.pk]), follow=True)
    assert "choose one" in answer.content.decode()
    incident.refresh_from_db()
    assert incident.acknowledged_by == operator
    assert not Execution.objects.exists()


def test_a_likely_match_is_not_started_by_itself(
    signed_in: Browser, operator: User, incident: Incident, match: Match
) -> None:
    Match.objects.filter(pk=match.pk).update(rank="likely")
    assert "Acknowledge &amp; start" not in signed_in(operator).get("/").content.decode()


def test_who_may_not_run_commands_is_not_offered_it(
    signed_in: Browser, admin: User, incident: Incident, match: Match
) -> None:
    browser = signed_in(admin)
    assert "Acknowledge &amp; start" not in browser.get(f"/i/{incident.pk}/").content.decode()
    assert browser.post(reverse("walk_begin", args=[incident.pk])).status_code == 403
    assert not Execution.objects.exists()


def test_where_somebody_needs_a_grant_it_is_refused(
    signed_in: Browser, operator: User, runbook: Runbook, db: None
) -> None:
    place = Environment.objects.create(name="vault", label="Vault", restricted=True)
    hidden = lifecycle.open_incident(title="Hidden", severity="SEV2", environment=place)
    Match.objects.create(incident=hidden, runbook=runbook, rank="exact", score=90, at=clock.now())
    assert signed_in(operator).post(reverse("walk_begin", args=[hidden.pk])).status_code == 404
