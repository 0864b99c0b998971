"""Passing the baton of a walk: asking its holder, answering, and taking what nobody uses.

The only writer of BatonRequest. Whoever asks waits for the holder's word for two minutes of the database's clock;
then, or when the holder has left or may not act any more, the baton is taken without one.
"""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from erpops import clock
from erpops.clock import Now, seconds
from erpops.transitions import Machine
from incidents.access import may_operate
from incidents.models import Incident
from incidents.queries import name_of
from runbooks import executions
from runbooks.choices import BatonStatus, ExecutionStatus
from runbooks.models import BatonRequest, Execution
from runbooks.refusals import Refused

# Without an act of the holder for so long, the baton is free.
IDLE_S = 120.0
# How long an answer stands beside the baton.
ANSWER_S = 120.0
B = BatonStatus
REQUEST = Machine({B.WAITING: {B.GIVEN, B.KEPT, B.WITHDRAWN, B.LAPSED}})


@dataclass(frozen=True)
class Standing:
    """Who has the baton, for the eyes of one person.

    `free_at` is when it may be taken without asking (in the past: now); `free_because` says why others need not ask.
    `asked` waits for an answer; `answer` is the holder's latest word to this person, while it is fresh.
    """

    execution: Execution
    free_at: datetime
    free_because: str
    asked: BatonRequest | None
    answer: BatonRequest | None
    idle: bool
    paused_at: datetime | None
    free_in_s: int

    @property
    def mark(self) -> tuple[object, ...]:
        """Another value whenever it would look different."""
        asked, answer = self.asked, self.answer
        waits = (asked.pk, self.free_at) if asked else None
        return (self.execution.holder_id, waits, answer and answer.pk, self.paused_at, self.idle)


def standing(execution: Execution, user: User) -> Standing:
    """Read it. An execution that has ended has nothing to pass."""
    now = clock.now()
    free_at = (execution.acted_at or execution.started_at) + seconds(IDLE_S)
    requests: list[BatonRequest] = []
    if execution.status == ExecutionStatus.ACTIVE:
        requests = list(execution.baton_requests.select_related("by", "asked_of")[:5])
    asked = next((request for request in requests if request.status == B.WAITING), None)
    mine = next((request for request in requests if request.by_id == user.pk), None)
    fresh = mine is not None and mine.answered_at is not None and mine.answered_at > now - seconds(ANSWER_S)
    answer = mine if mine is not None and mine.status == B.KEPT and fresh else None
    idle = execution.status == ExecutionStatus.ACTIVE and free_at < now
    left_s = max(1, int((free_at - now).total_seconds()) + 1)
    why = "" if execution.holder_id == user.pk else _why_free(execution, now)
    return Standing(execution, free_at, why, asked, answer, idle, execution.paused_at, left_s)


def take_over(*, execution: Execution, by: User) -> bool:
    """Take the baton, or ask its holder for it; whether `by` has it now. Asking twice is asking once."""
    executions.require_operator(execution, by)
    with transaction.atomic():
        locked = _locked(execution)
        if locked.holder_id == by.pk:
            return True
        if _why_free(locked, clock.now()):
            executions.take_over(execution=execution, by=by)
            _lapse(execution, by)
            return True
        waiting = _waiting(execution)
        if waiting is not None and waiting.by_id != by.pk:
            raise Refused(f"{name_of(waiting.by)} has asked for the baton already; it is theirs first.", code="baton")
        if waiting is None:
            assert locked.holder is not None  # nobody's baton is free
            BatonRequest.objects.create(execution=execution, by=by, asked_of=locked.holder, asked_at=Now())
            said = f"asked {name_of(locked.holder)} for the baton of {execution.version.runbook.title}"
            executions.tell(execution, "execution.baton_asked", said, by, noise=True)
    return False


