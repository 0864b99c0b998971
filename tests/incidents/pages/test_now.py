"""The first page: one ranked list, the way to a drill, and honest words about the console itself."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from erpops import beats
from erpops.needs import needs_of
from incidents import lifecycle, needs, status
from incidents.models import Incident, PostMortem

from .conftest import HTMX, ClientOf, MakePerson, Places


def _verbs(user: User) -> list[tuple[str, str]]:
    own = {"Acknowledge", "Nobody answers", "Post an update", "Say that it is over", "Continue", "Take command"}
    own |= {"Write the review", "Decide on the review"}
    return [(need.verb, need.title.partition(" ")[2]) for need in needs_of(user) if need.verb in own]


def test_the_worst_page_stands_first(operator: User, places: Places) -> None:
    for title, severity in (("Small", "SEV4"), ("Big", "SEV1"), ("Middle", "SEV3")):
        lifecycle.open_incident(title=title, severity=severity, environment=places.production)
    assert [title for verb, title in _verbs(operator) if verb == "Acknowledge"] == ["Big", "Middle", "Small"]


def test_what_i_hold_is_to_be_continued_and_what_nobody_holds_taken(
    operator: User, lead: User, incident: Incident
) -> None:
    lifecycle.acknowledge(incident=incident, by=operator)
    assert ("Continue", incident.title) in _verbs(operator)
    assert not [verb for verb, _ in _verbs(lead) if verb in {"Continue", "Acknowledge", "Take command"}]
    incident.roles.all().delete()
    assert ("Take command", incident.title) in _verbs(lead)


def test_an_overdue_update_is_asked_for(operator: User, incident: Incident) -> None:
    lifecycle.acknowledge(incident=incident, by=operator)
    assert "Post an update" not in dict(_verbs(operator))
    Incident.objects.filter(pk=incident.pk).update(update_due_at=incident.opened_at - timedelta(minutes=1))
    assert ("Post an update", incident.title) in _verbs(operator)


def test_stakeholders_are_told_that_it_is_over(operator: User, lead: User, incident: Incident) -> None:
    words = {"headline": "The shop is slow", "body": "We look for the cause.", "next_in": 30, "by": operator}
    status.post(incident=incident, audience="stakeholders", phase="investigating", **words)  # type: ignore[arg-type]
    lifecycle.resolve(incident=incident, resolution="fixed", by=operator)
    assert ("Say that it is over", incident.title) in _verbs(lead)
    over = {"headline": "The shop works", "body": "It is over.", "next_in": None, "by": operator}
    status.post(incident=incident, audience="stakeholders", phase="resolved", **over)  # type: ignore[arg-type]
    assert "Say that it is over" not in dict(_verbs(lead))


def test_reviews_wait_for_their_writer_and_then_for_a_lead(operator: User, lead: User, incident: Incident) -> None:
    lifecycle.acknowledge(incident=incident, by=operator)
    lifecycle.resolve(incident=incident, resolution="fixed", by=operator)
    assert "Write the review" in dict(_verbs(operator)) and "Write the review" not in dict(_verbs(lead))
    PostMortem.objects.update(status="in_review")
    assert "Decide on the review" in dict(_verbs(lead)) and "Write the review" not in dict(_verbs(operator))


def test_stakeholders_land_on_the_status_page(stakeholder: User, client_of: ClientOf) -> None:
    assert client_of(stakeholder).get("/").url == reverse("status")  # type: ignore[attr-defined]


def test_a_console_that_does_not_run_says_so(browser: Client) -> None:
    assert "Engine does not run" in browser.get("/").content.decode()
    assert "has not checked itself yet" in browser.get("/").content.decode()
    beats.beat(role="engine")
    page = browser.get("/").content.decode()
    assert "Engine runs" in page and "last checked itself" in page


def test_a_new_admin_is_led_to_the_drill(admin: User, browser: Client, client_of: ClientOf) -> None:
    client = client_of(admin)
    assert "Start a fire drill" in client.get("/").content.decode()
    assert "Start a fire drill" not in browser.get("/").content.decode()
    client.post(reverse("hide_first_run"))
    assert "Start a fire drill" not in client.get("/").content.decode()


def test_a_drill_that_cannot_start_says_why(browser: Client) -> None:
    answer = browser.post(reverse("drill"), headers=HTMX)
    assert answer.status_code == 422 and "prepare" in answer.content.decode()


def test_the_page_and_its_fragment_are_one(browser: Client, incident: Incident) -> None:
    fragment = browser.get("/", headers=HTMX).content.decode()
    assert "<html" not in fragment and incident.title in fragment
    assert "Vary" in browser.get("/").headers


def test_the_number_of_queries_does_not_grow(
    browser: Client, places: Places, operator: User, person: MakePerson
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            browser.get("/", headers=HTMX)
        return len(queries)

    def fill(count: int) -> None:
        for number in range(count):
            made = lifecycle.open_incident(title=f"N{number}", severity="SEV2", environment=places.production)
            if number % 2:
                lifecycle.acknowledge(incident=made, by=operator)

    fill(2)
    before = cost()
    fill(20)
    assert cost() == before


def test_a_storm_is_folded_with_the_worst_in_sight(browser: Client, places: Places) -> None:
    for number in range(14):
        severity = "SEV1" if number == 9 else "SEV4"
        lifecycle.open_incident(title=f"Storm {number}", severity=severity, environment=places.production)
    page = browser.get("/", headers=HTMX).content.decode()
    assert "9 more: Acknowledge" in page
    assert page.index("Storm 9<") < page.index("9 more: Acknowledge")
    assert page.count("Storm ") == 14, "folded, not left out"


def test_a_long_storm_never_pushes_out_the_worst_nor_what_is_mine(
    operator: User, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "LIMIT", 5)
    worst = lifecycle.open_incident(title="Worst", severity="SEV1", environment=places.production)
    held = lifecycle.open_incident(title="Held", severity="SEV4", environment=places.production)
    lifecycle.acknowledge(incident=held, by=operator)
    for number in range(8):
        lifecycle.open_incident(title=f"Storm {number}", severity="SEV3", environment=places.production)
    found = _verbs(operator)
    assert ("Acknowledge", worst.title) == found[0] and ("Continue", held.title) in found
