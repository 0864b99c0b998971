"""Heartbeats of engine and workers, by the database's clock."""

import os
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform

from erpops import claims, clock
from erpops.clock import Now
from erpops.models import ProcessBeat
from erpops.registry import Registry

ALIVE_S = 20
FORGET_S = 3600

# What modules tell of a worker, from the queues that it serves.
facts: Registry[Callable[[list[str]], dict[str, Any]]] = Registry("worker fact")
# What a worker does for its own machine at every beat; each keeps its own pace.
chores: Registry[Callable[[], None]] = Registry("worker chore")


def beat(*, role: str, queues: list[str] | None = None, info: dict[str, Any] | None = None) -> None:
    """Say that this process is alive. Without `info` what it told before stays."""
    now = clock.now()
    told = {} if info is None else {"info": info}
    ProcessBeat.objects.update_or_create(
        owner=claims.OWNER,
        defaults={"seen_at": now, "queues": queues or [], **told},
        create_defaults={
            "role": role,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": now,
            "seen_at": now,
            "queues": queues or [],
            "info": info or {},
        },
    )


def leave() -> None:
    """Say that this process is not to be counted on any more."""
    ProcessBeat.objects.filter(owner=claims.OWNER).delete()


def facts_of(queues: list[str]) -> dict[str, Any]:
    """Everything that is to be told of a worker with these queues."""
    return {name: value for tell in facts.values() for name, value in tell(queues).items()}


def alive(role: str) -> list[ProcessBeat]:
    """The processes of `role` that beat lately."""
    return list(_alive(role))


def living() -> set[str]:
    """The roles of which a process beats."""
    return set(_lately().values_list("role", flat=True))


def served_queues() -> set[str]:
    """The queues that a living worker listens to."""
    return {queue for queues in _alive("worker").values_list("queues", flat=True) for queue in queues}


def told(queue: str, *path: str) -> list[Any]:
    """What each living worker that listens to `queue` told at `path` of its facts; None where it told nothing."""
    fact: Any = "info"
    for name in path:
        fact = KeyTransform(name, fact)
    return list(_alive("worker").filter(queues__contains=[queue]).values_list(fact, flat=True))


def last_seen() -> datetime | None:
    """When any process of ours was last alive."""
    return ProcessBeat.objects.order_by("-seen_at").values_list("seen_at", flat=True).first()


def forget_old() -> int:
    """Drop the beats of processes that are long gone; how many."""
    return ProcessBeat.objects.filter(seen_at__lt=Now() - clock.seconds(FORGET_S)).delete()[0]


def _alive(role: str) -> QuerySet[ProcessBeat]:
    return _lately().filter(role=role)


def _lately() -> QuerySet[ProcessBeat]:
    return ProcessBeat.objects.filter(seen_at__gt=Now() - clock.seconds(ALIVE_S))
