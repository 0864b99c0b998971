"""The timeline as pages show it: rows ready to print, newest first, and the questions asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import Q, QuerySet
from django.utils.safestring import SafeString

from incidents import markdown
from incidents.models import Incident, TimelineEvent
from incidents.queries import name_of

PAGE = 60
# Written more than this after it happened: said so, and put where it happened.
LATE = timedelta(minutes=1)
# Quotes that serve as evidence, and the acts that take one away; `data.of` is the number of the quote's event.
PINNED, UNPINNED = "evidence.pinned", "evidence.unpinned"
_ICONS = {
    "incident": "incidents", "note": "note", "status": "message", "command": "terminal", "step": "steps",
    "execution": "runbooks", "runbook": "runbooks", "escalation": "phone", "page": "phone", "message": "mail",
    "role": "user", "alert": "alert", "review": "reviews", "check": "checks", "approval": "shield",
    "evidence": "pin", "wait": "clock", "phase": "clock", "handover": "user",
}  # fmt: skip
_TONES = {
    "incident.opened": "bad",
    "incident.reopened": "bad",
    "incident.resolved": "ok",
    "incident.acknowledged": "ok",
    "escalation.exhausted": "bad",
    "phase.over": "warn",
    "step.failed": "bad",
}
# How a command ended, as its event's data tell.
_ENDS = {
    "succeeded": "ok",
    "failed": "bad",
    "timed_out": "bad",
    "outcome_unknown": "warn",
    "stop_unconfirmed": "warn",
}


@dataclass(frozen=True)
class EventRow:
    """One event. `body` is a note, or what a handover says, as safe HTML; `late` says when it was written if that was
    afterwards.

    Evidence has a `quote` and the `url` where it stands; `withdrawn` if it was taken away again.
    """

    seq: int
    at: datetime
    icon: str
    tone: str
    who: str
    text: str
    body: SafeString | None
    noise: bool
    late: datetime | None
    quote: str = ""
    url: str = ""
    withdrawn: bool = False


@dataclass(frozen=True)
class Chronicle:
    """A stretch of a timeline. `earlier` is the seq to go back from, `in_order` whether all of it
    belongs above what the page shows already."""

    rows: list[EventRow]
    seq: int
    earlier: int | None
    in_order: bool


class Event(Protocol):
    """What a line is made of: a timeline event, or an entry of another journal."""

    seq: Any
    at: Any
    kind: Any
    text: Any
    data: Any
    noise: Any

    @property
    def actor(self) -> Any: ...
    @property
    def occurred_at(self) -> Any: ...


def withdrawn(events: QuerySet[Any]) -> set[int]:
    """The numbers of the quotes among `events` (of one timeline or journal) that were taken away."""
    return set(events.filter(kind=UNPINNED).values_list("data__of", flat=True))


def rows(events: Sequence[Event], *, among: QuerySet[Any]) -> list[EventRow]:
    """`events` as lines; `among` is the whole timeline or journal that they are of."""
    gone = withdrawn(among) if any(event.kind == PINNED for event in events) else set()
    return [row(event, withdrawn=event.seq in gone) for event in events]


def row(event: Event, *, withdrawn: bool = False) -> EventRow:
    """`event` as a line. Sentences without a person start with a capital."""
    note = event.kind == "note"
    who = name_of(event.actor)
    text = "noted" if note else event.text
    return EventRow(
        seq=event.seq,
        at=event.occurred_at,
        icon=_ICONS.get(event.kind.partition(".")[0], "info"),
        tone=_TONES.get(event.kind) or _ENDS.get(str(event.data.get("status", "")), ""),
        who=who,
        text=text if who else text[:1].upper() + text[1:],
        body=markdown.render(event.text if note else event.data["body"]) if note or event.data.get("body") else None,
        noise=event.noise,
        late=event.at if event.at - event.occurred_at > LATE else None,
        quote=str(event.data.get("quote", "")),
        url=str(event.data.get("url", "")),
        withdrawn=withdrawn,
    )


def stretch(incident: Incident, *, after: int = 0, before: int | None = None, noise: bool = False) -> Chronicle:
    """Events newer than `after`, or those that happened before event `before`; noise only if asked for."""
    events = TimelineEvent.objects.filter(incident=incident, seq__gt=after).select_related("actor")
    # Cursor first: what commits between the two queries is read again, not lost.
    seq = Incident.objects.values_list("event_seq", flat=True).get(pk=incident.pk)
    if not noise:
        events = events.filter(noise=False)
    if before is not None:
        edge = TimelineEvent.objects.filter(incident=incident, seq=before).first()
        if edge is None:
            return Chronicle([], seq, None, True)
        same_moment = Q(occurred_at=edge.occurred_at, seq__lt=edge.seq)
        events = events.filter(Q(occurred_at__lt=edge.occurred_at) | same_moment)
    found = list(events.order_by("-occurred_at", "-seq")[: PAGE + 1])
    shown = found[:PAGE]
    in_order = len(found) <= PAGE and not any(event.at - event.occurred_at > LATE for event in shown)
    seq = max([seq, *(event.seq for event in shown)])
    told = rows(shown, among=TimelineEvent.objects.filter(incident=incident))
    return Chronicle(told, seq, shown[-1].seq if len(found) > PAGE else None, in_order)


def first_of(incident: Incident, kind_prefix: str) -> TimelineEvent | None:
    """The earliest event of a kind, or None."""
    found = TimelineEvent.objects.filter(incident=incident, kind__startswith=kind_prefix)
    return found.order_by("occurred_at", "seq").first()
