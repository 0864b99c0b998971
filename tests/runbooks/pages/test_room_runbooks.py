"""The runbook part of a room, until a walk has begun."""

from datetime import timedelta

from django.test import Client
from django.urls import reverse

from incidents import lifecycle
from incidents.models import Environment, Incident
from runbooks.models import Execution, Match, Matching, Runbook
from tests.runbooks.pages.conftest import HTMX, at, ended


def test_matches_are_shown_with_their_reasons_and_a_start_button(
    browser: Client, incident: Incident, match: Match
) -> None:
    page = browser.get(reverse("room", args=[incident.pk])).content.decode()
    assert "Exact" in page
    assert "Alert name equals DiskFull" in page
    assert reverse("walk_start", args=[incident.pk, match.runbook.slug]) in page
    assert "never run" in page


def test_until_runbooks_were_looked_for_nothing_else_is_offered(browser: Client, incident: Incident) -> None:
    room = reverse("room", args=[incident.pk])
    young = browser.get(room).content.decode()
    assert "Looking for a runbook" in young and "General diagnostics" not in young
    Matching.objects.create(incident=incident, at=incident.opened_at)
    assert "No runbook matches" in browser.get(room).content.decode()


def test_an_engine_that_does_not_look_is_not_waited_for(browser: Client, incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(opened_at=incident.opened_at - timedelta(seconds=20))
    assert "No runbook matches" in browser.get(reverse("room", args=[incident.pk])).content.decode()


def test_without_a_match_the_room_offers_a_search(browser: Client, incident: Incident, runbook: Runbook) -> None:
    found = browser.get(
        reverse("walk_finder", args=[incident.pk]), {"q": "space DISKFULL"}, headers=HTMX
    ).content.decode()
    assert "Disk is full" in found
    none = browser.get(reverse("walk_finder", args=[incident.pk]), {"q": "kangaroo"}, headers=HTMX).content.decode()
    assert "Nothing found for “kangaroo”" in none


def test_the_finder_leads_back_to_what_is_walked(browser: Client, execution: Execution) -> None:
    page = browser.get(reverse("room", args=[execution.incident_id]), {"runbooks": "1"}).content.decode()
    assert "In this incident" in page
    assert at(execution, 0) in page


def test_starting_twice_walks_once(browser: Client, incident: Incident, runbook: Runbook) -> None:
    url = reverse("walk_start", args=[incident.pk, runbook.slug])
    first = browser.post(url)
    second = browser.post(url)
    execution = Execution.objects.get()
    assert first.url == second.url == at(execution, 0)  # type: ignore[attr-defined]


def test_htmx_starts_in_place_and_the_address_follows(browser: Client, incident: Incident, runbook: Runbook) -> None:
    answer = browser.post(reverse("walk_start", args=[incident.pk, runbook.slug]), headers=HTMX)
    assert answer.headers["HX-Push-Url"] == at(Execution.objects.get(), 0)
    assert "Step 1 of 8 — Look at the disks" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_the_address_of_a_step_opens_the_room_at_it(browser: Client, execution: Execution) -> None:
    page = browser.get(at(execution, 3)).content.decode()
    assert "<html" in page
    assert "Step 4 of 8 — Restart the writer" in page
    assert browser.get(at(execution, 99)).status_code == 404


def test_a_run_of_another_incident_is_not_found(browser: Client, execution: Execution, production: Environment) -> None:
    other = lifecycle.open_incident(title="Other", severity="SEV4", environment=production)
    run = ended(execution, 0, "succeeded")
    assert browser.get(reverse("walk_step", args=[other.pk, execution.pk, 0])).status_code == 404
    assert browser.get(reverse("run_output", kwargs={"number": other.pk, "run": run.pk})).status_code == 404
