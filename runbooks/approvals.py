"""Somebody else's word before something is destroyed: the only writer of Approval.

It is asked before the command may run, bound to the digest of exactly what would run, answered by another lead, and
used once, in the transaction that inserts the run. Who may answer, when, and that nothing is used twice is decided
by the database's own rules (the migration `approval_guard`); here stand the sentences and what is told.

Two ways lead past another lead, and both are loud: in a SEV1 that nobody answers a lead may break the glass, and
while there is only one lead a cool-down stands in for the second pair of eyes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from erpops import access
from erpops.clock import Now, seconds
from erpops.failpoints import failpoint
from erpops.transitions import Machine
from incidents import escalation
from incidents.access import may_operate
from incidents.choices import IncidentStatus, Severity
from runbooks import approval_notices, executions, gate, intent, secret_values
from runbooks.choices import ApprovalState, ApprovalWay, ExecutionStatus
from runbooks.intent import Intent
from runbooks.models import Approval, CommandRun, Execution, StepRun, Version
from runbooks.refusals import Refused
from runbooks.resolved import pieces

A, W = ApprovalState, ApprovalWay
APPROVAL = Machine(
    {
        A.ASKED: {A.APPROVED, A.REJECTED, A.WITHDRAWN, A.EXPIRED},
        A.APPROVED: {A.USED, A.WITHDRAWN, A.EXPIRED},
    }
)
OPEN = (A.ASKED, A.APPROVED)
# The database's own figures, for what pages say: an answer is awaited so long, and an approval is good so long.
ANSWER_S = VALID_S = 900
GLASS_S, COOL_S = 300, 60
REASON_LEAST = 10
_CHANGED = "What would run has changed since it was asked for."


def ask(
    *,
    step_run: StepRun,
    command: int,
    by: User,
    given: gate.Confirmation,
    values: Mapping[str, str] | None = None,
) -> Approval:
    """Ask another lead whether this command may run, exactly as it stands; twice is once.

    Raises `Refused` with a sentence where it cannot run anyway, where the reason or the typed name is missing, and
    where nobody could ever approve it for this person.
    """
    execution = step_run.execution
    executions.require_baton(execution, by)
    compiled = intent.command_of(step_run, command)
    if compiled["because"]:
        raise Refused(compiled["because"], code="risk")
    if not gate.needs_approval(risk=compiled["risk"], environment=execution.environment):
        raise Refused("This command needs nobody's approval: run it.")
    gate.require(risk=compiled["risk"], environment=execution.environment, given=given)
    meant = intent.of(step_run=step_run, command=command, values=values)
    touched, place = meant.touched, execution.environment
    gate.require_word(risk=compiled["risk"], environment=place, given=given, touched=touched)
    intent.require_runnable(meant)
    _require_somebody(step_run, by)
    with _guarded():
        executions.require_baton(execution, by)  # once more, now that nobody can take it
        executions.lock(step_run)
        before = _open(step_run, command)
        if before is not None:
            if (before.digest, before.requested_by_id) == (meant.digest, by.pk) and not _over(before):
                return before
            _close(before, A.EXPIRED if _over(before) else A.WITHDRAWN, by, _CHANGED)
        approval = _create(step_run, command, meant, by, given)
        said = _with(f"asked for approval: {approval.doing}", given.reason)
        _tell(approval, "approval.asked", said, by, digest=meant.digest, text=approval.text)
        approval_notices.asked(approval)
    return approval


def approve(*, approval: Approval, by: User, target: str, comment: str = "") -> None:
    """Another lead allows it, having typed what it acts on. Void, and refused, if it would not run like that now."""
    _require_answerer(approval, by)
    if target.strip() != approval.target:
        raise Refused(f"Type {approval.target} to confirm what this is going to happen to.", code="confirmation")
    if not still_meant(approval):
        withdraw(approval=approval, by=None, why=_CHANGED)
        raise Refused(f"{_CHANGED} It has to be asked for again.", code="digest")
    with _guarded():
        executions.lock(approval.step_run)
        approval.refresh_from_db()
        if approval.status == A.APPROVED and approval.decided_by_id == by.pk:
            return
        _answer(approval, A.APPROVED, by, comment, way=W.SECOND)
        _tell(approval, "approval.approved", _with(f"approved: {approval.doing}", approval.comment), by)
        approval_notices.answered(approval)
        failpoint("approval.before_commit")


def reject(*, approval: Approval, by: User, comment: str) -> None:
    """Another lead refuses it, with the word that the asker reads."""
    _require_answerer(approval, by)
    if not comment.strip():
        raise Refused("Say why: whoever asked reads it.", code="confirmation")
    with _guarded():
        executions.lock(approval.step_run)
        approval.refresh_from_db()
        if approval.status == A.REJECTED and approval.decided_by_id == by.pk:
            return
        _answer(approval, A.REJECTED, by, comment)
        _tell(approval, "approval.rejected", _with(f"refused: {approval.doing}", approval.comment), by)


def withdraw(*, approval: Approval, by: User | None, why: str = "") -> None:
    """Whoever asked, or has the baton now, does not want it any more; without `by` it is void. Twice is once."""
    holder = approval.step_run.execution.holder_id
    if by is not None and by.pk not in {approval.requested_by_id, holder}:
        raise Refused("Whoever asked for it withdraws it, or whoever has the baton.", code="permission")
    with _guarded():
        executions.lock(approval.step_run)
        approval.refresh_from_db()
        if approval.status in OPEN:
            _close(approval, A.WITHDRAWN, by, why)


def break_glass(*, approval: Approval, by: User, reason: str) -> None:
    """In a SEV1, unanswered for five minutes: a lead allows their own. Pages the next level and marks the review."""
    reason = reason.strip()
    if len(reason) < REASON_LEAST:
        raise Refused("Say why it cannot wait: the reason is paged and stands in the review.", code="confirmation")
    incident = approval.step_run.execution.incident
    if why_not := why_no_glass(approval, by):
        raise Refused(why_not, code="permission")
    if not still_meant(approval):
        withdraw(approval=approval, by=None, why=_CHANGED)
        raise Refused(f"{_CHANGED} It has to be asked for again.", code="digest")
    assert incident is not None  # or there would be a reason why not
    with _guarded():
        executions.lock(approval.step_run)
        approval.refresh_from_db()
        if approval.status == A.APPROVED and approval.decided_by_id == by.pk:
            return
        _answer(approval, A.APPROVED, by, reason, way=W.BREAK_GLASS)
        said = f"broke the glass: {approval.doing}, without another lead's approval. {reason}"
        _tell(approval, "approval.break_glass", said, by, digest=approval.digest)
        escalation.escalate_now(incident=incident, by=by)
        approval_notices.glass_broken(approval)


def why_no_glass(approval: Approval, by: User) -> str:
    """Why `by` may not break the glass for it yet, or at all, in a sentence; empty if they may."""
    incident = approval.step_run.execution.incident
    if incident is None or incident.severity != Severity.SEV1 or incident.status == IncidentStatus.RESOLVED:
        return "The glass is broken in an open SEV1 only."
    if approval.requested_by_id != by.pk or not access.can(by, "approve_destroy"):
        return f"Only a {access.roles_with('approve_destroy').lower()} who asked for it can break the glass."
    if not Approval.objects.filter(pk=approval.pk, status=A.ASKED, asked_at__lte=Now() - seconds(GLASS_S)).exists():
        return "The glass is broken when nobody has answered for 5 minutes."
    return ""


def use(*, step_run: StepRun, command: int, digest: str, by: User) -> Approval:
    """Take the approval for the run that is about to be inserted in this transaction; Refused if there is none.

    Called with the walk locked. Solo mode answers here, once the cool-down is over.
    """
    found = _open(step_run, command)
    if found is None or _over(found):
        raise Refused("This destroys something: ask another team lead to approve it first.", code="approval")
    if found.requested_by_id != by.pk:
        asker = _name(found.requested_by)
        raise Refused(f"{asker} asked for this approval. Ask for one yourself before you run it.", code="approval")
    if found.digest != digest:
        raise Refused(f"{_CHANGED} Ask for approval again.", code="approval")
    if found.status == A.ASKED:
        if not alone(by):
            raise Refused("No other team lead has approved it yet.", code="approval")
        if Approval.objects.filter(pk=found.pk, asked_at__gt=Now() - seconds(COOL_S)).exists():
            raise Refused(f"You are alone: it starts {COOL_S} s after it was asked for, not before.", code="approval")
        _answer(found, A.APPROVED, by, "Nobody else could approve.", way=W.SOLO)
        said = f"went ahead alone after a cool-down: {found.doing}"
        _tell(found, "approval.solo", said, by, solo=True, digest=found.digest)
    APPROVAL.require(found, to=A.USED, used_at=Now())
    _tell(found, "approval.used", f"used the approval: {found.doing}", by, noise=True)
    return found


def covers(run: CommandRun) -> bool:
    """Whether a run that is about to start has the approval that it needs, for exactly itself."""
    place = run.step_run.execution.environment
    if not gate.needs_approval(risk=run.risk, environment=place):
        return True
    own = (run.digest, run.step_run_id, run.command, run.requested_by_id, A.USED)
    given = Approval.objects.filter(run=run).first()
    if given is None:
        return False
    if means_other_values(run.step_run.execution, run.values):
        return False
    return own == (given.digest, given.step_run_id, given.command, given.requested_by_id, given.status)


def means_other_values(execution: Execution, used: Mapping[str, str]) -> bool:
    """Whether a value of the walk was changed since `used` were taken from it: what they are for is another run."""
    kept, before = (secret_values.opened(values) for values in (execution.values, used))
    return any(kept.get(name, value) != value for name, value in before.items())


def tick() -> int:
    """Close what nobody answered, or used, in time; how many."""
    closed = 0
    for approval in Approval.objects.filter(status__in=OPEN, expires_at__lte=Now()).order_by("expires_at")[:50]:
        with _guarded():
            executions.lock(approval.step_run)
            approval.refresh_from_db()
            if approval.status in OPEN:
                _close(approval, A.EXPIRED, None, "")
                closed += 1
    return closed


def alone(user: User) -> bool:
    """Whether `user` is the only person who could approve, so that a cool-down stands in for another's word."""
    return access.can(user, "approve_destroy") and access.solo_mode()


