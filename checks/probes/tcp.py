"""TCP: does the port accept a connection, and how fast."""

import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from checks.choices import TargetKind
from checks.probes.kind import Measurement, Place, Probe, ProbeFailed, probes

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "postgres": 5432, "redis": 6379}


def host_and_port(address: str) -> tuple[str, int]:
    """Of `host:port`, `[v6]:port` or a URL. Raises ValueError with a sentence."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        port = None
    if not parts.hostname or not port:
        raise ValueError("Write the address as host:port, such as db.internal:5432.")
    return parts.hostname, port


def measure(place: Place, options: Mapping[str, Any], timeout_s: float) -> Measurement:
    """Milliseconds until the connection stands."""
    try:
        host, port = host_and_port(place.address)
    except ValueError as error:
        raise ProbeFailed(str(error)) from error
    began = time.monotonic()
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            took = (time.monotonic() - began) * 1000
    except TimeoutError as error:
        raise ProbeFailed(f"{host}:{port} did not accept a connection within {timeout_s:g} s.") from error
    except socket.gaierror as error:
        raise ProbeFailed(f"The name {host} does not resolve.") from error
    except OSError as error:
        raise ProbeFailed(f"{host}:{port} refused the connection: {error.strerror or error}.") from error
    return Measurement(took, "ms")


probes.add(
    "tcp",
    Probe(
        label="TCP connection",
        kinds=frozenset({TargetKind.TCP, TargetKind.HTTP, TargetKind.POSTGRES, TargetKind.REDIS}),
        measure=measure,
        units={"": "ms"},
    ),
)
