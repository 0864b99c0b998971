"""A fire drill: a real alert through the real webhook."""

import secrets

import httpx
from django.conf import settings

from incidents.models import Incident, Source

SOURCE = "Fire drill"
ALERT = "ErpopsFireDrill"


class DrillFailed(Exception):
    """The drill could not start; the message says what to do."""


def start(*, base_url: str = "") -> Incident:
    """Post the drill's alert over HTTP as any sender would; the incident that it opened.

    A drill that is running is joined: the same condition is the same incident.
    """
    source = Source.objects.filter(name=SOURCE, enabled=True).first()
    if source is None:
        raise DrillFailed(f"There is no source called “{SOURCE}”; run `manage.py prepare`.")
    answer = _post(base_url or settings.PUBLIC_URL, source, _payload("firing"))
    found = Incident.objects.filter(pk__in=answer.get("incidents", [])).first()
    if found is None:
        raise DrillFailed("The alert was taken, but opened no incident.")
    return found


def _payload(status: str) -> dict[str, object]:
    return {
        "name": ALERT,
        "status": status,
        "severity": "SEV3",
        "summary": "Fire drill: the console practises on itself",
        "description": "Nothing is broken. Acknowledge, walk the runbook, tell the stakeholders, resolve, review.",
        "labels": {"drill": "true", "exercise": secrets.token_hex(4)},
        "key": "fire-drill",
        "group": "fire-drill",
        "service": "console",
        "environment": "self",
    }


def _post(base_url: str, source: Source, payload: dict[str, object]) -> dict[str, list[int]]:
    # Not the egress client: this is our own address, which is private by nature.
    try:
        with httpx.Client(timeout=10, trust_env=False) as client:
            response = client.post(
                f"{base_url}/hooks/{source.kind}", json=payload, headers={"Authorization": f"Bearer {source.token}"}
            )
    except httpx.HTTPError as error:
        raise DrillFailed(
            f"No web process answers at {base_url} ({error}). Start the console, or set ERPOPS_URL."
        ) from error
    if response.status_code != 202:
        raise DrillFailed(f"The webhook answered {response.status_code}: {response.text[:200]}")
    found: dict[str, list[int]] = response.json()
    return found
