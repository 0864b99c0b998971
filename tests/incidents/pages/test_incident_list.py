"""Finding incidents: views, filters, pages, and the same as CSV."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from incidents import lifecycle
from incidents.models import Incident
from incidents.views.incidents import inert

from .conftest import HTMX, Places


def _open(places: Places, title: str, severity: str = "SEV3") -> Incident:
    return lifecycle.open_incident(title=title, severity=severity, environment=places.production)


def _shown(browser: Client, **query: str) -> str:
    answer = browser.get(reverse("incidents"), query, headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def test_views_hold_what_they_say(browser: Client, places: Places, operator: User) -> None:
    waiting, mine, over = (_open(places, title) for title in ("Waiting", "Held", "Over"))
    lifecycle.acknowledge(incident=mine, by=operator)
    lifecycle.resolve(incident=over, resolution="done", by=operator)
    expected = {
        "open": {waiting, mine},
        "mine": {mine},
        "triage": {waiting},
        "week": {over},
        "all": {waiting, mine, over},
    }
    for view, wanted in expected.items():
        page = _shown(browser, view=view)
        assert {item for item in (waiting, mine, over) if item.title in page} == wanted, view


def test_filters_narrow_and_can_be_cleared(browser: Client, places: Places, incident: Incident) -> None:
    _open(places, "Disk is full", "SEV4")
    assert "Disk is full" in _shown(browser, q="disk") and "Checkout" not in _shown(browser, q="disk")
    assert "Checkout" in _shown(browser, q=f"INC-{incident.pk}") and "Checkout" in _shown(browser, q="shop back")
    assert "Checkout" not in _shown(browser, severity="SEV4")
    empty = _shown(browser, q="zebra", severity="SEV1")
    assert "No incident matches" in empty and "zebra" in empty and "Clear the filters" in empty


@pytest.mark.parametrize("query", ["view=nonsense", "before=x", "before=-1", "q=%00", "severity=';--", "q=%25_%25"])
def test_a_strange_query_is_not_an_error(browser: Client, incident: Incident, query: str) -> None:
    assert browser.get(reverse("incidents") + "?" + query).status_code == 200


def test_pages_go_through_all_of_them_once(browser: Client, places: Places) -> None:
    titles = {_open(places, f"Number {number}").reference for number in range(120)}
    url, seen = reverse("incidents"), []
    while url:
        page = browser.get(url).content.decode()
        seen += [part.partition("<")[0] for part in page.split('class="room-id">')[1:]]
        older = (
            page.partition('rel="next"')[0].rpartition('href="?')[2].partition('"')[0] if 'rel="next"' in page else ""
        )
        url = reverse("incidents") + "?" + older.replace("&amp;", "&") if older else ""
    assert len(seen) == len(titles) and set(seen) == titles


def test_the_number_of_queries_does_not_grow(browser: Client, places: Places, operator: User) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            _shown(browser)
        return len(queries)

    lifecycle.acknowledge(incident=_open(places, "First"), by=operator)
    _shown(browser)
    before = cost()
    for number in range(25):
        lifecycle.acknowledge(incident=_open(places, f"More {number}"), by=operator)
    assert cost() == before


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =cmd|' /C calc'!A0", "%0A=1"])
def test_a_spreadsheet_never_sees_a_formula(browser: Client, places: Places, evil: str) -> None:
    _open(places, f"{evil} title")
    rows = list(csv.reader(io.StringIO(browser.get(reverse("incidents_csv")).content.decode("utf-8-sig"))))
    cell = rows[1][2]
    assert cell.startswith("'"), cell
    assert inert("plain") == "plain" and inert("") == ""


def test_the_csv_is_what_the_list_shows(browser: Client, places: Places) -> None:
    _open(places, "Seen", "SEV1")
    _open(places, "Filtered", "SEV4")
    answer = browser.get(reverse("incidents_csv"), {"severity": "SEV1"})
    assert "attachment" in answer.headers["Content-Disposition"]
    text = answer.content.decode("utf-8-sig")
    assert "Seen" in text and "Filtered" not in text and text.startswith("number,severity,title")
