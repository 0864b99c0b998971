"""Engine module: sends due checks to workers, notices the ones that fell silent, has old results forgotten.

A check is in flight while its lease lasts, so it never runs twice at a time. Slots that were missed
become one, at a random moment soon, so that checks which were late together are not run together.
"""

import logging
import time
from typing import Any

from celery.exceptions import CeleryError
from django.db import connection, transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, QuerySet
from kombu.exceptions import KombuError

from checks import retention, verdicts
from checks.choices import Verdict
from checks.models import Check
from erpops import beats
from erpops.celery import app
from erpops.claims import claim
from erpops.clock import Now, seconds

logger = logging.getLogger(__name__)

QUEUE = "checks"
BATCH = 100
# A check that is late by more than an interval runs within this many seconds.
SPREAD_S = 10
# The time between a probe's limit and the end of its lease: to record the result.
GRACE_S = 5
SILENT_INTERVALS = 3


class Chore:
    """Something that a process does now and then."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time; if so, the next time is set."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._every_s
        return True

    def postpone(self, by_s: float) -> None:
        """Not before `by_s` seconds from now."""
        self._next = time.monotonic() + by_s


_sending = Chore(0)
_spreading = Chore(2)
_listening = Chore(5)
_forgetting = Chore(60)


def tick() -> int:
    """Everything that is due; how many rows were acted on."""
    acted = spread_late() if _spreading.due() else 0
    acted += send_due() if _sending.due() else 0
    acted += silence() if _listening.due() else 0
    if _forgetting.due():
        retention.forget()
    return acted


def spread_late() -> int:
    """Give new checks, and those late by more than an interval, a slot of their own soon."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE checks_check SET
                 next_at = now() + random() * least(interval_s, %s) * interval '1 second'
               WHERE enabled AND (next_at IS NULL OR next_at < now() - interval_s * interval '1 second')
                 AND (lease_until IS NULL OR lease_until < now())""",
            [SPREAD_S],
        )
        return cursor.rowcount


def due() -> QuerySet[Check]:
    """Checks whose slot has come, the latest first to run."""
    return Check.objects.filter(enabled=True, target__enabled=True, next_at__lte=Now()).order_by("next_at", "pk")


def overdue(*, by_s: float) -> QuerySet[Check]:
    """Checks that were measured before and should have been measured again `by_s` seconds ago."""
    checks = Check.objects.filter(enabled=True, target__enabled=True).exclude(verdict=Verdict.NEW)
    return checks.filter(last_at__lt=_before(Now() - seconds(by_s), F("interval_s") + F("timeout_s")))


def send_due() -> int:
    """Claim what is due and ring a worker for each; how many were sent.

    Without a living worker on the queue nothing is claimed: rows wait better than messages do.
    """
    if not due().exists() or QUEUE not in beats.served_queues():
        return 0
    with transaction.atomic():
        claimed = claim(due(), limit=BATCH, lease_s=GRACE_S, next_at=_after(F("next_at"), F("interval_s")))
        Check.objects.filter(pk__in=[check.pk for check in claimed]).update(
            lease_until=_after(Now(), F("timeout_s") + GRACE_S)
        )
    for sent, check in enumerate(claimed):
        if not _send(check):
            _sending.postpone(GRACE_S)
            return sent
    return len(claimed)


def _send(check: Check) -> bool:
    """Ring a worker. A message that is lost costs one slot: the lease ends and the next slot comes."""
    try:
        app.send_task(
            "checks.tasks.run_check",
            args=(check.pk, check.fence),
            queue=QUEUE,
            retry=False,
            soft_time_limit=check.timeout_s + 2,
            time_limit=check.timeout_s + GRACE_S,
        )
    except (KombuError, CeleryError, OSError) as error:
        logger.warning("Checks wait: the broker did not take a message: %s", error)
        return False
    return True


def begin(check_id: int, fence: int) -> Check | None:
    """The check, if the message about it is the current one and the first of its copies; else None.

    Raising the fence spends the message: a double, a late one and a forged one find another number.
    """
    spent = Check.objects.filter(pk=check_id, fence=fence, enabled=True, lease_until__gt=Now()).update(
        fence=F("fence") + 1, lease_until=_after(Now(), F("timeout_s") + GRACE_S)
    )
    if not spent:
        return None
    return Check.objects.select_related("target").filter(pk=check_id, fence=fence + 1).first()


def silence() -> int:
    """Say once of each check without a measurement for three intervals that nothing is known of it."""
    silent = (
        Check.objects.filter(enabled=True, target__enabled=True, last_at__isnull=False)
        .exclude(verdict__in=[Verdict.UNKNOWN, Verdict.NEW])
        .filter(last_at__lt=_before(Now(), F("interval_s") * SILENT_INTERVALS + F("timeout_s")))
    )
    return sum(verdicts.fell_silent(check_id) for check_id in silent.values_list("pk", flat=True)[:BATCH])


def _after(moment: Any, length_s: Any) -> ExpressionWrapper:
    return ExpressionWrapper(moment + _length(length_s), output_field=DateTimeField())


def _before(moment: Any, length_s: Any) -> ExpressionWrapper:
    return ExpressionWrapper(moment - _length(length_s), output_field=DateTimeField())


def _length(length_s: Any) -> ExpressionWrapper:
    return ExpressionWrapper(length_s * seconds(1), output_field=DurationField())
