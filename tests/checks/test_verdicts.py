"""Measurements become verdicts, verdicts become alerts."""

import pytest

from checks import retention, scheduler, verdicts
from checks.choices import Verdict
from checks.models import Check, Result
from checks.verdicts import settle
from erpops import clock
from incidents.choices import AlertStatus, IncidentStatus
from incidents.models import Alert, Incident, Source
from tests.checks.conftest import MakeCheck, failed, measured

UP, WARNING, DOWN, NEW, UNKNOWN = Verdict.UP, Verdict.WARNING, Verdict.DOWN, Verdict.NEW, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("now", "newest_first", "then"),
    [
        (UP, [DOWN, UP], UP),
        (UP, [DOWN, DOWN], DOWN),
        (UP, [DOWN, WARNING], WARNING),
        (UP, [WARNING, DOWN], WARNING),
        (WARNING, [DOWN, WARNING], WARNING),
        (WARNING, [DOWN, DOWN], DOWN),
        (DOWN, [UP, DOWN, DOWN], DOWN),
        (DOWN, [UP, UP, DOWN], DOWN),
        (DOWN, [UP, UP, UP], UP),
        (DOWN, [WARNING, UP, WARNING], WARNING),
        (NEW, [UP], UP),
        (NEW, [DOWN], NEW),
        (NEW, [DOWN, DOWN], DOWN),
        (UNKNOWN, [UP, DOWN], UP),
        (UNKNOWN, [DOWN, UP], UNKNOWN),
    ],
)
def test_a_verdict_turns_after_two_bad_or_three_good_measurements(
    now: str, newest_first: list[Verdict], then: str
) -> None:
    assert settle(now, newest_first, bad_needed=2, good_needed=3) == then


@pytest.mark.parametrize(
    ("value", "rising", "verdict"),
    [(69.9, True, UP), (70, True, WARNING), (90, True, DOWN), (95, False, UP), (89, False, WARNING), (70, False, DOWN)],
)
def test_reaching_a_threshold_counts_on_the_bad_side(value: float, rising: bool, verdict: str) -> None:
    warning, critical = (70, 90) if rising else (90, 70)
    assert verdicts.against(value, warning_at=warning, critical_at=critical, rising=rising) == verdict


def record(check: Check, *values: float | None) -> Check:
    for value in values:
        check.refresh_from_db()
        assert verdicts.record(check=check, outcome=failed() if value is None else measured(value))
    check.refresh_from_db()
    return check


def test_one_bad_measurement_raises_nothing(make_check: MakeCheck) -> None:
    check = record(make_check(), 10, 95)
    assert (check.verdict, check.streak, check.firing) == (UP, 1, "")
    assert not Incident.objects.exists()


def test_a_failing_check_opens_one_incident_and_its_recovery_ends_the_alert(make_check: MakeCheck) -> None:
    check = record(make_check(), 10, 95, 96, 97)
    incident = Incident.objects.get()
    assert (check.verdict, check.firing, incident.severity) == (DOWN, "SEV2", "SEV2")
    assert incident.title == "Connections in use: 96 %, critical at 90 %"
    assert incident.service is not None and incident.service.name == "database"
    alert = Alert.objects.get()
    assert alert.name == "ErpopsDatabaseConnectionsHigh"
    assert alert.labels["check"] == "connections" and alert.labels["environment"] == "self"
    record(check, 10)
    assert Alert.objects.get().status == AlertStatus.FIRING
    check = record(check, 11)
    alert.refresh_from_db()
    incident.refresh_from_db()
    assert (check.verdict, check.firing, alert.status) == (UP, "", AlertStatus.RESOLVED)
    assert incident.status == IncidentStatus.RESOLVED  # nobody had taken it


@pytest.mark.django_db(transaction=True)
def test_failing_again_after_a_recovery_is_a_new_episode(make_check: MakeCheck) -> None:
    check = record(make_check(), 95, 95, 1, 1, 95, 95)
    assert check.firing == "SEV2"
    assert Alert.objects.get().status == AlertStatus.FIRING
    assert Incident.objects.count() == 2


