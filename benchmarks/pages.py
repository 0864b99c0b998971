"""The incident list: 50 rows of 100,000, against fetching tuples and formatting strings."""

import statistics
import time
from collections.abc import Callable

import psycopg
from django.contrib.auth.models import User
from django.test import Client

from benchmarks.rig import Rig, Row, paired

INCIDENTS = 100_000
_FILL = f"""
INSERT INTO incidents_incident (title, severity, status, environment_id, impact, group_key, is_drill, started_at,
    opened_at, resolution, progress_at, event_seq)
SELECT 'Incident ' || n, 'SEV' || 1 + n % 4, 'resolved', (SELECT min(id) FROM incidents_environment), '', '', false,
    now(), now(), '', now(), 0 FROM generate_series(1, {INCIDENTS}) n;
ANALYZE incidents_incident;
"""
_RAW = """
SELECT i.id, i.title, i.severity, i.status, e.label, i.opened_at FROM incidents_incident i
JOIN incidents_environment e ON e.id = i.environment_id WHERE i.id < %s ORDER BY i.id DESC LIMIT 50
"""


def measure(rig: Rig) -> list[Row]:
    """Milliseconds a page: the first one, and one at the far end."""
    rig.postgres.psql(_FILL, url=rig.postgres.url, timeout=120)
    client = Client(headers={"hx-request": "true", "host": "127.0.0.1"})
    client.force_login(User.objects.get(username="admin"))
    with psycopg.connect(rig.postgres.url, autocommit=True) as connection:

        def raw() -> float:
            def page() -> None:
                found = connection.execute(_RAW, [1 << 60], prepare=True).fetchall()
                "".join(
                    f"<tr><td>{a}</td><td>{b}</td><td>{c}</td><td>{d}</td><td>{e}</td><td>{f:%H:%M}</td></tr>"
                    for a, b, c, d, e, f in found
                )

            return _median(page)

        def fetch(address: str) -> None:
            answer = client.get(address)
            if answer.status_code != 200 or answer.content.count(b"<tr") < 50:
                raise RuntimeError(f"{address} answered {answer.status_code} without 50 rows.")

        def first() -> float:
            return _median(lambda: fetch("/i/?view=all"))

        def deep() -> float:
            return _median(lambda: fetch(f"/i/?view=all&before={INCIDENTS // 100}"))

        bare, ours, ratio = paired(raw, first)
        first_ms, deep_ms, deep_ratio = paired(first, deep)
    return [
        Row("incident list, 50 of 100,000", bare, ours, "ms", ratio, "≤ 3"),
        Row("the same, a deep page against the first", first_ms, deep_ms, "ms", deep_ratio, "≤ 1.2"),
    ]


def _median(work: Callable[[], object], rounds: int = 40) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
