"""Alerts in: new alerts over HTTP against pgbench doing the least SQL for the same outcome."""

import asyncio
import json
import re
import subprocess
import time
from functools import partial
from itertools import count

from benchmarks.rig import Rig, Row, paired
from erpops.embedded.binaries import require_postgres_bin

CLIENTS = (8, 32)
SECONDS = 6.0
_numbers = count()

_RAW_TABLES = """
CREATE TABLE raw_alert (source int, fingerprint text, name text, labels jsonb, seen timestamptz, n bigint,
    PRIMARY KEY (source, fingerprint));
CREATE TABLE raw_incident (id bigserial PRIMARY KEY, title text, severity text, opened timestamptz);
CREATE TABLE raw_event (incident bigint, seq bigint, at timestamptz, text text, PRIMARY KEY (incident, seq));
"""
# One transaction: upsert the alert, open its incident, write its first event.
_RAW = """
\\set n random(1, 1000000000)
WITH a AS (INSERT INTO raw_alert VALUES (1, md5(:n::text), 'Bench', '{"alertname": "Bench"}', now(), 1)
    ON CONFLICT (source, fingerprint) DO UPDATE SET n = raw_alert.n + 1, seen = now() RETURNING fingerprint),
i AS (INSERT INTO raw_incident (title, severity, opened) SELECT 'Bench', 'SEV3', now() FROM a RETURNING id)
INSERT INTO raw_event SELECT id, 1, now(), 'opened' FROM i;
"""


def measure(rig: Rig, token: str) -> list[Row]:
    """New alerts a second, one a request, with 8 and with 32 clients."""
    rig.postgres.psql(_RAW_TABLES, url=rig.postgres.url)
    script = rig.folder / "raw.sql"
    script.write_text(_RAW)
    rows = []
    for clients, goal in zip(CLIENTS, ("≥ .8", "≥ 1.2"), strict=True):
        raw, ours, ratio = paired(
            partial(_pgbench, rig, str(script), clients), partial(_flooded, rig.port, token, clients)
        )
        rows.append(Row(f"alerts in, 1 per request, new, {clients} clients", raw, ours, "/s", ratio, goal))
    return rows


def _pgbench(rig: Rig, script: str, clients: int) -> float:
    command = [str(require_postgres_bin() / "pgbench"), "-n", "-M", "prepared", "-f", script]
    command += ["-c", str(clients), "-j", "2", "-T", str(int(SECONDS)), rig.postgres.url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([\d.]+)", printed)
    assert found, printed
    return float(found[1])


def _flooded(port: int, token: str, clients: int) -> float:
    return asyncio.run(_flood(port, token, clients))


async def _flood(port: int, token: str, clients: int) -> float:
    """Requests a second over keep-alive connections; any answer but 202 fails the run."""
    end = time.perf_counter() + SECONDS
    done = await asyncio.gather(*(_client(port, token, end) for _ in range(clients)))
    return sum(done) / SECONDS


async def _client(port: int, token: str, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < end:
        body = json.dumps({"name": "Bench", "key": f"k{next(_numbers)}", "group": f"g{next(_numbers)}"}).encode()
        writer.write(
            b"POST /hooks/generic HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (token.encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 202 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode())
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert found, head
        await reader.readexactly(int(found[1]))
        done += 1
    writer.close()
    return done
