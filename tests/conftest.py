"""Fixtures that every test may use."""

from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.test import TransactionTestCase

from tests.emptying import empty_the_database


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """A client of the real Valkey, emptied before the test."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    TransactionTestCase._fixture_teardown = empty_the_database  # type: ignore[attr-defined]


# What takes longest is begun first, so that no process is left with a long file when the others are through.
_FIRST = ("tests/stories/", "tests/browser/", "tests/faults/", "tests/erpops/test_up.py", "tests/erpops/", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next(rank for rank, path in enumerate(_FIRST) if item.nodeid.startswith(path)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests that break things have counted, over all processes that shared the tests."""
    counts: Counter[str] = Counter()
    for report in (report for found in terminalreporter.stats.values() for report in found):
        if getattr(report, "when", "") == "teardown":
            counts.update(dict(report.user_properties).get("faults", {}))
    if counts:
        terminalreporter.section("faults: the database compared with the world")
        terminalreporter.write_line(" · ".join(f"{name} {number}" for name, number in counts.items()))
