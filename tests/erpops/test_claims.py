"""Leases with fencing, on a table that uses them."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from erpops import claims, clock
from incidents.choices import MessageKind
from incidents.models import Message

pytestmark = pytest.mark.django_db(transaction=True)


def rows(count: int) -> None:
    now = clock.now()
    Message.objects.bulk_create(
        Message(
            idem_key=str(n),
            kind=MessageKind.TEST,
            contact_name="x",
            channel="email",
            created_at=now,
            next_at=now,
        )
        for n in range(count)
    )


def take(limit: int = 1, lease_s: float = 30) -> list[Message]:
    return claims.claim(Message.objects.order_by("pk"), limit=limit, lease_s=lease_s)


def test_a_claimed_row_is_not_given_twice() -> None:
    rows(2)
    (first,) = take()
    (second,) = take()
    assert first.pk != second.pk
    assert take() == []


def test_an_expired_lease_is_taken_over_and_the_old_holder_writes_nothing() -> None:
    rows(1)
    (old,) = take()
    Message.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    (new,) = take()
    assert new.fence == old.fence + 1
    assert claims.held(old).update(attempts=F("attempts") + 1) == 0
    assert not claims.renew(old, lease_s=30)
    assert claims.renew(new, lease_s=30)


def test_values_are_written_with_the_claim() -> None:
    rows(1)
    (row,) = claims.claim(Message.objects.all(), limit=1, lease_s=5, attempts=3)
    assert (row.attempts, row.claimed_by) == (3, claims.OWNER)


def test_many_at_once_share_the_rows_without_an_overlap() -> None:
    rows(60)
    taken: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        try:
            while got := take(limit=4):
                with lock:
                    taken.extend(row.pk for row in got)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 60
