"""Leases with fencing: who may act on a row, and until when.

A claim raises `fence`; every later write of the claimant names its fence in the WHERE clause, so a
process that slept past its lease writes nothing. Lease times are the database's.
"""

import uuid
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import F, QuerySet

from erpops.clock import Now, seconds

# Random per process: host names and pids come back, this does not.
OWNER = uuid.uuid4().hex


class Claimable(models.Model):
    """Columns of a row that one process at a time may work on."""

    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    claimed_by = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        abstract = True


C = TypeVar("C", bound=Claimable)
_FREE = models.Q(lease_until=None) | models.Q(lease_until__lt=Now())


def claim(rows: "QuerySet[C]", *, limit: int, lease_s: float, owner: str = OWNER, **values: Any) -> list[C]:
    """Claim up to `limit` of `rows` in their order; rows that others hold or lock are passed over.

    `values` are written in the same statement (a status, a time). The claim is committed when this
    returns, unless the caller holds a transaction open.
    """
    model = rows.model
    with transaction.atomic(savepoint=False):
        free = rows.filter(_FREE)
        keys = list(free.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:limit])
        if not keys:
            return []
        _take(model._default_manager.filter(pk__in=keys), lease_s=lease_s, owner=owner, **values)
        found = {row.pk: row for row in model._default_manager.filter(pk__in=keys)}
    return [found[key] for key in keys]


def take(rows: "QuerySet[C]", *, lease_s: float, owner: str, **values: Any) -> int:
    """Claim all of `rows` that are free, waiting for those that others lock; how many it were."""
    return _take(rows.filter(_FREE), lease_s=lease_s, owner=owner, **values)


def _take(rows: "QuerySet[C]", *, lease_s: float, owner: str, **values: Any) -> int:
    return rows.update(fence=F("fence") + 1, claimed_by=owner, lease_until=Now() + seconds(lease_s), **values)


def renew(row: Claimable, *, lease_s: float) -> bool:
    """Hold on to `row`; False when another has taken it over, and this process must stop acting."""
    return bool(held(row).update(lease_until=Now() + seconds(lease_s)))


def held(row: C) -> "QuerySet[C]":
    """The row, if this claim still holds it: filter for every write of a claimant."""
    return type(row)._default_manager.filter(pk=row.pk, fence=row.fence)
