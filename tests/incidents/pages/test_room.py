"""The incident room: its acts, its timeline, and what must never happen in it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from incidents import lifecycle, room, sources, timeline
from incidents.models import Alert, Incident, TimelineEvent
from incidents.room import Panel

from .conftest import HTMX, ClientOf, Places

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def _url(name: str, incident: Incident) -> str:
    return reverse(name, args=[incident.pk])


def _kinds(incident: Incident) -> list[str]:
    return list(TimelineEvent.objects.filter(incident=incident).values_list("kind", flat=True))


def test_acknowledging_twice_is_acknowledging_once(incident: Incident, browser: Client, operator: User) -> None:
    for _ in range(2):
        assert browser.post(_url("acknowledge", incident)).status_code == 302
    incident.refresh_from_db()
    assert (incident.acknowledged_by, incident.status) == (operator, "investigating")
    assert _kinds(incident).count("incident.acknowledged") == 1
    assert incident.roles.get(role="commander").user == operator


def test_htmx_gets_the_new_header_back(incident: Incident, browser: Client) -> None:
    answer = browser.post(_url("acknowledge", incident), headers=HTMX)
    assert answer.headers["HX-Retarget"] == "#room-head"
    assert "live:incident" in answer.headers["HX-Trigger"]
    page = answer.content.decode()
    assert "Acknowledge<" not in page and "Ada Rivera" in page and "<html" not in page


def test_acknowledging_from_the_first_page_leads_to_the_room(incident: Incident, browser: Client) -> None:
    answer = browser.post(_url("acknowledge", incident), {"from": "now"}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == _url("room", incident)


def test_the_status_moves_and_says_so(incident: Incident, browser: Client) -> None:
    browser.post(_url("room_status", incident), {"to": "monitoring"})
    incident.refresh_from_db()
    assert incident.status == "monitoring"


def test_resolving_through_the_status_menu_is_refused_with_a_sentence(incident: Incident, browser: Client) -> None:
    answer = browser.post(_url("room_status", incident), {"to": "resolved"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Use resolve" in answer.content.decode()
    assert browser.post(_url("room_status", incident), {"to": "nonsense"}, headers=HTMX).status_code == 422


def test_resolving_asks_what_fixed_it(incident: Incident, browser: Client) -> None:
    assert browser.post(_url("room_resolve", incident), {"reason": " "}, headers=HTMX).status_code == 422
    answer = browser.post(_url("room_resolve", incident), {"reason": "Index added."}, headers=HTMX)
    assert answer.status_code == 204 and "sheet:close" in answer.headers["HX-Trigger"]
    again = browser.post(_url("room_resolve", incident), {"reason": "Index added."}, headers=HTMX)
    assert again.status_code == 422 and "resolved by now" in again.content.decode()
    page = browser.get(_url("room", incident)).content.decode()
    assert "Index added." in page and "Reopen…" in page


def test_reopening_asks_why(incident: Incident, browser: Client, operator: User) -> None:
    lifecycle.resolve(incident=incident, resolution="fixed", by=operator)
    assert browser.post(_url("room_reopen", incident), {"reason": ""}).status_code == 422
    browser.post(_url("room_reopen", incident), {"reason": "It is slow again."})
    incident.refresh_from_db()
    assert incident.status == "investigating"


def test_another_severity_shows_its_consequences_before_the_change(incident: Incident, browser: Client) -> None:
    sheet = browser.get(_url("room_severity", incident), headers=HTMX).content.decode()
    assert "the escalation starts over" in sheet and "SEV1 Critical" in sheet and "<html" not in sheet
    browser.post(_url("room_severity", incident), {"severity": "SEV1"})
    incident.refresh_from_db()
    assert incident.severity == "SEV1"


def test_a_role_is_taken_once(incident: Incident, browser: Client, operator: User) -> None:
    for _ in range(2):
        browser.post(_url("room_role", incident), {"role": "scribe"})
    assert incident.roles.get(role="scribe").user == operator
    assert _kinds(incident).count("role.taken") == 1
    assert browser.post(_url("room_role", incident), {"role": "king"}, headers=HTMX).status_code == 422


def test_a_note_is_markdown_and_harmless(incident: Incident, browser: Client) -> None:
    text = f"**bold** {EVIL} [x](javascript:alert(3)) ![i](http://evil.example/p.png)"
    answer = browser.post(_url("room_note", incident), {"text": text}, headers=HTMX)
    assert answer.status_code == 200
    page = browser.get(_url("room", incident)).content.decode()
    assert "<strong>bold</strong>" in page
    assert "<script>alert" not in page and "<img src=x" not in page
    assert 'href="javascript' not in page and "<img" not in page.partition('id="timeline"')[2]


def test_a_double_click_is_one_note(incident: Incident, browser: Client) -> None:
    for _ in range(2):
        browser.post(_url("room_note", incident), {"text": "seen once"})
    assert _kinds(incident).count("note") == 1


def test_an_empty_note_is_refused_beside_the_composer(incident: Incident, browser: Client) -> None:
    answer = browser.post(_url("room_note", incident), {"text": "  "}, headers=HTMX)
    assert answer.status_code == 422 and "Write something first" in answer.content.decode()
    whole = browser.post(_url("room_note", incident), {"text": ""})
    assert whole.status_code == 422 and "Checkout answers slowly" in whole.content.decode()


def test_a_note_about_earlier_stands_where_it_happened(incident: Incident, browser: Client) -> None:
    url, earlier = _url("room_note", incident), incident.opened_at - timedelta(hours=2)
    mistyped = browser.post(url, {"text": "disk alarm", "occurred_at": "2020-01-01T10:00"}, headers=HTMX)
    assert mistyped.status_code == 422 and "check the date" in mistyped.content.decode()
    browser.post(url, {"text": "disk alarm", "occurred_at": f"{earlier:%Y-%m-%dT%H:%M}"}, headers=HTMX)
    rows = browser.get(_url("room", incident)).content.decode().partition('id="timeline"')[2]
    assert rows.index("disk alarm") > rows.index("as SEV2"), "newest first, so below the opening"
    live = browser.get(_url("room_timeline", incident), {"after": incident.event_seq}, headers=HTMX)
    assert live.headers["HX-Retarget"] == "#timeline", "it cannot just be put on top"


def test_the_future_is_not_noted(incident: Incident, browser: Client) -> None:
    data = {"text": "later", "occurred_at": "2999-01-01T10:00"}
    answer = browser.post(_url("room_note", incident), data, headers=HTMX)
    assert answer.status_code == 422 and "in the future" in answer.content.decode()


def test_only_what_is_new_is_fetched(incident: Incident, browser: Client, operator: User) -> None:
    seq = incident.event_seq
    lifecycle.add_note(incident=incident, text="fresh news", by=operator)
    answer = browser.get(_url("room_timeline", incident), {"after": seq}, headers=HTMX).content.decode()
    assert answer.count('<li class="event"') == 1 and "fresh news" in answer
    assert f'value="{seq + 1}"' in answer
    nothing = browser.get(_url("room_timeline", incident), {"after": seq + 1}, headers=HTMX).content.decode()
    assert '<li class="event"' not in nothing


def test_a_long_timeline_is_walked_without_gaps_or_doubles(incident: Incident, browser: Client, operator: User) -> None:
    for number in range(130):
        lifecycle.add_note(incident=incident, text=f"note {number}", by=operator)
    page = browser.get(_url("room", incident)).content.decode()
    seen: list[str] = []
    while True:
        seen += [part.partition('"')[0] for part in page.split('<li class="event" id="e')[1:]]
        more = page.partition("/timeline?before=")[2].partition('"')[0]
        if not more:
            break
        page = browser.get(_url("room_timeline", incident) + f"?before={more}", headers=HTMX).content.decode()
    incident.refresh_from_db()
    assert len(seen) == len(set(seen)) == incident.event_seq


def test_the_room_asks_the_database_as_often_for_long_stories(
    incident: Incident, browser: Client, operator: User
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert browser.get(_url("room", incident)).status_code == 200
        return len(queries)

    browser.get(_url("room", incident))
    before = cost()
    for number in range(30):
        lifecycle.add_note(incident=incident, text=f"note {number}", by=operator)
    assert cost() <= before


def test_texts_from_outside_are_shown_as_text(browser: Client, places: Places) -> None:
    bad = lifecycle.open_incident(title=EVIL, severity="SEV3", environment=places.production, impact=EVIL)
    source, _ = sources.create(name=EVIL, kind="generic")
    Alert.objects.create(
        source=source, fingerprint="f", name=EVIL, status="firing", severity="SEV3", incident=bad,
        labels={EVIL: EVIL}, annotations={EVIL: EVIL}, generator_url="javascript:alert(1)",
        starts_at=bad.opened_at, first_seen_at=bad.opened_at, last_seen_at=bad.opened_at,
    )  # fmt: skip
    for url in (_url("room", bad), reverse("incidents"), reverse("now"), reverse("declare") + "?title=script"):
        page = browser.get(url).content.decode()
        assert "<script>alert" not in page and "<img src=x" not in page, url
        assert 'href="javascript' not in page, url


def test_a_panel_that_fails_does_not_close_the_room(
    incident: Incident, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: object, incident: Incident) -> dict[str, object]:
        raise RuntimeError("boom")

    panels = {**room.panels._items, "bad": Panel("context", "Weather", "nothing.html", broken)}
    monkeypatch.setattr(room.panels, "_items", panels)
    page = browser.get(_url("room", incident)).content.decode()
    assert "Weather could not be shown" in page and 'id="timeline"' in page


def test_people_who_only_read_get_no_buttons(incident: Incident, admin: User, client_of: ClientOf) -> None:
    page = client_of(admin).get(_url("room", incident)).content.decode()
    assert _url("acknowledge", incident) not in page
    assert _url("room_note", incident) not in page


@pytest.mark.parametrize(("ended", "tone"), [("failed", "bad"), ("outcome_unknown", "warn"), ("succeeded", "ok")])
def test_how_a_command_ended_shows_on_its_line(incident: Incident, browser: Client, ended: str, tone: str) -> None:
    with transaction.atomic():
        event = timeline.add(incident=incident, kind="command.finished", text="`df -h`", data={"status": ended})
    page = browser.get(_url("room", incident)).content.decode()
    assert f'id="e{event.seq}" data-tone="{tone}"' in page
