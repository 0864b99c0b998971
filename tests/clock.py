"""A clock that tests move, in the database where erpops reads it.

A schema before pg_catalog in the search path has a `now()` of its own: the real one plus an offset. The
path is set on the database, so every connection made while the fixture lives sees the moved time (threads,
other processes). Use it with tests that commit; the fixture brings `transactional_db` along.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

_INSTALL = """
CREATE SCHEMA IF NOT EXISTS moved_time;
CREATE TABLE IF NOT EXISTS moved_time.shift (by interval NOT NULL);
CREATE OR REPLACE FUNCTION moved_time.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.now() + (SELECT by FROM moved_time.shift)';
TRUNCATE moved_time.shift;
INSERT INTO moved_time.shift VALUES (interval '0');
"""
_PATH = "public, moved_time, pg_catalog"


class Clock:
    """The database's time, as erpops sees it."""

    def advance(self, **duration: float) -> None:
        """Move on by a `timedelta`'s worth: `advance(minutes=5, seconds=1)`. Negative values go back."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE moved_time.shift SET by = by + make_interval(secs => %s)",
                [timedelta(**duration).total_seconds()],
            )


def in_this_transaction() -> Clock:
    """A movable clock for a test that commits nothing: it goes with the transaction of the test."""
    with connection.cursor() as cursor:
        cursor.execute(_INSTALL)
        cursor.execute(f"SET LOCAL search_path = {_PATH}")
    return Clock()


@pytest.fixture
def clock(transactional_db: Any) -> Iterator[Clock]:
    """A movable clock that starts at the real time."""
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(_INSTALL)
        cursor.execute(f"ALTER DATABASE {database} SET search_path = {_PATH}")
        cursor.execute(f"SET search_path = {_PATH}")
    yield Clock()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} RESET search_path")
        cursor.execute("RESET search_path")
        cursor.execute("TRUNCATE moved_time.shift")
        cursor.execute("INSERT INTO moved_time.shift VALUES (interval '0')")
    # A session keeps the path it was opened with.
    connection.close()
