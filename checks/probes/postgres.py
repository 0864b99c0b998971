"""PostgreSQL: connections, slow and blocked work, size."""

import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from checks.choices import TargetKind
from checks.probes.kind import Measurement, Option, Place, Probe, ProbeFailed, first_line, probes

CONNECT = "connect_ms"
_UNITS = {
    "connections_percent": "%",
    "longest_query_s": "s",
    "blocked_sessions": "",
    "database_size_mb": "MB",
    CONNECT: "ms",
}
# Each gives the value and words for it.
_QUERIES = {
    "connections_percent": """
        SELECT 100.0 * count(*) / current_setting('max_connections')::int,
               count(*) || ' of ' || current_setting('max_connections') || ' connections'
        FROM pg_stat_activity WHERE backend_type = 'client backend'""",
    "longest_query_s": """
        SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0),
               coalesce('process ' || (array_agg(pid ORDER BY query_start))[1], 'no query is running')
        FROM pg_stat_activity
        WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()""",
    "blocked_sessions": """
        SELECT count(*), coalesce('process ' || string_agg(pid::text, ', '), 'no session waits')
        FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '2 seconds'""",
    "database_size_mb": """
        SELECT pg_database_size(current_database()) / 1048576.0, 'database ' || current_database()""",
    CONNECT: "SELECT 0, ''",
}


def measure(place: Place, options: Mapping[str, Any], timeout_s: float) -> Measurement:
    """One value of the server, read over a connection of its own."""
    what = str(options.get("value", CONNECT))
    began = time.monotonic()
    try:
        with psycopg.connect(_conninfo(place, timeout_s), autocommit=True) as connection:
            row = connection.execute(_QUERIES[what].encode()).fetchone()
    except psycopg.errors.QueryCanceled as error:
        raise ProbeFailed(f"PostgreSQL did not answer the query within {timeout_s:g} s.") from error
    except psycopg.Error as error:
        raise ProbeFailed(f"PostgreSQL could not be asked: {_without(first_line(error), place)}") from error
    took = (time.monotonic() - began) * 1000
    assert row is not None
    value = took if what == CONNECT else float(row[0])
    return Measurement(value, _UNITS[what], str(row[1])[:300])


def _conninfo(place: Place, timeout_s: float) -> str:
    limits: dict[str, Any] = {
        "connect_timeout": max(2, int(timeout_s)),
        "tcp_user_timeout": int(timeout_s * 1000),
        "options": f"-c statement_timeout={int(timeout_s * 1000)} -c default_transaction_read_only=on",
        "application_name": "erpops-check",
    }
    if place.credential:
        limits["password"] = place.credential
    try:
        return make_conninfo(place.address, **limits)
    except psycopg.ProgrammingError as error:
        raise ProbeFailed(
            "The target's address is not a PostgreSQL address: write postgresql://user@host/name."
        ) from error


def _without(text: str, place: Place) -> str:
    return text.replace(place.credential, "•••") if place.credential else text


probes.add(
    "postgres",
    Probe(
        label="PostgreSQL",
        kinds=frozenset({TargetKind.POSTGRES}),
        measure=measure,
        units=_UNITS,
        options=(
            Option(
                "value",
                "What to measure",
                choices=(
                    ("connections_percent", "Connections in use (%)"),
                    ("longest_query_s", "Longest running query (s)"),
                    ("blocked_sessions", "Sessions waiting for a lock"),
                    ("database_size_mb", "Database size (MB)"),
                    (CONNECT, "Time to connect (ms)"),
                ),
                default="connections_percent",
            ),
        ),
    ),
)
