"""The only writer of timeline events: facts about an incident, numbered without gaps."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from erpops.nudges import nudge
from incidents.models import Incident, TimelineEvent

_NEXT = "UPDATE incidents_incident SET event_seq = event_seq + 1 WHERE id = %s RETURNING event_seq, now()"


def add(
    *,
    incident: Incident,
    kind: str,
    text: str,
    by: User | None = None,
    data: dict[str, Any] | None = None,
    noise: bool = False,
    occurred_at: datetime | None = None,
) -> TimelineEvent:
    """Append one event in the running transaction and ring the incident's topic after commit.

    `text` is a sentence without its subject's name where `by` is given ("acknowledged"). The UPDATE
    that takes the number also locks the incident, so numbers are committed in order.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A timeline event belongs to the transaction of its change.")
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [incident.pk])
        seq, now = cursor.fetchone()
    incident.event_seq = seq
    event = TimelineEvent.objects.create(
        incident=incident,
        seq=seq,
        at=now,
        occurred_at=occurred_at or now,
        kind=kind,
        actor=by,
        text=text,
        data=data or {},
        noise=noise,
    )
    nudge(f"incident:{incident.pk}")
    nudge("now")
    return event
