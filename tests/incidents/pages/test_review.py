"""The review: drafted by itself, written by many, published by a lead."""

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from erpops.models import AuditEntry
from incidents import lifecycle, postmortem, timeline
from incidents.models import FollowUp, Incident, PostMortem

from .conftest import HTMX, ClientOf, Places


@pytest.fixture
def over(incident: Incident, operator: User) -> Incident:
    """The incident after its end."""
    lifecycle.acknowledge(incident=incident, by=operator)
    with transaction.atomic():
        timeline.add(incident=incident, kind="command.finished", text="ran `df -h`, exit 0 | fine", by=operator)
    lifecycle.resolve(incident=incident, resolution="Index added.", by=operator)
    return incident


def _url(name: str, incident: Incident) -> str:
    return reverse(name, args=[incident.pk])


def test_resolving_writes_the_first_draft(over: Incident, browser: Client) -> None:
    draft = PostMortem.objects.get(incident=over)
    assert draft.status == "draft" and draft.due_at > draft.created_at
    for part in ("## Summary", "## Impact", "| Began |", "[Acknowledged](", "[First command](", "Index added."):
        assert part in draft.body, part
    for event in over.events.filter(noise=False, seq__lt=draft.incident.event_seq)[:5]:
        assert f"/i/{over.pk}/#e{event.seq}" in draft.body
    assert "ran \\`df -h\\`, exit 0 \\| fine" in draft.body, "Markdown in a fact stays text"
    page = browser.get(_url("review", over)).content.decode()
    assert f'href="/i/{over.pk}/#e' in page and "<table>" in page


def test_an_untouched_draft_follows_a_second_end_and_an_edited_one_stays(over: Incident, operator: User) -> None:
    lifecycle.reopen(incident=over, reason="back again", by=operator)
    lifecycle.resolve(incident=over, resolution="Really fixed.", by=operator)
    review = PostMortem.objects.get(incident=over)
    assert "Really fixed." in review.body
    postmortem.edit(review=review, body="Ours", revision=1, by=operator)
    lifecycle.reopen(incident=over, reason="once more", by=operator)
    lifecycle.resolve(incident=over, resolution="At last.", by=operator)
    review.refresh_from_db()
    assert review.body == "Ours"


