"""Requests as documents write them (`GET /health`), sent to a registered target or to a public address.

Private networks are reached only where an admin registered the address: there, and only there, with its credential.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin, urlsplit

import httpx

from checks.choices import TargetKind
from checks.connectors import web
from checks.probes import Place
from runbooks import typed_values
from runbooks.compiler.requests import Request
from runbooks.executors import CannotStart, Job, Launch, asking
from runbooks.targeted import SERVED, kind_of_path

MAX_BODY = 1_048_576
_REDIRECTS = 5
_SHOWN = ("content-type", "location", "retry-after", "www-authenticate", "x-request-id", "etag")
# The connection is ours to describe.
_OURS = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "expect"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LINES = re.compile(r"/_(?:bulk|msearch)\b")


@dataclass(frozen=True)
class Aim:
    """Where a request goes; `private` if an admin registered that address."""

    url: str
    credential: str = ""
    private: bool = False
    trust: str = ""


def launch(job: Job) -> Launch:
    """The call that sends it. Raises CannotStart where it has no address to go to."""
    try:
        request = typed_values.request(job.script, {**job.env, **job.values})
    except ValueError as error:
        raise CannotStart(str(error)) from error
    aim = aimed(request, job.places)
    return Launch(call=partial(asking.told, partial(carry_out, request, aim, asking.limit(job))), env=job.env)


def aimed(request: Request, places: Mapping[str, Place]) -> Aim:
    """An absolute address as it is; a path at the target that it or its `Host` names. Raises CannotStart."""
    known = {kind: places[kind] for kind in SERVED if kind in places}
    if "://" in request.url:
        same = next((place for place in known.values() if _origin(place.address) == _origin(request.url)), None)
        return _at(same, request.url) if same else Aim(request.url)
    host = next((text for name, text in request.headers if name.lower() == "host"), "")
    named = next((place for place in known.values() if host and urlsplit(place.address).netloc == host), None)
    wanted = kind_of_path(request.url)
    place = named or known.get(wanted) or known.get(TargetKind.HTTP)
    if place is None:
        raise CannotStart(f"This environment has no {wanted.label} target to send it to: an admin can register one.")
    return _at(place, f"{place.address.rstrip('/')}/{request.url.lstrip('/')}")


def _at(place: Place, url: str) -> Aim:
    return Aim(url, place.credential, private=True, trust=place.trust)


def carry_out(request: Request, aim: Aim, limit_s: float) -> int:
    """Send it, follow redirects within its origin, print the answer: 0, or 22 for HTTP 400 and above. Raises Failed."""
    headers = {name: text for name, text in request.headers if name.lower() not in _OURS}
    if not any(name.lower() == "authorization" for name in headers):
        headers |= web.authorization(aim.credential)
    content = request.body.encode()
    if content and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = _type_of(request)
    if _LINES.search(request.url):
        content += b"\n"
    url, trust = aim.url, web.trust(Place(aim.url, trust=aim.trust))
    for _ in range(_REDIRECTS):
        print(f"> {request.method} {_without_password(url)}")
        try:
            made = httpx.Request(request.method, url, headers=headers, content=content or None)
        except (httpx.InvalidURL, ValueError) as error:
            raise asking.Failed(f"The address cannot be read: {error}", asking.NO_CONNECTION) from error
        answer = asking.ask(made, limit_s=limit_s, private=aim.private, most=MAX_BODY, trust=trust)
        following = _following(request.method, url, answer)
        if following is None:
            break
        url = following
    _print(answer)
    return asking.REFUSED if answer.status >= 400 else 0


def _following(method: str, url: str, answer: asking.Answer) -> str | None:
    """Where a redirect leads, if it stays within the origin and only reads."""
    if not 300 <= answer.status < 400 or "location" not in answer.headers or method not in {"GET", "HEAD"}:
        return None
    target = urljoin(url, answer.headers["location"])
    if _origin(target) != _origin(url):
        print("The redirect leads to another server and is not followed.", file=sys.stderr)
        return None
    return target


def _print(answer: asking.Answer) -> None:
    print(f"HTTP/1.1 {answer.status} {answer.reason}".rstrip())
    for name in _SHOWN:
        if name in answer.headers:
            print(f"{name}: {answer.headers[name]}")
    print()
    print(_text_of(answer))
    if answer.cut:
        print(f"Only the first {MAX_BODY:,} bytes of the body are shown.", file=sys.stderr)


def _text_of(answer: asking.Answer) -> str:
    text = answer.body.decode("utf-8", "replace")
    if "\x00" in text or text.count("\ufffd") > max(3, len(text) // 100):
        return f"({len(answer.body):,} bytes that are no text)"
    if not answer.cut and text.lstrip().startswith(("{", "[")):
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return text.rstrip("\n")
    return text.rstrip("\n")


def _type_of(request: Request) -> str:
    if _LINES.search(request.url):
        return "application/x-ndjson"
    if request.body.lstrip().startswith(("{", "[")):
        return "application/json"
    return "application/x-www-form-urlencoded" if re.match(r"^[\w.%+-]+=", request.body) else "text/plain"


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return url, "", None


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f"{parts.username}:{parts.password}@", "") if parts.password else url