def give(*, request: BatonRequest, by: User) -> None:
    """The holder hands it over. Refused once somebody else has the baton, or the request is answered."""
    with transaction.atomic():
        execution = _answering(request, by)
        if not REQUEST.move(request, to=B.GIVEN, answered_at=Now()):
            return
        executions.take_over(execution=execution, by=request.by)


def keep(*, request: BatonRequest, word: str, by: User) -> None:
    """The holder goes on, and says why in a word."""
    word = " ".join(word.split())[:200]
    with transaction.atomic():
        execution = _answering(request, by)
        if not REQUEST.move(request, to=B.KEPT, answered_at=Now(), word=word):
            return
        said = f"keeps the baton of {execution.version.runbook.title}"
        executions.tell(execution, "execution.baton_kept", f"{said}: {word}" if word else said, by, noise=True)


def withdraw(*, request: BatonRequest, by: User) -> None:
    """Whoever asked does not need it any more."""
    if request.by_id != by.pk:
        raise Refused("Only the person who asked withdraws a request.", code="baton")
    with transaction.atomic():
        execution = _locked(request.execution)
        if REQUEST.move(request, to=B.WITHDRAWN, answered_at=Now()):
            said = f"does not ask for the baton of {execution.version.runbook.title} any more"
            executions.tell(execution, "execution.baton_withdrawn", said, by, noise=True)


def held(incident: Incident, user: User) -> list[str]:
    """The batons of `user` in the incident, in words."""
    return [f"the baton of {walk.version.runbook.title}" for walk in _held(incident, user)]


def hand_on(incident: Incident, giver: User, receiver: User) -> None:
    """Every baton of `giver` in the incident goes to `receiver`, as part of a handover."""
    for execution in _held(incident, giver):
        if may_operate(receiver, execution.environment):
            executions.take_over(execution=execution, by=receiver)
            _lapse(execution, receiver)


def _why_free(execution: Execution, now: datetime) -> str:
    """Why nobody has to be asked, or nothing."""
    holder = execution.holder
    if holder is None:
        return "Nobody has the baton."
    if not holder.is_active or not may_operate(holder, execution.environment):
        return f"{name_of(holder)} may not act here any more."
    if execution.paused_at is not None:
        return f"{name_of(holder)} has left."
    if (execution.acted_at or execution.started_at) + seconds(IDLE_S) <= now:
        return f"{name_of(holder)} has not acted for two minutes."
    return ""


def _answering(request: BatonRequest, by: User) -> Execution:
    execution = _locked(request.execution)
    executions.require_baton(execution, by)
    request.refresh_from_db(fields=["status"])
    if request.status not in {B.WAITING, B.GIVEN, B.KEPT}:
        raise Refused("Nobody waits for this answer any more.", code="baton")
    return execution


def _locked(execution: Execution) -> Execution:
    """As it is now; acts on one walk queue. An ended walk has no baton."""
    rows = Execution.objects.select_for_update(no_key=True, of=("self",))
    related = ("holder", "environment", "version__runbook", "incident")
    locked = rows.select_related(*related).get(pk=execution.pk)
    if locked.status != ExecutionStatus.ACTIVE:
        raise Refused("This walk has ended, so there is no baton to take.")
    return locked


def _held(incident: Incident, user: User) -> QuerySet[Execution]:
    walks = Execution.objects.filter(incident=incident, holder=user, status=ExecutionStatus.ACTIVE)
    return walks.select_related("version__runbook", "environment", "incident").order_by("pk")


def _waiting(execution: Execution) -> BatonRequest | None:
    return execution.baton_requests.filter(status=B.WAITING).select_related("by").first()


def _lapse(execution: Execution, by: User) -> None:
    """The baton is elsewhere: a request by `by` is granted by it, another one asks the wrong person."""
    if (waiting := _waiting(execution)) is not None:
        REQUEST.move(waiting, to=B.GIVEN if waiting.by_id == by.pk else B.LAPSED, answered_at=Now())
