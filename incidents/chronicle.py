"""The timeline as pages show it: rows ready to print, newest first, and the questions asked of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import Q
from django.utils.safestring import SafeString

from incidents import markdown
from incidents.models import Incident, TimelineEvent
from incidents.queries import name_of

PAGE = 60
# Written more than this after it happened: said so, and put where it happened.
LATE = timedelta(minutes=1)
_ICONS = {
    "incident": "incidents", "note": "note", "status": "message", "command": "terminal", "step": "steps",
    "execution": "runbooks", "runbook": "runbooks", "escalation": "phone", "page": "phone", "message": "mail",
    "role": "user", "alert": "alert", "review": "reviews", "check": "checks", "approval": "shield",
}  # fmt: skip
_TONES = {
    "incident.opened": "bad",
    "incident.reopened": "bad",
    "incident.resolved": "ok",
    "incident.acknowledged": "ok",
    "escalation.exhausted": "bad",
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
    """One event. `body` is a note as safe HTML; `late` says when it was written if that was afterwards."""

    seq: int
    at: datetime
    icon: str
    tone: str
    who: str
    text: str
    body: SafeString | None
    noise: bool
    late: datetime | None


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


def row(event: Event) -> EventRow:
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
        body=markdown.render(event.text) if note else None,
        noise=event.noise,
        late=event.at if event.at - event.occurred_at > LATE else None,
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
    return Chronicle([row(event) for event in shown], seq, shown[-1].seq if len(found) > PAGE else None, in_order)


def first_of(incident: Incident, kind_prefix: str) -> TimelineEvent | None:
    """The earliest event of a kind, or None."""
    found = TimelineEvent.objects.filter(incident=incident, kind__startswith=kind_prefix)
    return found.order_by("occurred_at", "seq").first()
