"""From an incident to the right people, on two clocks."""

from collections.abc import Callable

from incidents import escalation, lifecycle
from incidents.models import Escalation, Incident, Message
from tests.clock import Clock
from tests.incidents.escalation.conftest import Mailbox, Team

Deliver = Callable[[], None]


def said(incident: Incident, kind: str) -> list[str]:
    return list(incident.events.filter(kind=kind).values_list("text", flat=True))


def test_opening_pages_the_first_level_at_once(team: Team, clock: Clock, mailbox: Mailbox, deliver: Deliver) -> None:
    incident = team.open()
    deliver()
    (mail,) = mailbox.to("anna@example.org")
    assert mail["Subject"] == "SEV1 PostgreSQL is down (Production)"
    assert mail["X-Erpops-Incident"] == str(incident.pk)
    text = mail.get_payload()
    assert f"/i/{incident.pk}/" in text
    assert "Next: Bert at" in text
    message = Message.objects.get()
    assert (message.status, message.attempts) == ("sent", 1)
    assert "queued as Q1" in message.proof
    assert mail["Message-ID"].strip().startswith(f"<{message.idem_key[:32]}@")
    assert said(incident, "escalation.called") == ["called level 1: Anna by email"]


def test_the_second_level_is_called_when_nobody_answers_in_time(
    team: Team, clock: Clock, mailbox: Mailbox, deliver: Deliver
) -> None:
    team.open()
    deliver()
    clock.advance(minutes=4, seconds=50)
    assert escalation.tick() == 0
    clock.advance(seconds=11)
    assert escalation.tick() == 1
    deliver()
    assert len(mailbox.to("bert@example.org")) == 1
    assert len(mailbox.to("anna@example.org")) == 1


def test_acknowledging_cancels_what_has_not_left_and_stops_the_first_clock(
    team: Team, clock: Clock, mailbox: Mailbox, deliver: Deliver
) -> None:
    incident = team.open()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    deliver()
    assert mailbox.mails == []
    assert Message.objects.get().status == "cancelled"
    clock.advance(minutes=20)
    assert escalation.tick() == 0


def test_the_second_clock_calls_on_although_someone_acknowledged(
    team: Team, clock: Clock, mailbox: Mailbox, deliver: Deliver
) -> None:
    incident = team.open()
    deliver()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    clock.advance(minutes=30, seconds=1)
    escalation.tick()
    deliver()
    (mail,) = mailbox.to("bert@example.org")
    assert "Not resolved yet" in mail.get_payload()
    clock.advance(minutes=30, seconds=1)
    escalation.tick()
    assert said(incident, "escalation.exhausted") == [
        "every level was called and the incident is still open; nobody else will be called"
    ]


def test_the_last_level_hears_once_more_when_the_first_clock_had_called_it(team: Team, clock: Clock) -> None:
    incident = team.open()
    clock.advance(minutes=5, seconds=1)
    escalation.tick()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    for _ in range(3):
        clock.advance(minutes=31)
        escalation.tick()
    assert said(incident, "escalation.called") == [
        "called level 1: Anna by email",
        "nobody acknowledged in time; called level 2: Bert by email",
        "not resolved in time; called level 2: Bert by email",
    ]


def test_progress_of_a_runbook_starts_the_second_clock_again(team: Team, clock: Clock) -> None:
    incident = team.open()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    clock.advance(minutes=29)
    lifecycle.progressed(incident=incident)
    clock.advance(minutes=29)
    assert escalation.tick() == 0
    clock.advance(minutes=2)
    assert escalation.tick() == 1


def test_resolving_disarms_everything(team: Team, clock: Clock) -> None:
    incident = team.open()
    lifecycle.resolve(incident=incident, resolution="restarted", by=team.operator)
    clock.advance(hours=3)
    assert escalation.tick() == 0
    assert set(Message.objects.values_list("status", flat=True)) == {"cancelled"}


def test_an_unanswered_ladder_is_called_three_times_and_then_says_so(team: Team, clock: Clock) -> None:
    incident = team.open()
    for _ in range(10):
        clock.advance(minutes=5, seconds=1)
        escalation.tick()
    assert Message.objects.count() == 6
    assert Escalation.objects.get().state == "exhausted"
    assert "3 times" in said(incident, "escalation.exhausted")[0]


def test_an_exhausted_ladder_can_still_be_acknowledged_and_then_runs_its_second_clock(team: Team, clock: Clock) -> None:
    incident = team.open()
    for _ in range(7):
        clock.advance(minutes=5, seconds=1)
        escalation.tick()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    clock.advance(minutes=31)
    assert escalation.tick() == 1


def test_a_worse_severity_starts_the_ladder_over_by_its_rule(team: Team, clock: Clock) -> None:
    team.rule([[team.second]], severity="SEV3", respond=60, escalate=240)
    incident = team.open("SEV3")
    lifecycle.set_severity(incident=incident, to="SEV1", by=team.operator)
    assert said(incident, "escalation.called") == [
        "called level 1: Bert by email",
        "called level 1: Anna by email",
    ]
    assert list(Message.objects.order_by("id").values_list("status", flat=True)) == ["cancelled", "queued"]
    clock.advance(minutes=5, seconds=1)
    assert escalation.tick() == 1


def test_reopening_an_acknowledged_incident_wakes_nobody_but_runs_the_second_clock(team: Team, clock: Clock) -> None:
    incident = team.open()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    lifecycle.resolve(incident=incident, resolution="", by=team.operator)
    lifecycle.reopen(incident=incident, reason="it is back", by=team.operator)
    assert Message.objects.filter(status="queued").count() == 0
    clock.advance(minutes=31)
    assert escalation.tick() == 1
    assert Message.objects.filter(status="queued").count() == 1
