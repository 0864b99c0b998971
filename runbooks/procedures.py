"""What the procedure pages read: which runbooks are procedures, which walks go on, what was done."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum

from erpops import access
from erpops.sse import Frame, StateFeed, changed
from incidents import chronicle
from runbooks.access import visible_executions, visible_runbooks
from runbooks.choices import ExecutionPurpose, ExecutionStatus
from runbooks.models import Execution, JournalEntry
from runbooks.page_queries import Card, cards

FINISHED = 20
LATEST = 200
KINDS = ("scheduled", "operation")


@dataclass(frozen=True)
class Offer:
    """A runbook that can be started as a procedure; `schedule` is its text, empty for one without."""

    card: Card
    schedule: str
    last: Execution | None


def offers(user: Any) -> list[Offer]:
    """Routines with a schedule first, then operations, by title."""
    shelf = cards(visible_runbooks(user).filter(kind__in=KINDS))
    walked = _procedures(user).filter(version__runbook__in=[card.runbook.pk for card in shelf])
    newest = walked.order_by("version__runbook_id", "-started_at").distinct("version__runbook_id")
    last = {walk.version.runbook_id: walk for walk in newest}
    found = [Offer(card, _schedule(card), last.get(card.runbook.pk)) for card in shelf]
    return sorted(found, key=lambda offer: (not offer.schedule, offer.card.runbook.title))


def going_on(user: Any) -> list[Execution]:
    """Procedures in progress, the oldest first."""
    return list(_procedures(user).filter(status=ExecutionStatus.ACTIVE).order_by("started_at"))


def finished(user: Any) -> list[Execution]:
    """The latest that ended."""
    return list(_procedures(user).exclude(status=ExecutionStatus.ACTIVE).order_by("-ended_at")[:FINISHED])


def journal(execution: Execution, *, noise: bool = False) -> list[chronicle.EventRow]:
    """The acts of a procedure as a timeline shows them, newest first."""
    found = JournalEntry.objects.filter(execution=execution).select_related("actor")
    if not noise:
        found = found.filter(noise=False)
    whole = JournalEntry.objects.filter(execution=execution)
    return chronicle.rows(list(found.order_by("-seq")[:LATEST]), among=whole)


def version() -> int:
    """How many acts there are in all procedures."""
    return Execution.objects.filter(incident=None).aggregate(all=Sum("event_seq"))["all"] or 0


class ProcedureFeed:
    """`execution:<number>`: its cursor is the number of the latest act."""

    def allowed(self, user: Any, key: str) -> bool:
        return key.isdecimal() and visible_executions(user).filter(pk=int(key)).exists()

    def newest(self, key: str) -> int:
        return Execution.objects.filter(pk=int(key)).values_list("event_seq", flat=True).first() or 0

    def after(self, key: str, cursor: int) -> list[Frame]:
        seq = self.newest(key)
        return [changed(f"execution:{key}", seq)] if seq > cursor else []


procedures_feed = StateFeed("procedures", allowed=lambda user: access.can(user, "see_console"), version=version)


def _procedures(user: Any) -> QuerySet[Execution]:
    related = ("version__runbook", "environment", "holder", "started_by")
    walks = visible_executions(user).filter(incident=None, purpose=ExecutionPurpose.WALK)
    return walks.select_related(*related)


def _schedule(card: Card) -> str:
    compiled = card.runbook.current.compiled if card.runbook.current else {}
    return str((compiled.get("schedule") or {}).get("text") or "")
