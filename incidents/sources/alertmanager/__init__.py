"""Prometheus Alertmanager's webhook, version 4 of its payload.

Source: Alertmanager's documentation, "Webhook receiver". `groupKey` is the grouping that the
sender's own routes ask for, so all alerts of a notification share one incident.
"""

from typing import Any

from incidents.choices import AlertStatus
from incidents.models import Source
from incidents.severities import severity_of
from incidents.sources.parsed import MAX_ALERTS, Malformed, ParsedAlert, digest, pairs, text, time


def parse(data: dict[str, Any], source: Source) -> list[ParsedAlert]:
    """The alerts of one notification."""
    version = text(data, "version")
    if version != "4":
        raise Malformed(f"This is not Alertmanager's payload version 4 (“version” is {version[:20]!r}).")
    alerts = data.get("alerts")
    if not isinstance(alerts, list):
        raise Malformed("“alerts” must be a list.")
    if len(alerts) > MAX_ALERTS:
        raise Malformed(f"“alerts” holds {len(alerts)}; at most {MAX_ALERTS} are taken at once. Set max_alerts.")
    group = text(data, "groupKey") or digest(pairs(data, "groupLabels"))
    return [_alert(item, source, group) for item in alerts]


def _alert(item: Any, source: Source, group: str) -> ParsedAlert:
    if not isinstance(item, dict):
        raise Malformed("Each alert must be an object.")
    labels, annotations = pairs(item, "labels"), pairs(item, "annotations")
    status = text(item, "status")
    if status not in AlertStatus.values:
        raise Malformed("An alert's “status” must be firing or resolved.")
    name = labels.get("alertname", "").strip()
    if not name:
        raise Malformed("An alert has no “alertname” label.")
    return ParsedAlert(
        fingerprint=text(item, "fingerprint", most=80) or digest(labels),
        name=name[:200],
        status=status,
        severity=severity_of(labels.get("severity", ""), source.severities),
        labels=labels,
        annotations=annotations,
        starts_at=time(item, "startsAt"),
        ends_at=time(item, "endsAt") if status == AlertStatus.RESOLVED else None,
        generator_url=text(item, "generatorURL", most=2000),
        group_key=digest("alertmanager", source.pk, group),
        environment=labels.get("environment") or labels.get("env", ""),
        service=labels.get("service") or labels.get("job", ""),
    )
