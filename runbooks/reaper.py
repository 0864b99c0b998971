"""Clean-up after supervisors and doorbells that were lost. Never starts anything.

An attempt whose lease ran out ends with the truth where this machine's spool has it, and as
outcome unknown where it does not: then a person decides. Queued attempts are announced again.
"""

import logging
import socket
import time
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Q

from erpops import claims
from erpops.clock import Now, seconds
from runbooks import containment, runner, spool, tasks
from runbooks.choices import TERMINAL_RUNS, RunStatus
from runbooks.models import CommandRun
from runbooks.runner import Outcome
from runbooks.spool import Exit, Spool

logger = logging.getLogger(__name__)

# Beyond the lease's end: a supervisor that lost the database has ended its command long before.
GRACE_S = 5.0
RING_AGAIN_S, RING_LATER_S, YOUNG_S = 3.0, 10.0, 15.0
BATCH = 100
CLEAR_EVERY_S = 30.0
_next_clearing = 0.0


def tick() -> int:
    """One round; how many attempts were settled or announced again."""
    acted = _settle_expired() + _ring_again()
    if _clearing_is_due():
        _clear_spools()
    return acted


def _settle_expired() -> int:
    rows = CommandRun.objects.filter(
        status__in=[RunStatus.CLAIMED, RunStatus.RUNNING], lease_until__lt=Now() - seconds(GRACE_S)
    ).order_by("lease_until")
    taken = claims.claim(rows, limit=BATCH, lease_s=runner.LEASE_S)
    for run in taken:
        _settle(run)
    return len(taken)


def _settle(run: CommandRun) -> None:
    here = Spool(run.pk)
    end = here.exit() if run.host == socket.gethostname() else None
    if end is None:
        if here.exists():
            # Nobody watches over it any more, and nothing may run on behind an end that is written down.
            containment.sweep_left(run.pk, home=here.work)
        why = "Its supervisor was lost, so nobody knows whether it ran to its end. Check, then say so."
        runner.finish(run=run, outcome=Outcome(RunStatus.OUTCOME_UNKNOWN, reason=why))
        logger.warning("Run %s: outcome unknown", run.pk)
        return
    if _record_output(run, here, end) and runner.finish(run=run, outcome=_outcome(end)):
        logger.info("Run %s: recorded from the spool as %s", run.pk, end.status)


def _record_output(run: CommandRun, here: Spool, end: Exit) -> bool:
    """Bring the chunks that PostgreSQL does not have yet; False when the attempt is somebody else's again."""
    if run.status == RunStatus.CLAIMED:
        return True
    rest = list(here.chunks(after=run.output_seq))
    for start in range(0, len(rest), BATCH):
        some = rest[start : start + BATCH]
        if not runner.record_output(
            run=run, chunks=some, output_bytes=end.output_bytes, dropped_bytes=end.dropped_bytes
        ):
            return False
        run.output_seq = some[-1].seq
    return True


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


def _clearing_is_due() -> bool:
    global _next_clearing  # noqa: PLW0603  (one per engine process)
    now = time.monotonic()
    if now < _next_clearing:
        return False
    _next_clearing = now + CLEAR_EVERY_S
    return True


def _clear_spools() -> None:
    """Forget spools whose attempts have ended, and end what may be left of them on this machine."""
    for run_id in spool.run_ids():
        here = Spool(run_id)
        if here.supervised():
            continue
        run = CommandRun.objects.filter(pk=run_id).first()
        if run is not None and run.status not in TERMINAL_RUNS:
            continue
        containment.sweep_left(run_id, home=here.work)
        if run is not None and run.status == RunStatus.OUTCOME_UNKNOWN and (end := here.exit()) is not None:
            # The supervisor woke after its lease: it could not write, but it saw the end.
            runner.learn(run=run, outcome=_outcome(end))
        here.remove()
