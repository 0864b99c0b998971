"""Declaring: quick for a novice, harmless when pressed twice."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from incidents.models import Incident

from .conftest import HTMX, ClientOf, Places


def _report(places: Places, **more: str) -> dict[str, str]:
    return {"title": "Orders vanish", "severity": "SEV2", "environment": str(places.production.pk), **more}


def test_two_fields_make_an_incident(browser: Client, places: Places, operator: User) -> None:
    answer = browser.post(reverse("declare"), _report(places))
    incident = Incident.objects.get()
    assert answer.url == reverse("room", args=[incident.pk])  # type: ignore[attr-defined]
    assert (incident.title, incident.severity, incident.declared_by) == ("Orders vanish", "SEV2", operator)


def test_a_double_click_is_one_incident(browser: Client, places: Places) -> None:
    for _ in range(2):
        answer = browser.post(reverse("declare"), _report(places), headers=HTMX)
        assert answer.headers["HX-Redirect"] == reverse("room", args=[Incident.objects.get().pk])


def test_what_is_missing_is_said_in_sentences(browser: Client, places: Places) -> None:
    answer = browser.post(reverse("declare"), {"environment": places.production.pk}, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Say in a few words what is wrong." in page and "Choose how bad it is" in page
    assert "<html" not in page


def test_it_may_have_begun_earlier_but_not_later(browser: Client, places: Places) -> None:
    late = browser.post(reverse("declare"), _report(places, started_at="2999-01-01T00:00"))
    assert late.status_code == 422 and not Incident.objects.exists()


def test_similar_open_incidents_are_listed(browser: Client, incident: Incident) -> None:
    found = browser.get(reverse("declare_similar"), {"title": "slow checkout"}).content.decode()
    assert incident.reference in found
    assert incident.reference not in browser.get(reverse("declare_similar"), {"title": "disk"}).content.decode()


def test_nobody_declares_where_they_see_nothing(browser: Client, places: Places) -> None:
    answer = browser.post(reverse("declare"), _report(places, environment=str(places.vault.pk)))
    assert answer.status_code == 422 and not Incident.objects.exists()


def test_fields_of_others_cannot_be_set(browser: Client, places: Places) -> None:
    hidden = {"status": "resolved", "is_drill": "1", "group_key": "x", "acknowledged_by": "1", "id": "777"}
    browser.post(reverse("declare"), _report(places, **hidden))
    incident = Incident.objects.get()
    assert (incident.status, incident.is_drill, incident.group_key) == ("triage", False, "")
    assert incident.acknowledged_by is None and incident.pk != 777


def test_the_sheet_is_a_page_without_scripts(client_of: ClientOf, operator: User, places: Places) -> None:
    page = client_of(operator).get(reverse("declare")).content.decode()
    assert "<html" in page and "hx-post" not in page.partition('<form class="sheet-form"')[2].partition(">")[0]
