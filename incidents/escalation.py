"""Calls people, level by level, on two clocks, until someone acknowledges and until it is resolved.

The first clock (*respond within*) runs until someone acknowledges; the second (*escalate after*) until
the incident is resolved or a runbook makes progress. Whoever moves an escalation holds the incident's row
lock: status changes, people and any number of engines take turns. A call, its messages, its timeline
event, its audit entry and the next due time commit together; sending comes after (`incidents.outbox`).
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from erpops import audit, clock
from erpops.clock import Now, seconds
from erpops.transitions import IllegalMove, Machine
from incidents import calls, ladder, oncall, timeline
from incidents.choices import EscalationState
from incidents.models import Escalation, Incident
from incidents.notify import withdraw_pages
from incidents.oncall import Ladder, Outcome, Person, Stand

logger = logging.getLogger(__name__)

E = EscalationState
STATE = Machine(
    {
        E.ARMED: {E.ARMED, E.ACKNOWLEDGED, E.EXHAUSTED, E.DORMANT, E.DONE},
        E.ACKNOWLEDGED: {E.ARMED, E.ACKNOWLEDGED, E.DORMANT, E.DONE},
        E.EXHAUSTED: {E.ARMED, E.ACKNOWLEDGED, E.EXHAUSTED, E.DONE},
        E.DORMANT: {E.ARMED, E.ACKNOWLEDGED, E.DONE},
        E.DONE: {E.ARMED, E.ACKNOWLEDGED, E.EXHAUSTED},
    },
    field="state",
)
# Nobody is woken by something that fell due longer ago than this; a person arms it again.
DORMANT_S = 24 * 3600
HOLD_LONGEST_S = 600
_BATCH = 200
_POISONED_S = 60


def start(*, incident: Incident) -> None:
    """Begin at level 1, at once."""
    _begin(incident, acknowledged=False)


def acknowledged(*, incident: Incident, by: User) -> None:
    """Someone is on it: pages that have not left are cancelled and the first clock stops."""
    escalation = _locked(incident)
    if escalation is None:
        return
    kept = Ladder.of(escalation.snapshot)
    due = escalation.escalate_due_at or clock.now() + seconds(kept.escalate_after_s)
    if STATE.move(escalation, to=E.ACKNOWLEDGED, respond_due_at=None, escalate_due_at=due, next_at=due):
        _tell_withdrawn(incident)


def severity_changed(*, incident: Incident) -> None:
    """Start over by the new rule; once acknowledged, only the second clock and the ladder change."""
    if incident.is_open:
        _begin(incident, acknowledged=incident.acknowledged_at is not None)


def done(*, incident: Incident) -> None:
    """It is over: nothing more is sent and nothing falls due."""
    escalation = _locked(incident)
    if escalation is None:
        return
    STATE.move(escalation, to=E.DONE, respond_due_at=None, escalate_due_at=None, next_at=None)
    _tell_withdrawn(incident)


def resume(*, incident: Incident) -> None:
    """It was not over. Someone reopened it, so nobody is woken if someone had acknowledged before."""
    _begin(incident, acknowledged=incident.acknowledged_at is not None)


def progressed(*, incident: Incident) -> None:
    """A runbook made progress: the second clock starts again."""
    escalation = _locked(incident)
    if escalation is None or escalation.escalate_due_at is None:
        return
    due = clock.now() + seconds(Ladder.of(escalation.snapshot).escalate_after_s)
    next_at = min(due, escalation.respond_due_at or due)
    Escalation.objects.filter(pk=escalation.pk).update(escalate_due_at=due, next_at=next_at)


def overdue(*, incident: Incident) -> None:
    """A runbook takes longer than it may: the second clock falls due within the time people have to respond.

    Progress starts it again, and a hold is kept; a clock that falls due earlier, or does not run, stays as it is.
    """
    escalation = _locked(incident)
    if escalation is None or escalation.escalate_due_at is None:
        return
    due = clock.now() + seconds(Ladder.of(escalation.snapshot).respond_within_s)
    due = max(due, escalation.held_until or due)
    if due < escalation.escalate_due_at:
        next_at = min(due, escalation.respond_due_at or due)
        Escalation.objects.filter(pk=escalation.pk).update(escalate_due_at=due, next_at=next_at)


def hold(*, incident: Incident, seconds_: int, reason: str, by: User) -> None:
    """Stop both clocks for up to ten minutes, once. Raises IllegalMove with the reason it cannot be."""
    if not 0 < seconds_ <= HOLD_LONGEST_S:
        raise IllegalMove("Hold for at most 10 minutes.")
    if not reason.strip():
        raise IllegalMove("Say why the escalation should wait.")
    with transaction.atomic():
        incident, escalation = _asked(incident)
        if escalation.held_until is not None:
            raise IllegalMove("It was held once already. Acknowledge it, or let it call the next level.")
        if escalation.next_at is None:
            raise IllegalMove("No call is coming up, so there is nothing to hold.")
        pause = timedelta(seconds=seconds_)
        respond = escalation.respond_due_at and escalation.respond_due_at + pause
        escalate = escalation.escalate_due_at and escalation.escalate_due_at + pause
        Escalation.objects.filter(pk=escalation.pk).update(
            held_until=Now() + pause,
            respond_due_at=respond,
            escalate_due_at=escalate,
            next_at=escalation.next_at + pause,
        )
        minutes = max(1, round(seconds_ / 60))
        timeline.add(
            incident=incident, kind="escalation.held", text=f"held the escalation for {minutes} min: {reason}", by=by
        )
        _audit(incident, "escalation.hold", by, seconds=seconds_, reason=reason)


def escalate_now(*, incident: Incident, by: User, seen: str = "") -> bool:
    """Call the next level at once; after the last, from the top again.

    `seen` is `step_of` as the person saw it: False when it has moved since (a second click, a clock).
    """
    return _call_on(incident, by, seen, kind="escalation.asked", text="asked for the next level at once")


def cannot_take(*, incident: Incident, by: User, seen: str = "") -> bool:
    """The person called cannot take it: the next level is called at once. `seen` as in `escalate_now`."""
    return _call_on(incident, by, seen, kind="escalation.cannot_take", text="can't take it")


def call_for_handover(*, incident: Incident, text: str) -> None:
    """Nobody answered a handover: the next level is called at once, unless the incident is over."""
    _call_on(incident, None, "", kind="escalation.handover", text=text)


def step_of(escalation: Escalation) -> str:
    """Where an escalation stands, to compare later."""
    return f"{escalation.generation}.{escalation.cycle}.{escalation.level}"


def tick() -> int:
    """Act on elapsed clocks, earliest first; how many incidents moved."""
    due = Escalation.objects.filter(next_at__lte=Now()).order_by("next_at")
    moved = 0
    for pk, incident_pk in list(due.values_list("pk", "incident_id")[:_BATCH]):
        try:
            moved += _elapsed(incident_pk)
        except DatabaseError:
            raise
        except Exception:
            logger.exception("The escalation of incident %s failed; it is tried again in a minute", incident_pk)
            Escalation.objects.filter(pk=pk).update(next_at=Now() + seconds(_POISONED_S))
    return moved


def _elapsed(incident_pk: int) -> int:
    with transaction.atomic():
        # Another engine, or a person, holds the incident: it is theirs this time.
        held = Incident.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        incident = held.select_related("environment", "service").filter(pk=incident_pk).first()
        escalation = _locked(incident) if incident else None
        now = clock.now()
        if incident is None or escalation is None or escalation.next_at is None or escalation.next_at > now:
            return 0
        if now - escalation.next_at > seconds(DORMANT_S):
            _fall_dormant(incident, escalation, now)
            return 1
        stand = ladder.stand_of(escalation, acknowledged=incident.acknowledged_at is not None)
        people = ladder.people_of(escalation)
        outcome = oncall.elapse(Ladder.of(escalation.snapshot), stand, now, people)
        _follow(incident, escalation, outcome, people)
    return 1


def _begin(incident: Incident, *, acknowledged: bool) -> None:
    """Take the policy as it is now and start a new generation. Called under the incident's lock."""
    policy = ladder.default_policy()
    kept = ladder.snapshot(policy, incident.severity) if policy else None
    if kept is None:
        kept = {"policy": "", "version": 0, "severity": incident.severity}
        kept |= {"respond_within_s": 0, "escalate_after_s": 0, "levels": []}
    escalation, fresh = Escalation.objects.get_or_create(incident=incident, defaults={"snapshot": kept})
    if not fresh:
        _tell_withdrawn(incident)
        escalation.generation += 1
    escalation.snapshot, escalation.held_until = kept, None
    escalation.save(update_fields=["snapshot", "held_until", "generation"])
    rule, now = Ladder.of(kept), clock.now()
    if acknowledged and kept["levels"]:
        due = now + seconds(rule.escalate_after_s)
        _move(escalation, Stand(acknowledged=True, escalate_due=due), to=E.ACKNOWLEDGED)
        return
    people = ladder.people_of(escalation)
    _follow(incident, escalation, oncall.begin(rule, now, people), people)