def test_a_warning_is_one_step_less_severe_and_rises_when_it_gets_critical(make_check: MakeCheck) -> None:
    check = record(make_check(), 75, 75)
    assert (check.verdict, Incident.objects.get().severity) == (WARNING, "SEV3")
    record(check, 95, 95)
    assert Incident.objects.get().severity == "SEV2"
    assert Alert.objects.get().severity == "SEV2"


def test_a_probe_that_fails_is_down_with_its_sentence(make_check: MakeCheck) -> None:
    check = record(make_check(), None, None)
    assert (check.verdict, check.last_value, check.last_message) == (DOWN, None, "No answer.")
    assert Incident.objects.get().title == "Connections in use failed: No answer."


def test_two_checks_of_one_condition_share_an_incident(make_check: MakeCheck) -> None:
    record(make_check("one"), 95, 95)
    record(make_check("two"), 95, 95)
    assert Incident.objects.count() == 1
    assert Alert.objects.count() == 2


def test_a_muted_check_raises_nothing_until_its_mute_ends(make_check: MakeCheck) -> None:
    check = make_check(muted_until=clock.now() + clock.seconds(600))
    check = record(check, 95, 95, 95)
    assert (check.verdict, Incident.objects.count()) == (DOWN, 0)
    Check.objects.update(muted_until=clock.now() - clock.seconds(1))
    record(check, 95)
    assert Incident.objects.count() == 1


def test_checks_whose_source_is_switched_off_raise_nothing(make_check: MakeCheck) -> None:
    Source.objects.update(enabled=False)
    check = record(make_check(), 95, 95)
    assert (check.verdict, check.firing, Incident.objects.count()) == (DOWN, "", 0)
    Source.objects.update(enabled=True)
    assert record(check, 95).firing == "SEV2"


def test_a_claim_that_was_taken_over_writes_nothing(make_check: MakeCheck) -> None:
    check = make_check()
    late = Check.objects.get(pk=check.pk)
    Check.objects.update(fence=5)
    assert verdicts.record(check=late, outcome=measured(95)) is False
    assert not Result.objects.exists()


def test_silence_is_unknown_once_pages_nobody_and_ends_with_a_measurement(make_check: MakeCheck) -> None:
    check = record(make_check(interval_s=30, timeout_s=10), 95, 95)
    Check.objects.update(last_at=clock.now() - clock.seconds(99))
    assert scheduler.silence() == 0
    Check.objects.update(last_at=clock.now() - clock.seconds(700))
    assert scheduler.silence() == 1
    assert scheduler.silence() == 0
    check.refresh_from_db()
    assert check.verdict == UNKNOWN and check.last_message.startswith("No measurement for 12 min")
    assert Incident.objects.count() == 1 and Alert.objects.get().status == AlertStatus.FIRING
    # The alert still stands, so one good measurement does not end it.
    assert record(check, 10).verdict == DOWN
    assert record(check, 10).verdict == UP
    assert Alert.objects.get().status == AlertStatus.RESOLVED


def test_a_check_that_is_switched_off_takes_its_alert_along(make_check: MakeCheck) -> None:
    check = record(make_check(), 95, 95)
    verdicts.retire(check=check)
    check.refresh_from_db()
    assert (check.verdict, check.firing) == (NEW, "")
    assert Alert.objects.get().status == AlertStatus.RESOLVED


def test_old_results_are_forgotten_in_batches(make_check: MakeCheck) -> None:
    check = make_check()
    now = clock.now()
    for days in (20, 15, 13, 0):
        Result.objects.create(
            checked=check, at=now - clock.seconds(days * 86_400), ok=True, verdict=UP, value=1, duration_ms=1
        )
    assert retention.forget() == 2
    assert retention.forget() == 0
    assert Result.objects.count() == 2
