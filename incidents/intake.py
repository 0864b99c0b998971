"""Folding: deliveries become alerts, alerts become incidents. The only writer of Delivery and Alert.

`fold` takes what arrived together and commits it in one transaction; a caller answers its sender
only afterwards. The order of locks is fixed (alerts by source and fingerprint, then incidents by
number), so that two folds never wait for each other in a circle.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from erpops import clock
from erpops.failpoints import failpoint
from incidents import lifecycle, timeline
from incidents.choices import AlertStatus, IncidentStatus
from incidents.models import Alert, Delivery, Environment, Incident, Service, Source
from incidents.sources.parsed import ParsedAlert

Key = tuple[int, str]
Aimed = tuple[Source, ParsedAlert]


@dataclass(frozen=True)
class Incoming:
    """One body, already parsed."""

    source: Source
    body: bytes
    alerts: list[ParsedAlert]


@dataclass
class Folded:
    """What became of one body: the incidents that its alerts belong to."""

    delivery_id: int
    incident_ids: list[int] = field(default_factory=list)


@dataclass
class _Round:
    """Alerts with one status for each fingerprint, and how often each came."""

    alerts: dict[Key, Aimed] = field(default_factory=dict)
    times: dict[Key, int] = field(default_factory=dict)


def fold(batch: list[Incoming]) -> list[Folded]:
    """Take in `batch` in its order, in one transaction; all of it or nothing."""
    with transaction.atomic():
        now = clock.now()
        deliveries = Delivery.objects.bulk_create(
            Delivery(source=item.source, received_at=now, body=item.body, alert_count=len(item.alerts))
            for item in batch
        )
        _stamp_sources({item.source.pk for item in batch}, now)
        belongs: dict[Key, int] = {}
        for turn in _rounds(batch):
            belongs |= _fold_round(turn, now)
        failpoint("delivery.before_commit")
    return [
        Folded(
            delivery.pk,
            sorted({belongs[key] for alert in item.alerts if (key := (item.source.pk, alert.fingerprint)) in belongs}),
        )
        for delivery, item in zip(deliveries, batch, strict=True)
    ]


def _stamp_sources(ids: set[int], now: datetime) -> None:
    """At most every few seconds: this row is shared by all senders of the source."""
    stale = Source.objects.filter(pk__in=ids).exclude(last_delivery_at__gt=now - clock.seconds(5))
    stale.update(last_delivery_at=now)


def _rounds(batch: list[Incoming]) -> list[_Round]:
    """Split where a fingerprint changes its status, so that firing–resolved–firing stays that."""
    rounds = [_Round()]
    for item in batch:
        for alert in item.alerts:
            key = (item.source.pk, alert.fingerprint)
            known = rounds[-1].alerts.get(key)
            if known and known[1].status != alert.status:
                rounds.append(_Round())
                known = None
            if known is None or not _older(alert, known[1]):
                rounds[-1].alerts[key] = (item.source, alert)
            rounds[-1].times[key] = rounds[-1].times.get(key, 0) + 1
    return rounds


def _older(alert: ParsedAlert, than: ParsedAlert) -> bool:
    """Whether `alert` tells of an earlier episode; without a start it tells of this moment."""
    return alert.starts_at is not None and (than.starts_at is None or alert.starts_at < than.starts_at)


def _fold_round(turn: _Round, now: datetime) -> dict[Key, int]:
    if not turn.alerts:
        return {}
    before = _lock_known(turn)
    stored = _upsert(turn, before, now)
    firing: list[tuple[Aimed, Alert]] = []
    ended: list[tuple[Aimed, Alert]] = []
    again: list[tuple[Incident, str]] = []
    for key, alert in stored.items():
        known, aimed = before.get(key), turn.alerts[key]
        if alert.status != aimed[1].status:
            continue  # A late message about an episode that has ended: counted, nothing more.
        was_firing = known is not None and known.status == AlertStatus.FIRING
        if alert.status == AlertStatus.RESOLVED:
            if was_firing and alert.incident_id:
                ended.append((aimed, alert))
        elif was_firing and known and known.incident and known.incident.is_open:
            again.append((known.incident, aimed[1].severity))
        else:
            firing.append((aimed, alert))
    _attach(firing, now)
    for incident, severity in sorted(again, key=lambda pair: pair[0].pk):
        lifecycle.raise_severity(incident=incident, to=severity)
    _end(ended)
    return {key: alert.incident_id for key, alert in stored.items() if alert.incident_id}


def _lock_known(turn: _Round) -> dict[Key, Alert]:
    by_source: dict[int, list[str]] = {}
    for source_id, fingerprint in turn.alerts:
        by_source.setdefault(source_id, []).append(fingerprint)
    known: dict[Key, Alert] = {}
    for source_id in sorted(by_source):
        rows = Alert.objects.filter(source_id=source_id, fingerprint__in=by_source[source_id])
        for alert in rows.select_related("incident").select_for_update(of=("self",)).order_by("fingerprint"):
            known[(source_id, alert.fingerprint)] = alert
    return known


# A firing message whose episode is not newer than one that has ended does not raise it again.
_UPSERT = """
INSERT INTO incidents_alert AS known (source_id, fingerprint, name, status, severity, labels, annotations,
    generator_url, starts_at, ends_at, first_seen_at, last_seen_at, deliveries)
