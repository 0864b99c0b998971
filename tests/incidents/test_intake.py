"""Deliveries become alerts, alerts become incidents."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erpops import clock
from incidents import intake, lifecycle, sources
from incidents.choices import AlertStatus, IncidentStatus
from incidents.models import Alert, Delivery, Environment, Incident, Source
from incidents.sources.parsed import ParsedAlert

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Source:
    environment = Environment.objects.create(name="production", label="Production")
    return sources.create(name="Prometheus", kind="alertmanager", environment=environment)[0]


def alert(**changes: Any) -> ParsedAlert:
    values: dict[str, Any] = {
        "fingerprint": "f1",
        "name": "DiskFull",
        "status": "firing",
        "severity": "SEV2",
        "labels": {"instance": "db1"},
        "group_key": "g1",
    }
    return ParsedAlert(**(values | changes))


def fold(source: Source, *alerts: ParsedAlert) -> list[intake.Folded]:
    return intake.fold([intake.Incoming(source, b"{}", [item]) for item in alerts])


def test_a_firing_alert_opens_one_incident_and_tells_its_story(source: Source) -> None:
    (folded,) = fold(source, alert(annotations={"summary": "Disk of db1 is full"}))
    incident = Incident.objects.get()
    assert folded.incident_ids == [incident.pk]
    assert (incident.title, incident.severity, incident.status) == ("Disk of db1 is full", "SEV2", "triage")
    assert [event.kind for event in incident.events.order_by("seq")][:1] == ["incident.opened"]
    assert "alert.firing" in incident.events.values_list("kind", flat=True)
    seqs = list(incident.events.order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_same_alert_again_is_counted_and_opens_nothing(source: Source) -> None:
    for _ in range(3):
        fold(source, alert())
    assert Incident.objects.count() == 1
    assert Delivery.objects.count() == 3
    assert Alert.objects.get().deliveries == 3


def test_two_deliveries_in_one_fold_count_twice(source: Source) -> None:
    fold(source, alert(), alert())
    assert Alert.objects.get().deliveries == 2


def test_alerts_of_one_group_share_the_incident_and_the_worst_severity(source: Source) -> None:
    fold(source, alert(severity="SEV3"), alert(fingerprint="f2", name="DiskFuller", severity="SEV1"))
    incident = Incident.objects.get()
    assert incident.severity == "SEV1"
    assert incident.alerts.count() == 2


def test_a_later_alert_raises_the_severity_and_never_lowers_it(source: Source) -> None:
    fold(source, alert(severity="SEV3"))
    fold(source, alert(fingerprint="f2", severity="SEV2"))
    fold(source, alert(fingerprint="f3", severity="SEV4"))
    assert Incident.objects.get().severity == "SEV2"


def test_a_firing_alert_that_got_worse_raises_the_severity(source: Source) -> None:
    fold(source, alert(severity="SEV3"))
    fold(source, alert(severity="SEV1"))
    assert Incident.objects.get().severity == "SEV1"


def test_an_untaken_incident_ends_with_its_last_alert(source: Source) -> None:
    fold(source, alert(), alert(fingerprint="f2"))
    fold(source, alert(status="resolved"))
    assert Incident.objects.get().status == IncidentStatus.TRIAGE
    fold(source, alert(fingerprint="f2", status="resolved"))
    assert Incident.objects.get().status == IncidentStatus.RESOLVED


def test_a_taken_incident_stays_open_and_says_that_the_alerts_are_quiet(source: Source, django_user_model: Any) -> None:
    fold(source, alert())
    incident = Incident.objects.get()
    lifecycle.acknowledge(incident=incident, by=django_user_model.objects.create_user("op"))
    fold(source, alert(status="resolved"))
    incident.refresh_from_db()
    assert incident.is_open
    assert incident.events.filter(kind="alerts.quiet").count() == 1


def test_firing_after_the_incident_closed_opens_the_next(source: Source) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    fold(source, alert(starts_at=began))
    fold(source, alert(status="resolved", starts_at=began))
    fold(source, alert(starts_at=began + timedelta(hours=1)))
    assert Incident.objects.count() == 2
    assert Incident.objects.filter(status="triage").count() == 1


def test_a_late_firing_message_of_an_ended_episode_reopens_nothing(source: Source) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    fold(source, alert(starts_at=began))
    fold(source, alert(status="resolved", starts_at=began))
    fold(source, alert(starts_at=began))
    assert Incident.objects.count() == 1
    assert Alert.objects.get().status == AlertStatus.RESOLVED


def test_resolved_before_firing_is_remembered(source: Source) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    fold(source, alert(status="resolved", starts_at=began))
    fold(source, alert(starts_at=began))
    assert Incident.objects.count() == 0


def test_fired_and_resolved_in_one_fold_leaves_both_on_the_timeline(source: Source) -> None:
    fold(source, alert(), alert(status="resolved"))
    kinds = list(Incident.objects.get().events.values_list("kind", flat=True))
    assert "alert.firing" in kinds and "alert.resolved" in kinds


def test_the_environment_named_by_the_alert_wins_over_the_source(source: Source) -> None:
    staging = Environment.objects.create(name="staging", label="Staging", position=5)
    fold(source, alert(environment="staging"))
    assert Incident.objects.get().environment == staging


def _model(stream: list[tuple[int, str, int]]) -> dict[int, str]:
    """What each fingerprint ends as: newer episodes win, an ended episode does not begin again."""
    state: dict[int, tuple[int, str]] = {}
    for fingerprint, status, episode in stream:
        known = state.get(fingerprint)
        if known and known[1] == "resolved" and status == "firing" and episode <= known[0]:
            continue
        state[fingerprint] = (max(episode, known[0] if known else episode), status)
    return {fingerprint: status for fingerprint, (_, status) in state.items()}


_messages = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["firing", "resolved"]), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=_messages, cut=st.integers(1, 12))
def test_any_stream_ends_where_the_plain_model_ends_however_it_is_batched(
    source: Source, stream: list[tuple[int, str, int]], cut: int
) -> None:
    Incident.objects.all().delete()
    Alert.objects.all().delete()
    base = clock.now() - timedelta(days=1)
    parsed = [
        alert(
            fingerprint=f"f{number}",
            group_key=f"g{number}",
            status=status,
            starts_at=base + timedelta(hours=episode),
        )
        for number, status, episode in stream
    ]
    for start in range(0, len(parsed), cut):
        fold(source, *parsed[start : start + cut])
    assert {int(row.fingerprint[1:]): row.status for row in Alert.objects.all()} == _model(stream)
    firing = Alert.objects.filter(status="firing")
    assert all(row.incident and row.incident.is_open for row in firing)
