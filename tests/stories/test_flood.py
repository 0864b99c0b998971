"""A thousand senders at once, over real sockets to a real console."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.faults.test_whole_console import token_of
from tests.peers import rows
from tests.stack import Stack

SENDERS = 1000


@pytest.mark.timeout(400)
def test_the_same_alert_a_thousand_times_at_once_is_one_incident() -> None:
    with Stack() as stack:
        token = token_of(stack)
        # In a thread of its own: a browser of the same run may keep an event loop in this one.
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(asyncio.run, flood(stack.url, token)).result()
        database = str(stack.services()["database_url"])
        assert answers == Counter({202: SENDERS})
        assert rows(database, "SELECT count(*) FROM incidents_incident") == [(1,)]
        flooded = (
            "SELECT count(*) FROM incidents_delivery d JOIN incidents_source s ON s.id = d.source_id WHERE s.name = %s"
        )
        assert rows(database, flooded, "Fire drill") == [(SENDERS,)]
        assert rows(database, "SELECT deliveries FROM incidents_alert WHERE name = 'Flood'") == [(SENDERS,)]


async def flood(url: str, token: str) -> Counter[int]:
    """How often each status was answered."""
    limits = httpx.Limits(max_connections=SENDERS, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60, trust_env=False) as client:
        body = {"name": "Flood", "key": "flood", "severity": "low"}
        top = {"Authorization": f"Bearer {token}"}
        answers = await asyncio.gather(*(client.post("/hooks/generic", json=body, headers=top) for _ in range(SENDERS)))
    return Counter(answer.status_code for answer in answers)
