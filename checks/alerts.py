"""Checks as a source of alerts: they come in by the same door as everybody's."""

import json
from datetime import datetime

from checks.models import Check
from incidents import intake, lifecycle
from incidents.choices import AlertStatus
from incidents.models import Incident, Source
from incidents.sources.parsed import ParsedAlert

SOURCE_KIND = "checks"


def fire(*, check: Check, severity: str, summary: str, at: datetime) -> None:
    """Raise the check's alert, or make a standing one more severe, in the running transaction."""
    folded = _send(check, status=AlertStatus.FIRING, severity=severity, summary=summary, at=at)
    # Intake takes a standing alert's second message as a repetition; ours says that the severity changed.
    for incident in Incident.objects.filter(pk__in=folded.incident_ids):
        lifecycle.raise_severity(incident=incident, to=severity)


def end(*, check: Check, at: datetime) -> None:
    """Its condition is over."""
    _send(
        check,
        status=AlertStatus.RESOLVED,
        severity=check.severity,
        summary=f"{check.label} is fine again",
        at=at,
    )


def standing(check: Check) -> dict[str, str]:
    """How to find the incident of the alert that this check has raised, as a filter on incidents."""
    return {
        "alerts__source__kind": SOURCE_KIND,
        "alerts__fingerprint": fingerprint(check),
        "alerts__status": AlertStatus.FIRING,
    }


def fingerprint(check: Check) -> str:
    """What the check's alert is known by, over all its episodes."""
    return f"check-{check.pk}"


def accepted() -> bool:
    """Whether alerts of checks are taken: an admin may have switched their source off."""
    return _source().enabled


def _source() -> Source:
    source = Source.objects.filter(kind=SOURCE_KIND).order_by("pk").first()
    if source is None:
        raise Source.DoesNotExist("There is no source of the kind “checks”; run `manage.py prepare`.")
    return source


def _send(check: Check, *, status: str, severity: str, summary: str, at: datetime) -> intake.Folded:
    target = check.target
    service = target.service.name if target.service else ""
    environment = target.environment.name
    alert = ParsedAlert(
        fingerprint=fingerprint(check),
        name=check.alert_name,
        status=status,
        severity=severity,
        labels={
            "alertname": check.alert_name,
            "check": check.name,
            "target": target.name,
            "service": service,
            "environment": environment,
        },
        group_key=group_key(environment=environment, service=service or target.name, name=check.alert_name),
        annotations={"summary": summary, "description": check.last_message},
        starts_at=at if status == AlertStatus.FIRING else None,
        ends_at=at if status == AlertStatus.RESOLVED else None,
        generator_url=f"/checks/{check.name}/",
        environment=environment,
        service=service,
    )
    return take(alert)


def group_key(*, environment: str, service: str, name: str) -> str:
    """One condition of one service is one incident, however many see it."""
    return f"checks:{environment}:{service}:{name}"


def take(alert: ParsedAlert) -> intake.Folded:
    """Put an alert that the console raises itself through the door of everybody's, in the running transaction."""
    body = {
        "alert": alert.name,
        "status": alert.status,
        "severity": alert.severity,
        "labels": alert.labels,
        "summary": alert.annotations["summary"],
    }
    return intake.fold([intake.Incoming(source=_source(), body=json.dumps(body).encode(), alerts=[alert])])[0]