def test_two_editors_notice_each_other(over: Incident, browser: Client, lead: User, client_of: ClientOf) -> None:
    url = _url("review_edit", over)
    assert browser.post(url, {"body": "first", "revision": "1"}, headers=HTMX).status_code == 200
    answer = client_of(lead).post(url, {"body": "second", "revision": "1"}, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "first" in page and "second" in page and 'name="revision" value="2"' in page
    assert PostMortem.objects.get(incident=over).body == "first"
    whole = client_of(lead).post(url, {"body": "second", "revision": "1"})
    assert whole.status_code == 409 and "<html" in whole.content.decode()
    assert client_of(lead).post(url, {"body": "second", "revision": "2"}, headers=HTMX).status_code == 200


def test_saving_the_same_twice_is_one_revision(over: Incident, browser: Client) -> None:
    for _ in range(2):
        answer = browser.post(_url("review_edit", over), {"body": "text", "revision": "1"}, headers=HTMX)
        assert answer.status_code == 200
    assert PostMortem.objects.get(incident=over).revision == 2
    assert AuditEntry.objects.filter(action="review.edit").count() == 1


def test_an_empty_or_strange_save_is_refused(over: Incident, browser: Client) -> None:
    for data in ({"body": "", "revision": "1"}, {"body": "x"}, {"body": "x", "revision": "one"}):
        assert browser.post(_url("review_edit", over), data, headers=HTMX).status_code == 422
    assert PostMortem.objects.get(incident=over).revision == 1


def test_the_road_to_publication(over: Incident, browser: Client, lead: User, client_of: ClientOf) -> None:
    boss, decide = client_of(lead), _url("review_decide", over)
    assert boss.post(decide, {"decision": "publish"}, headers=HTMX).status_code == 422, "nobody handed it in"
    browser.post(_url("review_submit", over))
    unfinished = boss.post(decide, {"decision": "publish"}, headers=HTMX)
    assert unfinished.status_code == 422 and "still to be written" in unfinished.content.decode()
    assert boss.post(decide, {"decision": "changes", "comment": " "}, headers=HTMX).status_code == 422
    boss.post(decide, {"decision": "changes", "comment": "Name the cause."})
    review = PostMortem.objects.get(incident=over)
    assert review.status == "changes_requested"
    browser.post(_url("review_edit", over), {"body": "All written.", "revision": str(review.revision)})
    browser.post(_url("review_submit", over))
    boss.post(decide, {"decision": "publish"})
    review.refresh_from_db()
    assert (review.status, review.published_by) == ("published", lead)
    late = browser.post(_url("review_edit", over), {"body": "more", "revision": "2"}, headers=HTMX)
    assert late.status_code == 422 and "published" in late.content.decode()
    kinds = list(over.events.values_list("kind", flat=True))
    for kind in ("review.drafted", "review.submitted", "review.changes_requested", "review.published"):
        assert kind in kinds


def test_brackets_of_a_title_do_not_count_as_gaps(places: Places, operator: User, lead: User) -> None:
    made = lifecycle.open_incident(title="[db] is down", severity="SEV3", environment=places.production)
    lifecycle.resolve(incident=made, resolution="see [wiki](https://wiki.example)", by=operator)
    review = PostMortem.objects.get(incident=made)
    body = "\n".join(line for line in review.body.splitlines() if not line.startswith("["))
    review = postmortem.edit(
        review=review, body=body.replace("[Who could not do what, and for how long]", ""), revision=1, by=operator
    )
    postmortem.submit(review=review, by=operator)
    postmortem.publish(review=review, by=lead)


def test_actions_are_added_once_and_ticked(over: Incident, browser: Client, lead: User) -> None:
    data = {"title": "Alert on slow queries", "owner": str(lead.pk), "due_on": "2030-05-01"}
    for _ in range(2):
        browser.post(_url("follow_up", over), data)
    action = FollowUp.objects.get()
    assert action.owner == lead
    tick = reverse("follow_up_done", args=[over.pk, action.pk])
    for wanted in ("1", "1", "0", "1"):
        browser.post(tick, {"done": wanted})
    action.refresh_from_db()
    assert action.done_at is not None
    assert AuditEntry.objects.filter(action="follow_up.done").count() == 3
    assert browser.post(_url("follow_up", over), {"title": ""}).status_code == 422
    exported = browser.get(_url("review_export", over))
    assert "- [x] Alert on slow queries" in exported.content.decode()
    assert exported.headers["X-Content-Type-Options"] == "nosniff"


def test_an_action_of_another_incident_is_not_found(
    over: Incident, browser: Client, places: Places, operator: User
) -> None:
    other = lifecycle.open_incident(title="Other", severity="SEV4", environment=places.production)
    action = postmortem.add_follow_up(incident=over, title="x", owner=None, due_on=None, by=operator)
    assert browser.post(reverse("follow_up_done", args=[other.pk, action.pk]), {"done": "1"}).status_code == 404


def test_a_stakeholder_owns_no_action(over: Incident, browser: Client, stakeholder: User) -> None:
    data = {"title": "Read it", "owner": str(stakeholder.pk)}
    assert browser.post(_url("follow_up", over), data).status_code == 422


def test_the_text_is_shown_without_its_scripts(over: Incident, browser: Client) -> None:
    evil = "<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)>"
    browser.post(_url("review_edit", over), {"body": evil, "revision": "1"})
    for page in (
        browser.get(_url("review", over)).content.decode(),
        browser.get(_url("review", over) + "?edit=1").content.decode(),
        browser.post(_url("review_preview", over), {"body": evil}).content.decode(),
    ):
        assert "<script>alert" not in page and "<img src=x" not in page and 'href="javascript' not in page


def test_an_open_incident_has_no_review_yet(incident: Incident, browser: Client) -> None:
    assert "still open" in browser.get(_url("review", incident)).content.decode()
    assert browser.post(_url("review_submit", incident)).status_code == 404


def test_the_list_shows_states(over: Incident, browser: Client) -> None:
    assert over.title in browser.get(reverse("reviews")).content.decode()
    assert over.title not in browser.get(reverse("reviews"), {"state": "published"}).content.decode()
