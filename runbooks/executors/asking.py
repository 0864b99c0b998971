"""Asking a registered target over HTTP: address, credential, limits, and its errors in sentences."""

import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from checks.choices import TargetKind
from checks.connectors import web
from checks.probes import Place
from erpops import egress
from runbooks.executors import CannotStart, Job

# As curl ends: what scripts and people know.
NO_CONNECTION, REFUSED, TOO_LATE = 7, 22, 28
MAX_ANSWER = 8 * 1024 * 1024
_MARGIN_S = 2
_UNAUTHORIZED = frozenset({401, 403})


class Failed(Exception):
    """No usable answer; `status` is the exit status, the message a sentence."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What a server answered; `cut` says that its body was longer than the limit."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True)
class Asker:
    """A target that is asked, and until when (seconds from the first question)."""

    label: str
    place: Place
    limit_s: float

    def data(self, path: str, params: Mapping[str, str], *, form: bool = False, body: Any = None) -> Any:
        """The JSON of an answer. Raises Failed with the server's own words where it has any."""
        url = self.place.address.rstrip("/") + path
        headers = web.authorization(self.place.credential)
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = httpx.Request(
            "POST" if form or body is not None else "GET",
            url,
            headers=headers,
            params=None if form else dict(params),
            data=dict(params) if form else None,
            json=body,
        )
        answer = ask(request, limit_s=self.limit_s, private=True, most=MAX_ANSWER, trust=web.trust(self.place))
        return self._read(answer)

    def _read(self, answer: Answer) -> Any:
        if answer.cut:
            raise Failed(f"{self.label} answered with more than {MAX_ANSWER >> 20} MB: ask for less.", 1)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if answer.status in _UNAUTHORIZED:
            raise Failed(
                f"{self.label} refuses the credential of its target (HTTP {answer.status}): an admin can replace it.",
                REFUSED,
            )
        if answer.status >= 400 or found is None:
            said = _error_in(found) or " ".join(answer.body.decode("utf-8", "replace").split())[:500]
            raise Failed(f"{self.label} refuses (HTTP {answer.status}): {said or answer.reason}", REFUSED)
        return found


def asker(job: Job, kind: TargetKind) -> Asker:
    """The environment's first target of a kind. Raises CannotStart."""
    place = job.places.get(kind)
    if place is None or not place.address:
        raise CannotStart(f"This environment has no {kind.label} target: an admin can register one.")
    if urlsplit(place.address).scheme not in {"http", "https"}:
        raise CannotStart(f"The address of the {kind.label} target is no URL: write http://host:port.")
    return Asker(str(kind.label), place, limit(job))


def limit(job: Job) -> float:
    """How long to wait for a server, in seconds: less than the supervisor does, so that the reason is told."""
    return max(1.0, job.timeout_s - _MARGIN_S)


def ask(
    request: httpx.Request, *, limit_s: float, private: bool, most: int, trust: ssl.SSLContext | None = None
) -> Answer:
    """Send one request and read at most `most` bytes of the answer. Raises Failed."""
    until = time.monotonic() + limit_s
    host = request.url.host
    try:
        with egress.client(timeout_s=limit_s, private=private, trust=trust) as client:
            response = client.send(request, stream=True)
            try:
                body, cut = _body(response, until, most)
            finally:
                response.close()
    except httpx.TimeoutException as error:
        raise Failed(f"No answer from {host} within {limit_s:g} s.", TOO_LATE) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(f"{host} could not be asked: {str(error) or type(error).__name__}", NO_CONNECTION) from error
    return Answer(response.status_code, response.reason_phrase, response.headers, body, cut)


def _body(response: httpx.Response, until: float, most: int) -> tuple[bytes, bool]:
    found = bytearray()
    for piece in response.iter_bytes():
        found += piece
        if len(found) > most:
            return bytes(found[:most]), True
        if time.monotonic() > until:
            # A server that drips is a server that does not answer in time.
            raise httpx.ReadTimeout("The body did not end in time.")
    return bytes(found), False


def _error_in(found: Any) -> str:
    """The sentence of an error: Prometheus and Loki say `error`, Elasticsearch a tree of causes."""
    if not isinstance(found, dict):
        return ""
    error = found.get("error") or found.get("message") or ""
    if isinstance(error, dict):
        causes = error.get("root_cause") or [error]
        reasons = [str(cause.get("reason", "")) for cause in [*causes, error] if isinstance(cause, dict)]
        return next((reason for reason in reasons if reason), "")
    return str(error)


def told(work: Callable[[], int]) -> int:
    """Do the work of a call; a failure is its sentence on standard error and its exit status."""
    try:
        return work()
    except Failed as failure:
        sys.stdout.flush()
        print(failure, file=sys.stderr)
        return failure.status