def _call_on(incident: Incident, by: User | None, seen: str, *, kind: str, text: str) -> bool:
    with transaction.atomic():
        incident, escalation = _asked(incident)
        if seen and seen != step_of(escalation):
            return False
        timeline.add(incident=incident, kind=kind, text=text, by=by)
        _audit(incident, kind, by)
        stand = ladder.stand_of(escalation, acknowledged=incident.acknowledged_at is not None)
        people = ladder.people_of(escalation)
        outcome = oncall.call_on(Ladder.of(escalation.snapshot), stand, clock.now(), people)
        _follow(incident, escalation, outcome, people)
    return True


def _follow(incident: Incident, escalation: Escalation, outcome: Outcome, people: dict[int, Person]) -> None:
    """Write down what an elapsed clock led to, and put the pages into the outbox."""
    if outcome.called:
        _move(escalation, outcome.stand, to=E.ACKNOWLEDGED if outcome.stand.acknowledged else E.ARMED)
        calls.page_level(incident=incident, escalation=escalation, outcome=outcome, people=people)
        return
    state = E.ACKNOWLEDGED if outcome.stand.acknowledged else E.EXHAUSTED
    _move(escalation, outcome.stand, to=state)
    calls.nobody_left(incident=incident, escalation=escalation, outcome=outcome, people=people)


