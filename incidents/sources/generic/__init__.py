"""A JSON object for everything else: one alert, or `{"alerts": [alert, …]}`.

    {"name": "BackupTooOld", "status": "firing", "severity": "high", "summary": "No backup since 02:00",
     "labels": {"host": "db1"}, "key": "backup-db1", "group": "backups", "service": "erp",
     "environment": "production", "runbook_url": "https://…", "starts_at": "2026-01-31T02:30:00Z"}

Only `name` is required. The same `key` is the same condition; the same `group` is one incident.
"""

from typing import Any

from incidents.choices import AlertStatus
from incidents.models import Source
from incidents.severities import severity_of
from incidents.sources.parsed import MAX_ALERTS, Malformed, ParsedAlert, digest, pairs, text, time


def parse(data: dict[str, Any], source: Source) -> list[ParsedAlert]:
    """The alert or alerts of one body."""
    alerts = data.get("alerts", [data])
    if not isinstance(alerts, list) or not alerts:
        raise Malformed("“alerts” must be a list of at least one alert.")
    if len(alerts) > MAX_ALERTS:
        raise Malformed(f"“alerts” holds {len(alerts)}; at most {MAX_ALERTS} are taken at once.")
    return [_alert(item, source) for item in alerts]


def _alert(item: Any, source: Source) -> ParsedAlert:
    if not isinstance(item, dict):
        raise Malformed("Each alert must be an object.")
    name = text(item, "name").strip()
    if not name:
        raise Malformed("“name” is missing: what is wrong, in a word or a short sentence.")
    status = text(item, "status", default=AlertStatus.FIRING)
    if status not in AlertStatus.values:
        raise Malformed("“status” must be firing or resolved.")
    labels, annotations = pairs(item, "labels"), pairs(item, "annotations")
    for key in ("summary", "description", "runbook_url"):
        if value := text(item, key):
            annotations.setdefault(key, value)
    environment = text(item, "environment") or labels.get("environment", "")
    service = text(item, "service") or labels.get("service", "")
    identity = text(item, "key") or digest(name, environment, service, labels)
    group = text(item, "group") or digest(name, environment, service)
    return ParsedAlert(
        fingerprint=digest(identity),
        name=name[:200],
        status=status,
        severity=severity_of(text(item, "severity"), source.severities),
        labels=labels,
        annotations=annotations,
        starts_at=time(item, "starts_at"),
        ends_at=time(item, "ends_at"),
        generator_url=text(item, "url", most=2000),
        group_key=digest("generic", source.pk, group),
        environment=environment,
        service=service,
    )
