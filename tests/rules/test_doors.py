"""Every address asks who is there, and every effect asks for a token of its own page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

# Addresses that answer without signing in.
OPEN = {"healthz", "login"}


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route with a concrete path to try."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            yield "/" + _filled(path), entry


def _filled(path: str) -> str:
    out = path
    for kind, value in (
        ("<int:", "1"),
        ("<slug:", "x"),
        ("<str:", "x"),
        ("<uuid:", "0" * 32),
        ("<path:", "x"),
    ):
        while kind in out:
            start = out.index(kind)
            out = out[:start] + value + out[out.index(">", start) + 1 :]
    return out


@pytest.mark.django_db
def test_nobody_gets_past_the_sign_in() -> None:
    client = Client()
    open_doors = []
    for path, entry in routes():
        if entry.name in OPEN:
            continue
        for method in (client.get, client.post):
            answer = method(path)
            if answer.status_code not in {302, 404, 405} or (
                answer.status_code == 302 and not answer["Location"].startswith("/sign-in")
            ):
                open_doors.append(f"{path} answers {answer.status_code}")
    assert open_doors == []


@pytest.mark.django_db
def test_an_effect_needs_the_token_of_our_own_page(admin_client: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = admin_client.cookies
    refused = {403, 404, 405}
    unguarded = [path for path, _ in routes() if client.post(path).status_code not in refused]
    assert unguarded == []


@pytest.mark.django_db
def test_every_page_carries_the_protective_headers(admin_client: Any) -> None:
    for path, entry in routes():
        answer = admin_client.get(path)
        policy = answer.headers.get("Content-Security-Policy", "")
        assert "script-src 'self'" in policy and "unsafe" not in policy, (path, policy)
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", path
        assert answer.headers.get("X-Frame-Options") == "DENY" or "frame-ancestors 'none'" in policy, path
        assert entry.name is not None, f"{path} has no name"