def _move(escalation: Escalation, stand: Stand, *, to: str) -> None:
    STATE.require(
        escalation,
        to=to,
        cycle=stand.cycle,
        level=stand.level,
        late_calls=stand.late_calls,
        respond_due_at=stand.respond_due,
        escalate_due_at=stand.escalate_due,
        next_at=stand.next_due,
    )


def _fall_dormant(incident: Incident, escalation: Escalation, now: datetime) -> None:
    late_h = round((now - (escalation.next_at or now)).total_seconds() / 3600)
    STATE.require(escalation, to=E.DORMANT, respond_due_at=None, escalate_due_at=None, next_at=None)
    text = f"a call fell due {late_h} h ago and was not made; press Escalate now to call the next level"
    timeline.add(incident=incident, kind="escalation.dormant", text=text)
    _audit(incident, "escalation.dormant", None, late_h=late_h)


def _locked(incident: Incident) -> Escalation | None:
    return Escalation.objects.select_for_update().filter(incident_id=incident.pk).first()


def _asked(incident: Incident) -> tuple[Incident, Escalation]:
    """Both as they are now, locked, for a person's act."""
    held = Incident.objects.select_for_update(no_key=True, of=("self",))
    incident = held.select_related("environment", "service").get(pk=incident.pk)
    escalation = _locked(incident)
    if escalation is None or escalation.state == E.DONE:
        raise IllegalMove("The incident is resolved, so nobody is called. Reopen it first.")
    return incident, escalation


def _tell_withdrawn(incident: Incident) -> None:
    count = withdraw_pages(incident=incident)
    if count:
        text = f"cancelled {count} page{'s' if count > 1 else ''} that had not left yet"
        timeline.add(incident=incident, kind="escalation.withdrawn", text=text, noise=True)


def _audit(incident: Incident, action: str, by: User | None, **details: Any) -> None:
    audit.record(action=action, target=f"incident:{incident.pk}", by=by, **details)
