"""The audit chain: written with the act, refusing change, naming what was tampered with."""

import threading

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import InternalError, ProgrammingError, connection, transaction
from django.db.transaction import TransactionManagementError

from erpops import audit
from erpops.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


def act(number: int = 1) -> None:
    for n in range(number):
        with transaction.atomic():
            audit.record(action="test.act", target=f"thing:{n}", note="ä ☃", nested={"b": [1, None], "a": True})


def run(sql: str) -> None:
    """As somebody who owns the tables would: past the triggers."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE erpops_auditentry DISABLE TRIGGER USER")
        cursor.execute(sql)
        cursor.execute("ALTER TABLE erpops_auditentry ENABLE TRIGGER USER")


def test_entries_are_linked_when_the_act_commits() -> None:
    act(3)
    seqs = [int(seq or 0) for seq in AuditEntry.objects.order_by("seq").values_list("seq", flat=True)]
    assert len(seqs) == 3 and seqs == list(range(seqs[0], seqs[0] + 3))
    assert list(audit.faults()) == []


def test_an_act_that_fails_leaves_no_entry() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record(action="test.act", target="thing:1")
        raise ZeroDivisionError
    assert not AuditEntry.objects.exists()


def test_outside_of_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(TransactionManagementError):
        audit.record(action="test.act", target="thing:1")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE erpops_auditentry SET actor = 'somebody else'",
        "UPDATE erpops_auditentry SET seq = seq + 100",
        "DELETE FROM erpops_auditentry",
        "TRUNCATE erpops_auditentry",
    ],
)
def test_the_database_refuses_changes(change: str) -> None:
    act()
    with pytest.raises((InternalError, ProgrammingError)), connection.cursor() as cursor:
        cursor.execute(change)
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        ("UPDATE erpops_auditentry SET actor = 'x' WHERE seq = 3", "Entry 3 was changed"),
        ("UPDATE erpops_auditentry SET details = '{}' WHERE seq = 2", "Entry 2 was changed"),
        ("UPDATE erpops_auditentry SET at = at - interval '1 s' WHERE seq = 4", "Entry 4 was changed"),
        ("DELETE FROM erpops_auditentry WHERE seq = 2", "Entry 2 is missing"),
        ("DELETE FROM erpops_auditentry WHERE seq = 1", "Entry 1 is missing"),
        ("UPDATE erpops_auditentry SET prev_hash = repeat('1', 64) WHERE seq = 5", "Entry 5 does not follow"),
    ],
)
def test_tampering_is_found_and_named(tamper: str, words: str) -> None:
    act(5)
    run(tamper)
    assert words in next(audit.faults())
    with pytest.raises(CommandError, match=words):
        call_command("audit_verify")


def test_many_writers_at_once_make_one_chain() -> None:
    def work() -> None:
        try:
            act(10)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEntry.objects.count() == 60
    assert list(audit.faults()) == []
