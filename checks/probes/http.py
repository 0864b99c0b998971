"""HTTP: does it answer as it should, and how fast."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from checks.choices import TargetKind
from checks.probes.kind import Measurement, Option, Place, Probe, ProbeFailed, first_line, probes
from erpops import egress

MAX_BODY = 1_048_576


def _statuses(value: str) -> str:
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isdigit() and 100 <= int(part) <= 599 for part in parts):
        raise ValueError("Write HTTP status codes such as 200 or 200, 204.")
    return ", ".join(parts)


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError("Write a path that begins with one slash, such as /healthz.")
    return value


def measure(place: Place, options: Mapping[str, Any], timeout_s: float) -> Measurement:
    """Milliseconds from the request to the end of the body."""
    url = urljoin(place.address.rstrip("/") + "/", str(options.get("path", "")).lstrip("/"))
    expected = {int(part) for part in str(options.get("status", "200")).split(",")}
    headers = {"Authorization": f"Bearer {place.credential}"} if place.credential else {}
    began = time.monotonic()
    try:
        with (
            egress.client(timeout_s=timeout_s, private=True) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            body = _body(response, until=began + timeout_s)
    except httpx.TimeoutException as error:
        raise ProbeFailed(f"No answer from {_host(url)} within {timeout_s:g} s.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProbeFailed(f"{_host(url)} could not be asked: {first_line(error)}") from error
    took = (time.monotonic() - began) * 1000
    if response.status_code not in expected:
        raise ProbeFailed(
            f"{_host(url)} answered HTTP {response.status_code}, expected {options.get('status', '200')}."
        )
    wanted = str(options.get("contains", ""))
    if wanted and wanted not in body.decode("utf-8", "replace"):
        raise ProbeFailed(f"{_host(url)} answered without the text {wanted!r}.")
    return Measurement(took, "ms", f"HTTP {response.status_code}")


def _body(response: httpx.Response, *, until: float) -> bytes:
    """The beginning of the body. A server that drips is a server that does not answer in time."""
    found = b""
    for piece in response.iter_bytes():
        found += piece
        if len(found) >= MAX_BODY:
            break
        if time.monotonic() > until:
            raise httpx.ReadTimeout("The body did not end in time.")
    return found


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.hostname or url


probes.add(
    "http",
    Probe(
        label="HTTP answer",
        kinds=frozenset({TargetKind.HTTP}),
        measure=measure,
        units={"": "ms"},
        options=(
            Option("path", "Path", "Added to the target's address.", default="/", clean=_path),
            Option("status", "Expected status", "One or more, such as 200, 204.", default="200", clean=_statuses),
            Option("contains", "Body contains", "Text that the answer must have in it."),
        ),
    ),
)