SELECT s, f, n, st, sev, l::jsonb, a::jsonb, g, b, e, %(now)s, %(now)s, c
FROM unnest(%(source)s::bigint[], %(fingerprint)s::text[], %(name)s::text[], %(status)s::text[],
    %(severity)s::text[], %(labels)s::text[], %(annotations)s::text[], %(url)s::text[],
    %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(times)s::bigint[])
    AS row(s, f, n, st, sev, l, a, g, b, e, c)
ON CONFLICT (source_id, fingerprint) DO UPDATE SET
    deliveries = known.deliveries + excluded.deliveries, last_seen_at = excluded.last_seen_at,
    name = excluded.name, severity = excluded.severity, labels = excluded.labels,
    annotations = excluded.annotations, generator_url = excluded.generator_url,
    status = CASE WHEN known.status = 'resolved' AND excluded.status = 'firing'
        AND excluded.starts_at <= known.starts_at THEN known.status ELSE excluded.status END,
    starts_at = greatest(known.starts_at, excluded.starts_at),
    ends_at = CASE WHEN excluded.status = 'resolved' THEN coalesce(excluded.ends_at, %(now)s)
        WHEN excluded.starts_at <= known.starts_at THEN known.ends_at END
RETURNING known.source_id, known.fingerprint, known.id, known.status, known.incident_id
"""


def _upsert(turn: _Round, before: dict[Key, Alert], now: datetime) -> dict[Key, Alert]:
    keys = sorted(turn.alerts)
    alerts = [turn.alerts[key][1] for key in keys]
    values: dict[str, Any] = {
        "now": now,
        "source": [key[0] for key in keys],
        "fingerprint": [key[1] for key in keys],
        "name": [alert.name for alert in alerts],
        "status": [alert.status for alert in alerts],
        "severity": [alert.severity for alert in alerts],
        "labels": [json.dumps(alert.labels) for alert in alerts],
        "annotations": [json.dumps(alert.annotations) for alert in alerts],
        "url": [alert.generator_url for alert in alerts],
        "starts": [alert.starts_at or now for alert in alerts],
        "ends": [alert.ends_at for alert in alerts],
        "times": [turn.times[key] for key in keys],
    }
    stored: dict[Key, Alert] = {}
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, values)
        for source_id, fingerprint, pk, status, incident_id in cursor.fetchall():
            stored[(source_id, fingerprint)] = Alert(
                pk=pk, source_id=source_id, fingerprint=fingerprint, status=status, incident_id=incident_id
            )
    return stored


def _attach(firing: list[tuple[Aimed, Alert]], now: datetime) -> None:
    """Give each newly firing alert its open incident, opening one where there is none."""
    groups: dict[str, list[tuple[Aimed, Alert]]] = {}
    for aimed, alert in firing:
        groups.setdefault(aimed[1].group_key, []).append((aimed, alert))
    opened = _open_by_group(list(groups))
    for key, members in sorted(
        groups.items(), key=lambda group: opened[group[0]].pk if group[0] in opened else 1 << 62
    ):
        incident = opened.get(key)
        if incident is None:
            incident = _open(key, [aimed for aimed, _ in members], now)
        for (source, parsed), alert in members:
            alert.incident_id = incident.pk
            Alert.objects.filter(pk=alert.pk).update(incident=incident)
            timeline.add(
                incident=incident,
                kind="alert.firing",
                text=f"{parsed.name} fired ({source.name})",
                data={"alert": alert.pk, "summary": parsed.annotations.get("summary", "")[:500]},
                occurred_at=min(parsed.starts_at or now, now),
            )
            lifecycle.raise_severity(incident=incident, to=parsed.severity)


def _open_by_group(keys: list[str]) -> dict[str, Incident]:
    rows = Incident.objects.filter(group_key__in=keys).exclude(status=IncidentStatus.RESOLVED).order_by("pk")
    return {incident.group_key: incident for incident in rows.select_for_update(of=("self",))}


def _open(group_key: str, members: list[Aimed], now: datetime) -> Incident:
    """Open the incident of `group_key`, or find the one that another process opened just now."""
    source, worst = min(members, key=lambda aimed: aimed[1].severity)
    try:
        with transaction.atomic():
            return lifecycle.open_incident(
                title=title_of(worst),
                severity=worst.severity,
                environment=_environment(source, worst),
                service=Service.objects.filter(name=worst.service[:60]).first() if worst.service else None,
                group_key=group_key,
                is_drill=worst.labels.get("drill") == "true",
                started_at=min([now, *(alert.starts_at or now for _, alert in members)]),
                cause=f"{source.name} opened it",
            )
    except IntegrityError:
        return _open_by_group([group_key])[group_key]


def title_of(alert: ParsedAlert) -> str:
    """What an incident is called at first: the alert's own summary, else its name and where."""
    summary = alert.annotations.get("summary", "").strip().splitlines()
    if summary:
        return summary[0][:200]
    where = alert.labels.get("instance") or alert.service or alert.environment
    return (f"{alert.name} on {where}" if where else alert.name)[:200]


