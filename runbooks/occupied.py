"""What is in use: things that a command acts on right now, in whichever walk. What only reads is never in the way."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet

from erpops import clock
from incidents.models import Environment
from runbooks.choices import ExecutionStatus, RunStatus
from runbooks.models import CommandRun
from runbooks.refusals import Refused
from runbooks.touched import EVERYTHING

_LOCK = 7_267_012
_LIVE = (RunStatus.QUEUED, RunStatus.CLAIMED, RunStatus.RUNNING)
# It may still be going on; whoever walks it can look and say so.
_DOUBTFUL = (RunStatus.OUTCOME_UNKNOWN, RunStatus.STOP_UNCONFIRMED)


def require_free(*, environment: Environment, names: Collection[str]) -> None:
    """Refuse with a sentence while another command acts on one of `names` there.

    Inside the transaction that inserts the run. Those who ask for the same environment take turns here, so of two
    at the same moment the second sees the first.
    """
    if not names:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, environment.pk])
    if (run := holder(environment=environment, names=names)) is not None:
        raise Refused(sentence(run, clock.now()), code="occupied")


def holder(*, environment: Environment, names: Collection[str]) -> CommandRun | None:
    """The command that acts on one of `names` there, the longest running first; None if all of them are free."""
    if not names:
        return None
    found = acting(environment)
    if EVERYTHING not in names:
        found = found.filter(Q(touches__overlap=list(names)) | Q(touches__contains=[EVERYTHING]))
    return found.order_by("queued_at").first()


def acting(environment: Environment) -> QuerySet[CommandRun]:
    """The commands that act on something there, with who asked for them."""
    going_on = Q(status__in=_LIVE) | Q(status__in=_DOUBTFUL, step_run__execution__status=ExecutionStatus.ACTIVE)
    here = CommandRun.objects.filter(going_on, step_run__execution__environment=environment)
    related = ("requested_by", "step_run__execution__incident")
    return here.exclude(touches=[]).select_related(*related)


def sentence(run: CommandRun, now: datetime) -> str:
    """What is in use, by which command, for how long (minutes:seconds) and whose."""
    who = run.requested_by.get_full_name() or run.requested_by.get_username()
    walk = run.step_run.execution
    line = " ".join(run.text.split())[:80]
    things = "everything here" if EVERYTHING in run.touches else ", ".join(run.touches)
    if run.status in _DOUBTFUL:
        ended = "nobody knows how it ended" if run.status == RunStatus.OUTCOME_UNKNOWN else "it may still run"
        return f"In use: {things}, `{line}` by {who} in {walk.reference}; {ended}. Settle that one first."
    minutes, seconds = divmod(max(0, int((now - (run.started_at or run.queued_at)).total_seconds())), 60)
    since = f"{minutes:02d}:{seconds:02d}"
    return f"In use: {things}, `{line}`, {since}, by {who} in {walk.reference}. Wait for its end, or stop it there."
