"""Engine module: an alarm when work is due and nobody begins it, whatever the cause.

A worker may live and take nothing: it hears no messages any more, or hangs. This asks PostgreSQL alone, so that it
holds while the broker is away. Each queue has one alert, which stands as long as something waits in it.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Min

from checks import alerts, scheduler
from erpops import beats, clock
from erpops.clock import Now, seconds
from erpops.models import ProcessBeat
from erpops.templatetags.words import duration
from incidents.bootstrap import SELF
from incidents.choices import AlertStatus, Severity
from incidents.models import Alert
from incidents.sources.parsed import ParsedAlert
from runbooks.choices import RunStatus
from runbooks.models import CommandRun

logger = logging.getLogger(__name__)

WAITED_S = 30.0
# The built-in runbook is for this name; a full queue of messages raises the same.
ALERT = "ErpopsWorkerBacklog"
_MARK = "waits:"
_looking = scheduler.Chore(5)


@dataclass(frozen=True)
class Waiting:
    """What has waited too long in one queue, `since` when, and whether a living worker serves it."""

    queue: str
    since: datetime
    commands: int = 0
    checks: int = 0
    served: bool = False

    @property
    def sentence(self) -> str:
        words = [_counted(self.commands, "command"), _counted(self.checks, "check")]
        verb = "has" if self.commands + self.checks == 1 else "have"
        why = "though a worker serves it" if self.served else "and no worker serves it"
        waited = duration((clock.now() - self.since).total_seconds())
        return f"{' and '.join(filter(None, words))} in the queue {self.queue} {verb} waited for {waited}, {why}."


def tick() -> int:
    """One look now and then; how many alerts were raised or ended."""
    return watch() if _looking.due() else 0


def watch() -> int:
    """Raise an alert for each queue that something waits in, end those where nothing does any more."""
    if _young():
        return 0
    found = {waiting.queue: waiting for waiting in look()}
    standing = _standing()
    for queue in standing - found.keys():
        logger.warning("What was due in %s is being done again", queue)
        alerts.take(_alert(queue, AlertStatus.RESOLVED, f"What was due in {queue} is being done again"))
    new = [found[queue] for queue in found.keys() - standing] if alerts.accepted() else []
    for waiting in new:
        logger.error("%s", waiting.sentence)
        alerts.take(_alert(waiting.queue, AlertStatus.FIRING, waiting.sentence))
    return len(new) + len(standing - found.keys())


def sentences() -> list[str]:
    """What waits, for people."""
    return [] if _young() else [waiting.sentence for waiting in look()]


def look() -> list[Waiting]:
    """What has waited too long, by queue. Behind workers whose lanes are all taken it merely stands in line."""
    rows = CommandRun.objects.filter(status=RunStatus.QUEUED, queued_at__lt=Now() - seconds(WAITED_S))
    counted = rows.values("queue").annotate(commands=Count("pk"), since=Min("queued_at")).order_by("queue")
    found = {row["queue"]: Waiting(**row) for row in counted}
    late = scheduler.overdue(by_s=WAITED_S).aggregate(checks=Count("pk"), since=Min("last_at"))
    if late["checks"]:
        before = found.get(scheduler.QUEUE)
        found[scheduler.QUEUE] = replace(before, **late) if before else Waiting(queue=scheduler.QUEUE, **late)
    if not found:
        return []
    workers = beats.alive("worker")
    by_queue = {queue: [worker for worker in workers if queue in worker.queues] for queue in found}
    return [
        replace(waiting, served=bool(by_queue[queue]))
        for queue, waiting in found.items()
        if not _all_lanes_taken(by_queue[queue])
    ]


def _all_lanes_taken(workers: Collection[ProcessBeat]) -> bool:
    """Whether these workers have as much to do as they can; an older one does not say how much that is."""
    lanes = [worker.info.get("lanes") for worker in workers]
    if not lanes or None in lanes:
        return False
    live = CommandRun.objects.filter(status__in=[RunStatus.CLAIMED, RunStatus.RUNNING])
    return live.filter(host__in={worker.host for worker in workers}).count() >= sum(lanes)


def _young() -> bool:
    """Whether the console has just begun: what waited while it was away has its time to be taken."""
    began = [engine.started_at for engine in beats.alive("engine")]
    return bool(began) and clock.now() - min(began) < seconds(WAITED_S)


def _standing() -> set[str]:
    firing = Alert.objects.filter(
        source__kind=alerts.SOURCE_KIND, fingerprint__startswith=_MARK, status=AlertStatus.FIRING
    )
    return {fingerprint.removeprefix(_MARK) for fingerprint in firing.values_list("fingerprint", flat=True)}


def _alert(queue: str, status: str, summary: str) -> ParsedAlert:
    now = clock.now()
    return ParsedAlert(
        fingerprint=_MARK + queue,
        name=ALERT,
        status=status,
        severity=Severity.SEV2,
        labels={"alertname": ALERT, "queue": queue, "service": "worker", "environment": SELF},
        # That of the check on the broker: one condition of one service is one incident.
        group_key=alerts.group_key(environment=SELF, service="worker", name=ALERT),
        annotations={"summary": summary},
        starts_at=now if status == AlertStatus.FIRING else None,
        ends_at=now if status == AlertStatus.RESOLVED else None,
        generator_url="/workers/",
        environment=SELF,
        service="worker",
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number > 1 else ''}" if number else ""
