"""The on-call page, its sheets, and the escalation panel, through the front door."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from incidents import escalation, lifecycle, matrix, policy
from incidents.forms.oncall import parse_duration
from incidents.models import Contact, ContactMethod, Escalation, EscalationPolicy, Message
from tests.incidents.escalation.conftest import Mailbox, Receiver, Team

Deliver = Callable[[], None]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(team: Team) -> Client:
    client = Client()
    client.force_login(team.admin)
    return client


@pytest.fixture
def operator(team: Team) -> Client:
    client = Client()
    client.force_login(team.operator)
    return client


def row(team: Team, **changes: Any) -> dict[str, Any]:
    values = {
        "version": EscalationPolicy.objects.get().version,
        "meaning": "Everything is down",
        "respond_within_s": "5 min",
        "escalate_after_s": "1 h 30 min",
        "level_1": [team.second.pk],
        "level_2": [],
        "level_3": [team.first.pk],
    }
    return {**values, **changes}


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5 min", 300), ("1 h 30 min", 5400), ("1d", 86400), ("90 s", 90), ("5", None), ("soon", None), ("", None)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds


def test_the_page_says_who_is_called_next_and_when(team: Team, operator: Client) -> None:
    said = text_of(operator.get("/oncall/?severity=SEV1"))
    assert "at once Anna by email level 1 5 min Bert by email level 2 10 min Anna by email level 1" in said
    assert "If someone takes it, and it stays open at once Anna by email level 1 30 min Bert by email" in said


def test_only_an_admin_edits_and_others_read_who_may(team: Team, operator: Client) -> None:
    said = text_of(operator.get("/oncall/"))
    assert "Changing this needs the role Admin: admin." in said
    assert operator.get("/oncall/matrix/SEV1").status_code == 403
    assert operator.post(f"/oncall/contacts/{team.first.pk}/active", {"active": "0"}).status_code == 403
    assert Contact.objects.get(pk=team.first.pk).active


def test_saving_a_row_raises_the_version_and_closes_gaps_between_levels(team: Team, admin: Client) -> None:
    before = EscalationPolicy.objects.get().version
    response = admin.post("/oncall/matrix/SEV1", row(team), headers=HTMX)
    assert response.status_code == 204
    assert "sheet:close" in response.headers["HX-Trigger"]
    changed = EscalationPolicy.objects.get()
    assert changed.version == before + 1
    (shown,) = matrix.matrix(changed)
    assert (shown.respond_within_s, shown.escalate_after_s) == (300, 5400)
    assert [[person.name for person in level.people] for level in shown.levels] == [["Bert"], ["Anna"]]


def test_a_plain_form_saves_too(team: Team, admin: Client) -> None:
    response = admin.post("/oncall/matrix/SEV2", row(team))
    assert (response.status_code, response["Location"]) == (302, "/oncall/")
    assert [shown.severity for shown in matrix.matrix(EscalationPolicy.objects.get())] == ["SEV1", "SEV2"]


def test_two_admins_do_not_overwrite_each_other(team: Team, admin: Client) -> None:
    late = row(team, meaning="mine")
    admin.post("/oncall/matrix/SEV1", row(team), headers=HTMX)
    response = admin.post("/oncall/matrix/SEV1", late, headers=HTMX)
    assert response.status_code == 422
    assert "Someone changed the matrix meanwhile" in text_of(response)


def test_a_level_that_reaches_nobody_is_saved_only_when_accepted(team: Team, admin: Client) -> None:
    silent = policy.save_contact(contact=None, name="Silent", role="", user=None, by=team.admin)
    changes = {"level_1": [silent.pk]}
    response = admin.post("/oncall/matrix/SEV1", row(team, **changes), headers=HTMX)
    assert response.status_code == 422
    assert "Nobody here can be reached (Silent – no way to reach)" in text_of(response)
    assert admin.post("/oncall/matrix/SEV1", row(team, **changes, accept_gaps="on"), headers=HTMX).status_code == 204
    assert "Some levels reach nobody" in text_of(admin.get("/oncall/"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"respond_within_s": "soon"}, "Write a duration such as 5 min, 1 h or 1 d."),
        ({"respond_within_s": "10 s"}, "Choose between 1 min and 30 d."),
        ({"respond_within_s": "2 h"}, "This must not be shorter than the time to respond."),
        ({"level_1": [], "level_3": []}, "Nobody would be called."),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(
    team: Team, admin: Client, changes: dict[str, Any], sentence: str
) -> None:
    response = admin.post("/oncall/matrix/SEV1", row(team, **changes), headers=HTMX)
    assert response.status_code == 422
    assert sentence in text_of(response)


def test_a_contact_is_added_reached_tested_and_taken_away(
    team: Team, admin: Client, receiver: Receiver, deliver: Deliver
) -> None:
    admin.post("/oncall/contacts/new", {"name": "Cleo", "role": "DBA", "user": team.operator.pk}, headers=HTMX)
    cleo = Contact.objects.get(name="Cleo")
    response = admin.post(
        f"/oncall/contacts/{cleo.pk}/methods", {"channel": "webhook", "address": receiver.url + "/hook"}, headers=HTMX
    )
    method = cleo.methods.get()
    assert method.secret in response.content.decode()
    assert method.secret not in admin.get(f"/oncall/contacts/{cleo.pk}").content.decode()
    shown = admin.post(f"/oncall/methods/{method.pk}/test", {"nonce": "one"}, headers=HTMX)
    assert "on its way" in text_of(shown)
    deliver()
    said = text_of(admin.get(f"/oncall/methods/{method.pk}", headers=HTMX))
    assert "Verified" in said
    assert "HTTP 200" in said
    admin.post(f"/oncall/methods/{method.pk}/remove", headers=HTMX)
    admin.post(f"/oncall/contacts/{cleo.pk}/delete", headers=HTMX)
    assert not Contact.objects.filter(name="Cleo").exists()


def test_a_mail_address_is_verified_by_whoever_reads_the_test(
    team: Team, admin: Client, operator: Client, mailbox: Mailbox, deliver: Deliver
) -> None:
    method = team.first.methods.get()
    admin.post(f"/oncall/methods/{method.pk}/test", {"nonce": "one"})
    deliver()
    method.refresh_from_db()
    assert method.verified_at is None
    text = mailbox.mails[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
    link = re.search(r"https?://[^/]+(/oncall/confirm/\S+)", text)
    assert link is not None
    assert "Yes, it arrived" in text_of(operator.get(link[1]))
    operator.post(link[1])
    assert ContactMethod.objects.filter(pk=method.pk, verified_at__isnull=False).exists()
    assert operator.get(link[1] + "x").status_code == 404


def test_a_wrong_address_says_what_is_wrong_beside_the_field(team: Team, admin: Client) -> None:
    address = f"/oncall/contacts/{team.first.pk}/methods"
    response = admin.post(address, {"channel": "email", "address": "nobody"}, headers=HTMX)
    assert response.status_code == 422
    assert "This is not an e-mail address" in text_of(response)


def test_someone_on_call_cannot_be_deleted_but_can_be_deactivated(team: Team, admin: Client) -> None:
    response = admin.post(f"/oncall/contacts/{team.first.pk}/delete", headers=HTMX)
    assert response.status_code == 422
    assert "Take it out there first" in text_of(response)
    admin.post(f"/oncall/contacts/{team.first.pk}/active", {"active": "0"}, headers=HTMX)
    assert "is not active" in text_of(admin.get("/oncall/"))


def test_the_page_asks_a_constant_number_of_queries(
    team: Team, operator: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        contact = team.contact(f"Extra {number}", address=f"extra{number}@example.org")
        team.rule([[contact], [team.first]], severity=("SEV2", "SEV3", "SEV4")[number % 3])
    with django_assert_max_num_queries(40):
        operator.get("/oncall/")


def test_the_panel_shows_the_ladder_and_its_pages(
    team: Team, operator: Client, mailbox: Mailbox, deliver: Deliver
) -> None:
    incident = team.open()
    deliver()
    said = text_of(operator.get(f"/i/{incident.pk}/escalation", headers=HTMX))
    assert "L1 Anna" in said
    assert "queued as Q1" in said
    assert re.search(r"L2 Bert in", said)
    room = operator.get(f"/i/{incident.pk}/")
    assert 'id="escalation"' in room.content.decode()


def test_escalate_now_from_the_panel_is_harmless_when_clicked_twice(team: Team, operator: Client) -> None:
    incident = team.open()
    seen = escalation.step_of(Escalation.objects.get())
    for _ in range(2):
        response = operator.post(f"/i/{incident.pk}/escalation/now", {"seen": seen}, headers=HTMX)
        assert response.status_code == 204
    assert Message.objects.count() == 2


def test_hold_needs_a_reason_and_says_so(team: Team, operator: Client) -> None:
    incident = team.open()
    response = operator.post(f"/i/{incident.pk}/escalation/hold", {"reason": ""}, headers=HTMX)
    assert response.status_code == 422
    assert "Say why" in text_of(response)
    assert operator.post(f"/i/{incident.pk}/escalation/hold", {"reason": "rebooting"}, headers=HTMX).status_code == 204


def test_an_admin_who_is_no_operator_reads_the_panel_only(team: Team, admin: Client) -> None:
    incident = team.open()
    assert "Calling people needs the role" in text_of(admin.get(f"/i/{incident.pk}/escalation"))
    assert admin.post(f"/i/{incident.pk}/escalation/now").status_code == 403


def test_what_reaches_nobody_waits_for_an_admin(team: Team, admin: Client) -> None:
    from erpops.needs import needs_of  # the registry is filled by now

    assert not [need for need in needs_of(team.admin) if need.verb == "Fix"]
    ContactMethod.objects.filter(contact=team.second).delete()
    (need,) = [need for need in needs_of(team.admin) if need.verb == "Fix"]
    assert need.title == "Levels of SEV1 reach nobody"
    incident = team.open()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    Escalation.objects.update(next_at=None, escalate_due_at=None)
    assert [need for need in needs_of(team.operator) if need.verb == "Decide who helps"]
