"""Redis or Valkey: memory, clients, time to connect, and how many messages wait."""

import time
from collections.abc import Mapping
from typing import Any, cast

import redis
from django.conf import settings

from checks.choices import TargetKind
from checks.probes.kind import Measurement, Option, Place, Probe, ProbeFailed, first_line, probes

CONNECT = "connect_ms"
_UNITS = {"memory_mb": "MB", "used_memory_percent": "%", "connected_clients": "", CONNECT: "ms"}


def measure(place: Place, options: Mapping[str, Any], timeout_s: float) -> Measurement:
    """One value of the server."""
    what = str(options.get("value", CONNECT))
    began = time.monotonic()
    with _client(place, timeout_s) as client:
        info = _asked(lambda: cast("dict[str, Any]", client.info()), timeout_s)
    took = (time.monotonic() - began) * 1000
    used = float(info["used_memory"])
    if what == "used_memory_percent":
        # Without a limit of its own the server may take the machine's memory.
        limit = float(info.get("maxmemory") or info.get("total_system_memory") or 0)
        if not limit:
            raise ProbeFailed("The server names neither a memory limit nor the machine's memory.")
        return Measurement(100 * used / limit, "%", f"{used / 1048576:.1f} of {limit / 1048576:.0f} MB")
    values = {
        "memory_mb": used / 1048576,
        "connected_clients": float(info["connected_clients"]),
        CONNECT: took,
    }
    return Measurement(values[what], _UNITS[what])


def backlog(place: Place, options: Mapping[str, Any], timeout_s: float) -> Measurement:
    """Messages that no worker has taken yet, over the given Celery queues."""
    names = [name.strip() for name in str(options.get("queues", "")).split(",") if name.strip()]
    queues = names or settings.WORKER_QUEUES
    with _client(place, timeout_s) as client:
        counts = {name: int(_asked(lambda name=name: client.llen(name), timeout_s)) for name in queues}
    longest = ", ".join(f"{name} {count}" for name, count in counts.items())
    return Measurement(float(sum(counts.values())), "", longest)


def _client(place: Place, timeout_s: float) -> redis.Redis:
    extra = {"password": place.credential} if place.credential else {}
    try:
        return redis.Redis.from_url(place.address, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **extra)
    except ValueError as error:
        raise ProbeFailed("The target's address is not a Redis address: write redis://host:6379/0.") from error


def _asked(question: Any, timeout_s: float) -> Any:
    try:
        return question()
    except redis.TimeoutError as error:
        raise ProbeFailed(f"The server did not answer within {timeout_s:g} s.") from error
    except redis.AuthenticationError as error:
        raise ProbeFailed("The server refused the password.") from error
    except redis.RedisError as error:
        raise ProbeFailed(f"The server could not be asked: {first_line(error)}") from error


probes.add(
    "redis",
    Probe(
        label="Redis or Valkey",
        kinds=frozenset({TargetKind.REDIS}),
        measure=measure,
        units=_UNITS,
        options=(
            Option(
                "value",
                "What to measure",
                choices=(
                    ("used_memory_percent", "Memory in use (%)"),
                    ("memory_mb", "Memory in use (MB)"),
                    ("connected_clients", "Connected clients"),
                    (CONNECT, "Time to answer (ms)"),
                ),
                default="used_memory_percent",
            ),
        ),
    ),
)
probes.add(
    "backlog",
    Probe(
        label="Messages waiting for a worker",
        kinds=frozenset({TargetKind.REDIS}),
        measure=backlog,
        units={"": ""},
        options=(Option("queues", "Queues", "Comma-separated; empty means the queues of this installation."),),
    ),
)
