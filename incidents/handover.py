"""Handing an incident over: the only writer of Handover.

Whoever goes says how it stands; what they hold (roles here, and what other layers registered as belongings) moves
only when the receiver says that they have it. Unanswered for five minutes, the next level is called, and from
then on anybody who may work there takes it.

Rows are locked in one order: handover, what belongs to other layers, incident.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction

from erpops import access, audit, clock
from erpops.clock import Now, seconds
from erpops.registry import Registry
from erpops.templatetags.words import duration
from erpops.transitions import IllegalMove, Machine
from incidents import calls, escalation, lifecycle, timeline
from incidents.access import may_operate
from incidents.choices import HandoverStatus, RoleName
from incidents.models import Handover, Incident, IncidentRole
from incidents.queries import name_of, update_due

logger = logging.getLogger(__name__)

# How long a refusal stands in the room of whoever was refused.
NEWS_S = 900.0
# Unanswered for so long, somebody else is called.
ANSWER_WITHIN_S = 300.0
MOST_CHARS = 4000
PARTS = {
    "state": "How it stands",
    "done": "What was done",
    "hypothesis": "What we think it is",
    "risks": "What could go wrong",
    "running": "Commands that run",
    "approvals": "Approvals that are waited for",
    "next_step": "Next step",
    "next_update": "Next update",
}
H = HandoverStatus
STATUS = Machine({H.OFFERED: {H.ACCEPTED, H.DECLINED, H.WITHDRAWN}})
_BATCH = 100


@dataclass(frozen=True)
class Belonging:
    """Something that moves with an incident. `held` says in words what a person has of it, `move` gives it away
    in the running transaction, before the incident is locked."""

    held: Callable[[Incident, User], list[str]]
    move: Callable[[Incident, User, User], None]


belongings: Registry[Belonging] = Registry("belongings of a handover")
# What other layers know about the parts of a handover, as lines by the part's name.
facts: Registry[Callable[[Incident], Mapping[str, list[str]]]] = Registry("facts of a handover")


def waiting(incident: Incident) -> Handover | None:
    """The one that waits for an answer."""
    found = latest(incident)
    return found if found is not None and found.status == H.OFFERED else None


def latest(incident: Incident) -> Handover | None:
    """The last one that was offered, while the incident is open; one that waits is always it."""
    if not incident.is_open:
        return None
    return Handover.objects.filter(incident=incident).select_related("giver", "receiver").first()


def is_refusal(handover: Handover, giver: User) -> bool:
    """Whether it is what `giver` was refused a short while ago."""
    if handover.status != H.DECLINED or handover.giver_id != giver.pk or handover.answered_at is None:
        return False
    return handover.answered_at > clock.now() - seconds(NEWS_S)


def held(incident: Incident, user: User) -> list[str]:
    """What of the incident is in the hands of `user`, in words."""
    roles = IncidentRole.objects.filter(incident=incident, user=user).values_list("role", flat=True)
    words = [str(role.label) for role in RoleName if role.value in set(roles)]
    return words + [word for belonging in belongings.values() for word in belonging.held(incident, user)]


def receivers(incident: Incident, giver: User) -> list[User]:
    """Who could take it: active people who may work there, by name."""
    people = access.people_with("work_incidents").exclude(pk=giver.pk)
    if not incident.environment.restricted:
        return list(people)
    return [user for user in people if may_operate(user, incident.environment)]


def prefilled(incident: Incident) -> dict[str, str]:
    """What is known of each part."""
    now = clock.now()
    minutes_s = (now - incident.started_at).total_seconds() // 60 * 60
    lasts = duration(minutes_s) if minutes_s else "less than a minute"
    lines: dict[str, list[str]] = {name: [] for name in PARTS}
    lines["state"].append(f"{incident.severity}, {incident.get_status_display().lower()}, for {lasts}.")
    if incident.impact:
        lines["state"].append(incident.impact)
    if note := incident.events.filter(kind="note").select_related("actor").order_by("-seq").first():
        said = " ".join(note.text.split())
        lines["hypothesis"].append(f"Last note, {name_of(note.actor)} at {note.occurred_at:%H:%M} UTC: {said[:400]}")
    if due := update_due(incident):
        lines["next_update"].append(f"Stakeholders hear next at {due:%H:%M} UTC{' (overdue)' if due < now else ''}.")
    for provider in facts.values():
        for name, told in provider(incident).items():
            lines[name] += told
    return {name: "\n".join(told)[:MOST_CHARS] for name, told in lines.items()}


def offer(*, incident: Incident, receiver: User, parts: Mapping[str, str], by: User) -> Handover:
    """Hand it over; nothing moves until `receiver` has it. The same again is the one that waits already."""
    _require_possible(incident, receiver, by)
    kept = {name: text for name in PARTS if (text := parts.get(name, "").strip()[:MOST_CHARS])}
    try:
        with transaction.atomic():
            now = clock.now()
            handover = Handover.objects.create(
                incident=incident,
                giver=by,
                receiver=receiver,
                parts=kept,
                offered_at=now,
                due_at=now + seconds(ANSWER_WITHIN_S),
            )
            calls.tell_of_handover(handover)
            said = f"asked {name_of(receiver)} to take over"
            _tell(handover, "handover.offered", said, by, to=receiver.get_username(), body=in_markdown(kept))
    except IntegrityError:
        found = waiting(incident)
        if found is not None and (found.giver_id, found.receiver_id) == (by.pk, receiver.pk):
            return found
        raise IllegalMove("A handover of this incident waits for an answer already; withdraw that one first.") from None
    return handover


def accept(*, handover: Handover, by: User) -> None:
    """ "I have it": what the giver holds moves now. Anybody else may say so only after it was escalated."""
    incident = handover.incident
    with transaction.atomic():
        _lock(handover)
        if handover.status == H.ACCEPTED and handover.receiver_id == by.pk:
            return
        if by.pk != handover.receiver_id and (handover.escalated_at is None or by.pk == handover.giver_id):
            raise IllegalMove(f"Only {name_of(handover.receiver)} can say that they have it.")
        incident.refresh_from_db(fields=["status"])
        if not incident.is_open:
            raise IllegalMove(f"{incident.reference} is resolved by now: there is nothing to take over.")
        if not may_operate(by, incident.environment):
            raise IllegalMove(f"Working in {incident.environment.label} is not among your permissions.")
        STATUS.require(handover, to=H.ACCEPTED, answered_at=Now(), due_at=None, receiver=by)
        for belonging in belongings.values():
            belonging.move(incident, handover.giver, by)
        for role in IncidentRole.objects.filter(incident=incident, user=handover.giver).order_by("pk"):
            lifecycle.take_role(incident=incident, role=role.role, by=by)
        _tell(handover, "handover.accepted", f"has it now, from {name_of(handover.giver)}", by)


def decline(*, handover: Handover, word: str, by: User) -> None:
    """The receiver cannot take it, and says why."""
    word = " ".join(word.split())[:300]
    if by.pk != handover.receiver_id:
        raise IllegalMove(f"Only {name_of(handover.receiver)} can decline it.")
    if not word:
        raise IllegalMove("Say in a word why you cannot take it, so that the other knows whom to ask.")
    with transaction.atomic():
        _lock(handover)
        if handover.status == H.DECLINED:
            return
        STATUS.require(handover, to=H.DECLINED, answered_at=Now(), due_at=None, word=word)
        _tell(handover, "handover.declined", f"cannot take over from {name_of(handover.giver)}: {word}", by)


def withdraw(*, handover: Handover, by: User) -> None:
    """The giver goes on after all."""
    if by.pk != handover.giver_id:
        raise IllegalMove(f"Only {name_of(handover.giver)} can withdraw it.")
    with transaction.atomic():
        _lock(handover)
        if handover.status == H.WITHDRAWN:
            return
        STATUS.require(handover, to=H.WITHDRAWN, answered_at=Now(), due_at=None)
        _tell(handover, "handover.withdrawn", "goes on and withdrew the handover", by)


def tick() -> int:
    """Call the next level for handovers that nobody answered in time; how many."""
    due = Handover.objects.filter(due_at__lte=Now(), status=H.OFFERED).order_by("due_at")
    called = 0
    for pk in list(due.values_list("pk", flat=True)[:_BATCH]):
        try:
            called += _unanswered(pk)
        except DatabaseError:
            raise
        except Exception:
            logger.exception("Handover %s could not be escalated; it is tried again in a minute", pk)
            Handover.objects.filter(pk=pk).update(due_at=Now() + seconds(60))
    return called


def in_markdown(parts: Mapping[str, str]) -> str:
    """The sections that say something."""
    return "\n\n".join(f"**{label}**\n\n{parts[name]}" for name, label in PARTS.items() if parts.get(name))


def _unanswered(pk: int) -> bool:
    with transaction.atomic():
        rows = Handover.objects.select_for_update(skip_locked=True, of=("self",))
        found = rows.select_related("incident", "giver", "receiver").filter(pk=pk, due_at__lte=Now(), status=H.OFFERED)
        handover = found.first()
        if handover is None:
            return False
        Handover.objects.filter(pk=pk).update(due_at=None, escalated_at=Now())
        if not handover.incident.is_open:
            return False
        said = f"{name_of(handover.receiver)} did not answer the handover from {name_of(handover.giver)}"
        escalation.call_for_handover(incident=handover.incident, text=said)
    return True


def _require_possible(incident: Incident, receiver: User, by: User) -> None:
    if not incident.is_open:
        raise IllegalMove(f"{incident.reference} is resolved: there is nothing to hand over.")
    if receiver.pk == by.pk:
        raise IllegalMove("You have it already: choose somebody else.")
    if not receiver.is_active or not may_operate(receiver, incident.environment):
        raise IllegalMove(f"{name_of(receiver)} may not work in {incident.environment.label}: choose somebody else.")
    if not held(incident, by):
        raise IllegalMove("You hold no role here and no baton, so there is nothing that could go to somebody else.")


def _lock(handover: Handover) -> None:
    Handover.objects.select_for_update().values_list("pk").get(pk=handover.pk)
    handover.refresh_from_db(fields=["status", "receiver", "escalated_at"])


def _tell(handover: Handover, kind: str, said: str, by: User, **data: Any) -> None:
    told = {"handover": handover.pk, **data}
    timeline.add(incident=handover.incident, kind=kind, text=said, by=by, data=told)
    audit.record(action=kind, target=f"incident:{handover.incident_id}", by=by, handover=handover.pk)
