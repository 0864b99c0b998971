"""What people ask of an escalation, what becomes of missing people, and engines that double, stop or lag."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from erpops import audit
from erpops.transitions import IllegalMove
from incidents import escalation, lifecycle, notify, policy
from incidents.models import Contact, Escalation, EscalationPolicy, Incident, Message
from tests.clock import Clock
from tests.incidents.escalation.conftest import Mailbox, Team

Deliver = Callable[[], None]


def called(incident: Incident) -> list[str]:
    texts = incident.events.filter(kind="escalation.called").order_by("seq").values_list("text", flat=True)
    return [text.partition("called ")[2] for text in texts]


def test_escalate_now_calls_the_next_level_once_however_often_it_is_clicked(team: Team) -> None:
    incident = team.open()
    seen = escalation.step_of(Escalation.objects.get())
    assert escalation.escalate_now(incident=incident, by=team.operator, seen=seen)
    assert not escalation.escalate_now(incident=incident, by=team.operator, seen=seen)
    assert called(incident) == ["level 1: Anna by email", "level 2: Bert by email"]
    assert list(audit.faults()) == []


def test_who_cannot_take_it_hands_on_at_once(team: Team) -> None:
    incident = team.open()
    escalation.cannot_take(incident=incident, by=team.operator)
    assert called(incident)[-1] == "level 2: Bert by email"
    assert incident.events.filter(kind="escalation.cannot_take", actor=team.operator).exists()


def test_asking_after_the_last_level_begins_again_and_finishes_that_round(team: Team, clock: Clock) -> None:
    incident = team.open()
    for _ in range(7):
        clock.advance(minutes=6)
        escalation.tick()
    escalation.escalate_now(incident=incident, by=team.operator)
    clock.advance(minutes=6)
    escalation.tick()
    clock.advance(minutes=6)
    escalation.tick()
    assert called(incident)[-2:] == ["level 1: Anna by email", "level 2: Bert by email"]
    assert len(called(incident)) == 8
    assert Escalation.objects.get().state == "exhausted"


def test_a_hold_delays_the_call_once_and_needs_a_reason(team: Team, clock: Clock) -> None:
    incident = team.open()
    with pytest.raises(IllegalMove, match="Say why"):
        escalation.hold(incident=incident, seconds_=600, reason=" ", by=team.operator)
    with pytest.raises(IllegalMove, match="10 minutes"):
        escalation.hold(incident=incident, seconds_=601, reason="x", by=team.operator)
    escalation.hold(incident=incident, seconds_=600, reason="restarting now", by=team.operator)
    with pytest.raises(IllegalMove, match="held once"):
        escalation.hold(incident=incident, seconds_=600, reason="more", by=team.operator)
    clock.advance(minutes=14)
    assert escalation.tick() == 0
    clock.advance(minutes=1, seconds=1)
    assert escalation.tick() == 1


def test_nothing_can_be_asked_of_a_resolved_incident(team: Team) -> None:
    incident = team.open()
    lifecycle.resolve(incident=incident, resolution="", by=team.operator)
    with pytest.raises(IllegalMove, match="Reopen"):
        escalation.escalate_now(incident=incident, by=team.operator)


def test_a_contact_deleted_meanwhile_is_passed_over_and_the_timeline_says_so(team: Team, clock: Clock) -> None:
    third = team.contact("Cleo")
    team.rule([[team.first], [team.second], [third]])
    incident = team.open()
    team.rule([[team.first], [third]])
    policy.delete_contact(contact=team.second, by=team.admin)
    clock.advance(minutes=6)
    escalation.tick()
    assert called(incident)[-1] == "level 3: Cleo by email"
    skipped = incident.events.get(kind="escalation.skipped").text
    assert skipped == "skipped level 2, where nobody can be reached: Bert was deleted"


def test_a_running_escalation_keeps_the_policy_it_began_with(team: Team, clock: Clock) -> None:
    incident = team.open()
    team.rule([[team.second]], respond=1)
    clock.advance(minutes=2)
    assert escalation.tick() == 0
    clock.advance(minutes=4)
    escalation.tick()
    assert called(incident)[-1] == "level 2: Bert by email"
    assert Escalation.objects.get().snapshot["version"] + 1 == EscalationPolicy.objects.get().version


def test_someone_unreachable_beside_someone_reachable_is_named(team: Team) -> None:
    team.operator.is_active = False
    team.operator.save(update_fields=["is_active"])
    gone = policy.save_contact(contact=None, name="Dora", role="", user=team.operator, by=team.admin)
    team.method(gone, "email", "dora@example.org")
    team.rule([[gone, team.first]])
    incident = team.open()
    assert called(incident) == ["level 1: Anna by email"]
    assert incident.events.get(kind="escalation.passed_over").text.endswith("has a disabled account")


def test_a_severity_without_a_rule_opens_all_the_same_and_says_that_nobody_was_called(team: Team) -> None:
    incident = team.open("SEV4")
    assert "no one is on call for SEV4" in incident.events.get(kind="escalation.exhausted").text
    assert Escalation.objects.get().state == "exhausted"
    assert lifecycle.acknowledge(incident=incident, by=team.operator)


def test_after_an_absence_each_clock_acts_once_and_starts_again_from_now(team: Team, clock: Clock) -> None:
    incidents = [team.open() for _ in range(5)]
    clock.advance(hours=2)
    assert escalation.tick() == 5
    assert escalation.tick() == 0
    assert {len(called(incident)) for incident in incidents} == {2}
    clock.advance(minutes=4)
    assert escalation.tick() == 0
    clock.advance(minutes=2)
    assert escalation.tick() == 5


def test_nobody_is_woken_by_a_call_that_fell_due_a_day_ago(team: Team, clock: Clock) -> None:
    incident = team.open()
    clock.advance(days=1, minutes=6)
    escalation.tick()
    assert len(called(incident)) == 1
    assert "fell due 24 h ago" in incident.events.get(kind="escalation.dormant").text
    escalation.escalate_now(incident=incident, by=team.operator)
    assert called(incident)[-1] == "level 2: Bert by email"
    assert Escalation.objects.get().state == "armed"


def test_a_clock_that_goes_back_repeats_nothing(team: Team, clock: Clock) -> None:
    team.open()
    clock.advance(minutes=6)
    escalation.tick()
    clock.advance(hours=-1)
    assert escalation.tick() == 0
    assert Message.objects.count() == 2


def test_three_engines_at_once_make_no_duplicates(team: Team, clock: Clock, mailbox: Mailbox) -> None:
    incidents = [team.open() for _ in range(20)]
    clock.advance(minutes=6)
    barrier = threading.Barrier(3)
    moved: list[int] = []

    def engine() -> None:
        try:
            barrier.wait()
            for _ in range(5):
                moved.append(escalation.tick())
        finally:
            connection.close()

    threads = [threading.Thread(target=engine) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moved) == len(incidents)
    assert Message.objects.filter(level=2).count() == len(incidents)
    assert {len(called(incident)) for incident in incidents} == {2}
    assert list(audit.faults()) == []


def test_acknowledging_and_escalating_at_once_never_pages_after_the_acknowledgement(team: Team, clock: Clock) -> None:
    incidents = [team.open() for _ in range(20)]
    clock.advance(minutes=6)
    barrier = threading.Barrier(2)

    def acknowledge() -> None:
        try:
            barrier.wait()
            for incident in incidents:
                lifecycle.acknowledge(incident=incident, by=team.operator)
        finally:
            connection.close()

    thread = threading.Thread(target=acknowledge)
    thread.start()
    barrier.wait()
    for _ in range(5):
        escalation.tick()
    thread.join()
    escalation.tick()
    assert not Message.objects.filter(status="queued").exists()
    for incident in incidents:
        kinds = list(incident.events.order_by("seq").values_list("kind", flat=True))
        assert "escalation.called" not in kinds[kinds.index("incident.acknowledged") :]


def test_one_broken_escalation_does_not_stop_the_others(
    team: Team, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = team.open(), team.open()
    Escalation.objects.filter(incident=broken).update(snapshot={"levels": []})
    clock.advance(minutes=6)
    assert escalation.tick() == 1
    assert len(called(sound)) == 2
    assert f"The escalation of incident {broken.pk} failed" in caplog.text


def test_the_default_matrix_has_the_first_admin_on_call(team: Team) -> None:
    EscalationPolicy.objects.all().delete()
    Contact.objects.all().delete()
    policy.ensure_default(admin=team.admin)
    policy.ensure_default(admin=team.admin)
    assert EscalationPolicy.objects.get().rules.count() == 4
    incident = team.open("SEV2")
    assert called(incident) == ["level 1: On-call by email"]
    assert Message.objects.get().method.address == "admin@example.org"  # type: ignore[union-attr]
    assert notify.due().count() == 1
