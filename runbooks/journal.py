"""The journal of a procedure: the only writer of its entries, which are numbered like an incident's timeline."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import F

from erpops import clock
from erpops.nudges import nudge
from runbooks.models import Execution, JournalEntry


def add(*, execution: Execution, kind: str, text: str, by: User | None, data: dict[str, Any], noise: bool) -> None:
    """Append one entry in the running transaction and ring the procedure's topic after commit.

    The UPDATE that takes the number locks the execution, so numbers are committed in order.
    """
    Execution.objects.filter(pk=execution.pk).update(event_seq=F("event_seq") + 1)
    execution.refresh_from_db(fields=["event_seq"])
    JournalEntry.objects.create(
        execution=execution,
        seq=execution.event_seq,
        at=clock.now(),
        kind=kind,
        actor=by,
        text=text,
        data=data,
        noise=noise,
    )
    nudge(f"execution:{execution.pk}")
    nudge("procedures")
