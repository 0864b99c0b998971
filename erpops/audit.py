"""The append-only, hash-chained record of who did what.

`record` runs inside the transaction of the act: no audit, no act. The database links the entry into
the chain when that transaction commits (a deferred trigger), so the chain's lock is always the last
one taken and cannot deadlock with the locks of the act. Each hash covers the hash before it, so a
changed, missing or inserted row shows.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, transaction

from erpops.clock import Now
from erpops.models import AuditEntry
from erpops.registry import Registry

# What compares an exported record with what is stored, by the record's format: a sentence per difference.
records: Registry[Callable[[Mapping[str, Any]], Iterator[str]]] = Registry("record check")


def record(*, action: str, target: str, by: AbstractBaseUser | None = None, **details: Any) -> None:
    """Append one entry. `action` is dotted (`incident.acknowledge`), `target` names a thing (`incident:204`).

    Without `by` the act is erpops's own. Must be called inside `transaction.atomic`.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An audit entry belongs to the transaction of its act.")
    AuditEntry.objects.create(
        at=Now(),
        actor=by.get_username() if by else "erpops",
        action=action,
        target=target,
        details=details,
    )


_WALK = """
SELECT seq, coalesce(lag(seq) OVER chain, 0), prev_hash, coalesce(lag(hash) OVER chain, repeat('0', 64)), hash,
       erpops_audit_digest(entry)
FROM erpops_auditentry entry WINDOW chain AS (ORDER BY seq) ORDER BY seq NULLS LAST
"""


def faults() -> Iterator[str]:
    """Walk the chain from its start; a sentence for each entry that does not fit."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_WALK)
        for seq, before, prev_hash, expected, digest, computed in cursor:
            if seq is None:
                yield "An entry stands outside the chain."
            elif seq != before + 1:
                yield f"Entry {before + 1} is missing: entry {seq} follows {before}."
            elif prev_hash != expected:
                yield f"Entry {seq} does not follow the entry before it."
            elif digest != computed:
                yield f"Entry {seq} was changed after it was written."