def still_meant(approval: Approval) -> bool:
    """Whether what would run now is, byte for byte and thing for thing, what the approval was asked for."""
    related = ("execution__environment", "execution__version__runbook")
    step_run = StepRun.objects.select_related(*related).get(pk=approval.step_run_id)
    if means_other_values(step_run.execution, approval.values):
        return False
    try:
        now = intent.of(step_run=step_run, command=approval.command, values=approval.values)
    except Refused:
        return False
    return now.digest == approval.digest


def authors_of(step_run: StepRun) -> set[int]:
    """Whoever wrote or published the text that is walked, in whichever version of it."""
    walked = step_run.execution.version
    same = Version.objects.filter(runbook=walked.runbook_id, sha256=walked.sha256)
    return {pk for pair in same.values_list("created_by", "reviewed_by") for pk in pair if pk}


def refusal_of(error: IntegrityError) -> Refused | None:
    """The sentence of a refusal by the database's own rules about approvals; None for any other error."""
    told = getattr(error.__cause__, "diag", None)
    if told is None or told.constraint_name != "approval_guard":
        return None
    return Refused(str(told.message_primary), code="approval")


@contextmanager
def _guarded() -> Iterator[None]:
    """A transaction in which what the database refuses becomes a sentence."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if refusal := refusal_of(error):
            raise refusal from error
        raise


def _require_somebody(step_run: StepRun, by: User) -> None:
    """Refuse a question that nobody could answer, in place of letting people wait for it."""
    incident = step_run.execution.incident
    glass = incident is not None and incident.severity == Severity.SEV1 and access.can(by, "approve_destroy")
    if alone(by) or glass:
        return
    authors = authors_of(step_run)
    if by.pk in authors:
        raise Refused(
            "You wrote or published this text, so somebody else has to take over and ask for its approval.",
            code="permission",
        )
    if not [lead for lead in access.people_with_role(access.LEAD) if lead.pk not in authors | {by.pk}]:
        raise Refused(
            "Nobody could approve this: no other active team lead is there who did not write or publish this text. "
            "An admin has to make somebody team lead, or run it by hand and keep what it printed.",
            code="permission",
        )


def _require_answerer(approval: Approval, by: User) -> None:
    execution = approval.step_run.execution
    access.check(by, "approve_destroy")
    if not may_operate(by, execution.environment):
        where = execution.environment.label
        raise Refused(f"Running commands in {where} is not among your permissions.", code="permission")
    if execution.status != ExecutionStatus.ACTIVE:
        raise Refused("This walk has ended, so there is nothing to approve any more.")


def _create(step_run: StepRun, command: int, meant: Intent, by: User, given: gate.Confirmation) -> Approval:
    known = {name: value for name, value in meant.values.items() if not secret_values.is_secret(name)}
    found = pieces(meant.compiled["text"], meant.compiled["parameters"], known)
    approval = Approval.objects.create(
        step_run=step_run,
        command=command,
        digest=meant.digest,
        values=meant.values,
        text="".join(piece.text for piece in found),
        doing=meant.touched.said(step_run.execution.environment.label)[:300],
        target=given.target[:300],
        reason=given.reason[:300],
        requested_by=by,
        # The database's own rule overwrites both.
        asked_at=Now(),
        expires_at=Now(),
    )
    approval.refresh_from_db()
    return approval


def _answer(approval: Approval, to: ApprovalState, by: User, comment: str, **more: Any) -> None:
    """The answer, once; the database says whether this person may give it."""
    if approval.status == A.ASKED and _over(approval):
        raise Refused("Nobody answered within 15 minutes: it has to be asked for again.", code="approval")
    said = comment.strip()[:300]
    APPROVAL.require(approval, to=to, decided_by=by, decided_at=Now(), comment=said, **more)
    approval.refresh_from_db()


def _close(approval: Approval, to: ApprovalState, by: User | None, why: str) -> None:
    was = "unanswered" if approval.status == A.ASKED else "unused"
    APPROVAL.require(approval, to=to)
    if to == A.EXPIRED:
        said = f"The approval expired {was} after 15 minutes: {approval.doing}"
        _tell(approval, "approval.expired", said, None)
        return
    verb = "withdrew the question for approval" if by else "The question for approval is void"
    _tell(approval, "approval.withdrawn", _with(f"{verb}: {approval.doing}", why), by)


def _open(step_run: StepRun, command: int) -> Approval | None:
    rows = Approval.objects.filter(step_run=step_run, command=command, status__in=OPEN)
    return rows.select_for_update(of=("self",)).select_related("requested_by").first()


def _over(approval: Approval) -> bool:
    return Approval.objects.filter(pk=approval.pk, expires_at__lte=Now()).exists()


def _with(said: str, comment: str) -> str:
    return f"{said}. {comment[:1].upper()}{comment[1:]}" if comment else said


def _name(user: User) -> str:
    return user.get_full_name() or user.get_username()


def _tell(approval: Approval, kind: str, said: str, by: User | None, *, noise: bool = False, **data: Any) -> None:
    executions.tell_step(approval.step_run, kind, said, by, noise=noise, approval=approval.pk, **data)