def _environment(source: Source, alert: ParsedAlert) -> Environment:
    """The one the alert names, else the source's, else the first."""
    named = Environment.objects.filter(name=alert.environment[:40].lower()).first() if alert.environment else None
    found = named or source.environment or Environment.objects.order_by("position", "pk").first()
    if found is None:
        raise Environment.DoesNotExist("There is no environment yet; run `manage.py prepare`.")
    return found


def _end(ended: list[tuple[Aimed, Alert]]) -> None:
    """Write down the end of alerts. An incident that nobody had taken ends with its last alert."""
    by_incident: dict[int, list[Aimed]] = {}
    for aimed, alert in ended:
        if alert.incident_id:
            by_incident.setdefault(alert.incident_id, []).append(aimed)
    for incident in Incident.objects.filter(pk__in=by_incident).order_by("pk").select_for_update(of=("self",)):
        for source, parsed in by_incident[incident.pk]:
            timeline.add(incident=incident, kind="alert.resolved", text=f"{parsed.name} resolved ({source.name})")
        if incident.alerts.filter(status=AlertStatus.FIRING).exists() or not incident.is_open:
            continue
        if incident.acknowledged_at is None:
            lifecycle.resolve(
                incident=incident, resolution="all alerts resolved before anyone had acknowledged", by=None
            )
        else:
            timeline.add(
                incident=incident, kind="alerts.quiet", text="all alerts have resolved; verify and resolve the incident"
            )
