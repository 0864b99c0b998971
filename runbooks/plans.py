"""Rehearsals on a schedule: the only writer of RehearsalPlan."""

import logging

from django.contrib.auth.models import User
from django.db import transaction

from erpops import audit
from erpops.clock import Now, seconds
from incidents.access import may_operate
from incidents.models import Environment
from runbooks import rehearsal
from runbooks.models import RehearsalPlan, Runbook
from runbooks.refusals import Refused

logger = logging.getLogger(__name__)

BATCH = 5
HOUR_S = 3600.0
# Every six hours, daily, weekly, every four weeks.
INTERVALS_H = (6, 24, 168, 672)


def plan(*, runbook: Runbook, environment: Environment, every_h: int, by: User) -> RehearsalPlan:
    """Rehearse `runbook` there every `every_h` hours from now on, in the name of `by`."""
    if not may_operate(by, environment):
        raise Refused(f"Running commands in {environment.label} is not among your permissions.", code="permission")
    if every_h not in INTERVALS_H:
        raise Refused("Choose one of the intervals.")
    with transaction.atomic():
        found, _ = RehearsalPlan.objects.update_or_create(
            runbook=runbook,
            environment=environment,
            defaults={"owner": by, "every_h": every_h, "due_at": Now(), "refused": ""},
        )
        audit.record(
            action="rehearsal.planned",
            target=f"runbook:{runbook.slug}",
            by=by,
            environment=environment.name,
            every_h=every_h,
        )
    return found


def cancel(*, plan: RehearsalPlan, by: User) -> None:
    """No more rehearsals by this plan; one that goes on comes to its end."""
    if not may_operate(by, plan.environment):
        raise Refused(f"Running commands in {plan.environment.label} is not among your permissions.", code="permission")
    with transaction.atomic():
        if RehearsalPlan.objects.filter(pk=plan.pk, due_at__isnull=False).update(due_at=None, refused=""):
            audit.record(
                action="rehearsal.unplanned",
                target=f"runbook:{plan.runbook.slug}",
                by=by,
                environment=plan.environment.name,
            )


def tick() -> int:
    """Start the rehearsals that are due; how many plans were looked at."""
    return sum(_start(pk) for pk in _due())


def _due() -> list[int]:
    return list(RehearsalPlan.objects.filter(due_at__lte=Now()).order_by("due_at").values_list("pk", flat=True)[:BATCH])


def _start(pk: int) -> int:
    with transaction.atomic():
        rows = RehearsalPlan.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, due_at__lte=Now())
        due = rows.select_related("runbook", "environment", "owner").first()
        if due is None:
            return 0
        refused = ""
        try:
            with transaction.atomic():
                rehearsal.start(runbook=due.runbook, environment=due.environment, by=due.owner, plan=due)
        except Refused as refusal:
            refused = str(refusal)[:300]
            if refused != due.refused:
                logger.warning("No rehearsal of %s: %s", due.runbook.slug, refused)
        # From now, not from when it was due: what an engine that was away has missed is not made up for.
        RehearsalPlan.objects.filter(pk=pk).update(due_at=Now() + seconds(due.every_h * HOUR_S), refused=refused)
    return 1
