"""Secrets that a command receives are found nowhere outside of it: planted on a real worker's way, then looked for."""

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from checks.connectors import connectors
from checks.models import Target
from incidents import lifecycle, postmortem
from runbooks import executions, output, runner, spool
from tests.faults.conftest import Worker
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import ended, until

pytestmark = pytest.mark.django_db(transaction=True)
StartWorker = Callable[..., Worker]
CREDENTIAL, VALUE = "cR3dent1al-canary/of+target", "v4lue canary; of 'a' parameter"
# What people do by accident: the environment, every file, the value as it is and encoded, and an error that tells it.
TELLS_ALL = """
env; find . -type f -exec cat {} +
x=<db-password>; y=$(sed 's/.*://' .pgpass 2>/dev/null)
for v in "$x" "$y"; do
  printf '%s\\n' "$v"; printf '%s' "user:$v" | base64 -w 64; printf '%s' "$v" | od -An -tx1 | tr -d ' \\n'; echo
  printf '{"password": "%s"}\\n' "$v"; printf 'could not log in with %s\\n' "$v" >&2
done
printf 'told %s %s\\n' "${#x}" "${#y}"; cat > kept <<EOF
$x $y
EOF
sleep 1.5; ls "/no/such/place/$x"; exit 3
"""


def forms(secret: str) -> list[bytes]:
    """What is looked for."""
    raw = secret.encode()
    inside = base64.b64encode(b"user:" + raw)[8:-6]
    return [raw, inside, raw.hex().encode(), json.dumps(secret)[1:-1].encode()]


def told(where: str, data: bytes) -> list[str]:
    """Which secrets stand in `data`, for a sentence."""
    flat = data.replace(b"\n", b"")
    secrets = {"credential": CREDENTIAL, "value": VALUE}
    return [f"{name} in {where}" for name, secret in secrets.items() for form in forms(secret) if form in data + flat]


class Monitor:
    """Everything that Valkey is asked while it is open."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            for item in self._monitor.listen():
                self.heard.append(str(item["command"]))
        except (redis.RedisError, OSError, ValueError, AttributeError):
            return

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def monitor(valkey: redis.Redis) -> Iterator[Monitor]:
    found = Monitor()
    yield found
    found.close()


@pytest.fixture
def place() -> Walk:
    """A walk in an environment with a database target, its command told a secret by the operator."""
    found = walk(command(TELLS_ALL, parameters=[{"name": "db-password"}]))
    Target.objects.create(
        name="orders",
        label="Orders",
        kind="postgres",
        environment=found.execution.environment,
        address="postgresql://app@127.0.0.1:1/orders",
        credential=CREDENTIAL,
    )
    return found


def everything_stored() -> Iterator[tuple[str, bytes]]:
    """(table, its rows as text and their bytes) of the whole database."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            text = "\n".join(row[0] for row in cursor.fetchall())
            yield table, text.encode()
            # Bytes are written in hexadecimal.
            for piece in text.split("\\\\x")[1:] if "outputchunk" in table else ():
                digits = piece.partition('"')[0]
                yield f"{table} (bytes)", bytes.fromhex(digits)


def process_list() -> bytes:
    """The command lines of every process."""
    lines = b""
    for entry in os.listdir("/proc"):
        try:
            lines += Path(f"/proc/{entry}/cmdline").read_bytes() if entry.isdigit() else b""
        except OSError:
            continue
    return lines


def spooled(run_id: int) -> bytes:
    """What the supervisor has written, the command's own directory excepted."""
    return b"".join(path.read_bytes() for path in (spool.root() / str(run_id)).iterdir() if path.is_file())


def test_secrets_are_found_nowhere(
    place: Walk, start_worker: StartWorker, monitor: Monitor, valkey: redis.Redis, client: Client
) -> None:
    worker = start_worker()
    executions.set_values(execution=place.execution, values={"db-password": VALUE}, by=place.user)
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    until(lambda: b"told" in output_of(run), 20)
    found = told("the process list", process_list()) + told("the spool", spooled(run.pk))
    run = ended(run)
    assert (run.status, run.exit_code) == ("failed", 3), run.reason
    printed = output_of(run)
    handed = len(CREDENTIAL) if connectors.get("postgres") else 0
    assert f"told {len(VALUE)} {handed}\n".encode() in printed, "the secrets did not reach the command"
    assert printed.count("•••".encode()) >= 6
    found += told("the stored output", printed)
    frames = output.RunFeed().after(str(run.pk), 0)
    found += told("the stream", b"".join(frame.wire for frame in frames))
    found += _in_pages(place, run.pk, client)
    lifecycle.resolve(incident=place.incident, resolution="over", by=place.user)
    review = postmortem.begin(incident=place.incident)
    found += told("the post-mortem", review.body.encode())
    for table, data in everything_stored():
        found += told(table, data)
    found += told("the log", worker.log.read_bytes())
    keys = list(valkey.scan_iter())
    found += told("Valkey", b" ".join([*keys, *(valkey.dump(key) or b"" for key in keys)]))
    until(lambda: any("runbooks.run_command" in line for line in monitor.heard), 10)
    found += told("what Valkey was asked", "\n".join(monitor.heard).encode())
    assert found == []


def _in_pages(place: Walk, run_id: int, client: Client) -> list[str]:
    client.force_login(place.user)
    below = {"number": place.incident.pk}
    pages = {
        "the output's page": reverse("run_output", kwargs={**below, "run": run_id}),
        "the search": reverse("run_output", kwargs={**below, "run": run_id}) + "?q=told",
        "the download": reverse("run_raw", kwargs={**below, "run": run_id}),
        "the step": reverse("walk_step", kwargs={**below, "execution": place.execution.pk, "position": 0}),
        "the room": reverse("room", kwargs=below),
        "the timeline": reverse("room_timeline", kwargs=below),
    }
    found = []
    for name, where in pages.items():
        answer = client.get(where)
        assert answer.status_code == 200, name
        found += told(name, answer.content)
    return found


@pytest.mark.parametrize("form", range(4))
def test_what_is_looked_for_would_be_found(form: int) -> None:
    for name, secret in (("credential", CREDENTIAL), ("value", VALUE)):
        planted = forms(secret)[form]
        assert f"{name} in x" in told("x", b"before " + planted[:9] + b"\n" + planted[9:] + b" after")
        assert told("x", b"before " + planted[:-1] + b" after") == []
