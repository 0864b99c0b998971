"""Clean-up after supervisors and doorbells that were lost. Starts nothing but what was declared repeatable.

An attempt whose lease ran out ends with the truth where this machine's spool has it, and as
outcome unknown where it does not: then a person decides. Queued attempts are announced again.
"""

import logging
import socket
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet

from erpops import claims
from erpops.clock import Now, seconds
from erpops.failpoints import failpoint
from runbooks import containment, runner, settling, spool, tasks
from runbooks.choices import TERMINAL_RUNS, RunStatus
from runbooks.models import CommandRun
from runbooks.runner import Outcome
from runbooks.spool import Exit, Spool

logger = logging.getLogger(__name__)

# Beyond the lease's end: a supervisor that lost the database has ended its command long before.
GRACE_S = 4.0
# Sweeping a machine takes a second per attempt at most.
SETTLE_LEASE_S, AT_ONCE = 10.0, 5
# A supervisor that has recorded an end is gone long before this.
STANDSTILL_S = 15.0
RING_AGAIN_S, RING_LATER_S, YOUNG_S = 3.0, 10.0, 15.0
BATCH = 100
CLEAR_EVERY_S = 30.0
LOST = "Its supervisor was lost, so nobody knows whether it ran to its end. Check, then say so."
_next_clearing = 0.0


def tick() -> int:
    """One round; how many attempts were settled or announced again."""
    acted = _settle_expired() + settling.repeat_lost() + _ring_again()
    tend_spools()
    return acted


def _settle_expired() -> int:
    """A few at a time under a short lease: if this process dies, another soon looks at what it had taken."""
    settled = 0
    while taken := claims.claim(_expired(), limit=AT_ONCE, lease_s=SETTLE_LEASE_S):
        for run in taken:
            failpoint("reaper.claimed")
            _settle(run)
        settled += len(taken)
    return settled


def _expired() -> "QuerySet[CommandRun]":
    live = CommandRun.objects.filter(status__in=[RunStatus.CLAIMED, RunStatus.RUNNING])
    return live.filter(lease_until__lt=Now() - seconds(GRACE_S)).order_by("lease_until")


def _settle(run: CommandRun) -> None:
    here = Spool(run.pk)
    outcome = Outcome(RunStatus.OUTCOME_UNKNOWN, reason=LOST)
    # What is only claimed has no supervisor yet, so a spool of its number is none of its.
    if run.status == RunStatus.RUNNING and run.host == socket.gethostname() and here.exists():
        end = _end_of(run, here)
        if end is None:
            # Nobody watches over it any more, and nothing may run on behind an end that is written down.
            _end_what_runs(here)
        _record_output(run, here, end, partial(runner.record_output, run=run))
        outcome = _outcome(end) if end else outcome
    if runner.finish(run=run, outcome=outcome):
        logger.warning("Run %s: its supervisor was lost; recorded as %s", run.pk, outcome.status)


def _end_what_runs(here: Spool) -> None:
    """End what is left of an attempt; its supervisor, should it wake, finds that this was not the command's own end."""
    here.take()
    containment.sweep_left(here.run_id, group=here.group(), home=here.work, supervisor=here.supervisor())


def _end_of(run: CommandRun, here: Spool) -> Exit | None:
    """The end that this attempt's supervisor has written, None if there is none that makes sense."""
    end = here.exit()
    if end is None or run.started_at is None:
        return None
    try:
        whose, _ = datetime.fromisoformat(end.started_at), _outcome(end)
    except (ValueError, TypeError):
        logger.exception("Run %s: the end in its spool makes no sense", here.run_id)
        return None
    return end if whose == run.started_at else None


def _record_output(run: CommandRun, here: Spool, end: Exit | None, record: Callable[..., object]) -> None:
    """Bring the chunks that PostgreSQL does not have yet; without an end the figures are those of what is kept."""
    try:
        rest = list(here.chunks(after=run.output_seq))
    except (KeyError, TypeError, ValueError):
        logger.exception("Run %s: the output in its spool makes no sense", run.pk)
        return
    kept = run.output_bytes + sum(len(chunk.data) for chunk in rest)
    total, dropped = (end.output_bytes, end.dropped_bytes) if end else (kept, run.dropped_bytes)
    for start in range(0, len(rest), BATCH):
        record(chunks=rest[start : start + BATCH], output_bytes=total, dropped_bytes=dropped)


def _outcome(end: Exit) -> Outcome:
    return Outcome(RunStatus(end.status), end.exit_code, end.reason, datetime.fromisoformat(end.ended_at))


def _ring_again() -> int:
    """Announce what still waits: soon while it is young, then less often, so that bells do not pile up."""
    with transaction.atomic():
        unheard = Q(nudged_at=None) | Q(nudged_at__lt=Now() - seconds(RING_LATER_S))
        unheard |= Q(nudged_at__lt=Now() - seconds(RING_AGAIN_S), queued_at__gt=Now() - seconds(YOUNG_S))
        rows = CommandRun.objects.filter(unheard, status=RunStatus.QUEUED).order_by("queued_at")
        found = list(rows.select_for_update(skip_locked=True).values_list("pk", "queue")[:BATCH])
        CommandRun.objects.filter(pk__in=[pk for pk, _ in found]).update(nudged_at=Now())
        for pk, queue in found:
            transaction.on_commit(partial(tasks.ring, pk, queue), robust=True)
    return len(found)


def tend_spools() -> None:
    """What a machine that runs commands does with its own spools now and then: engine and workers alike."""
    global _next_clearing  # noqa: PLW0603  (one per process)
    now = time.monotonic()
    if now < _next_clearing:
        return
    _next_clearing = now + CLEAR_EVERY_S
    containment.tidy()
    for run_id in spool.run_ids():
        try:
            _tend(Spool(run_id))
        except OSError:
            logger.exception("The spool of run %s could not be cleared", run_id)


def _tend(here: Spool) -> None:
    """Learn from the spool of an attempt that is over, end what may be left of it, forget it."""
    run = CommandRun.objects.filter(pk=here.run_id).first()
    if run is not None and run.status not in TERMINAL_RUNS:
        return
    if here.supervised():
        if run is not None and _long_over(run):
            # A supervisor that stands still: nothing may run on behind an end that is written down.
            _end_what_runs(here)
        return
    _end_what_runs(here)
    if run is not None and run.status == RunStatus.OUTCOME_UNKNOWN:
        # The supervisor lived on without the database, or the engine cannot see this machine's disk.
        end = _end_of(run, here)
        _record_output(run, here, end, partial(settling.record_late, run=run))
        if end is not None:
            settling.learn(run=run, outcome=_outcome(end))
    here.remove()


def _long_over(run: CommandRun) -> bool:
    return CommandRun.objects.filter(pk=run.pk, ended_at__lt=Now() - seconds(STANDSTILL_S)).exists()
