"""Requests to real servers: where they go, what they carry, how the answer is shown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from checks.probes import Place
from erpops.embedded.launch import free_port
from runbooks.compiler import requests
from runbooks.executors import CannotStart
from runbooks.parameters import BadValue, Unbindable
from runbooks.targeted import kind_of_path
from tests.runbooks.executors.jobs import carried_out, job
from tests.runbooks.executors.speakers import PASSWORD, TOKEN, USER, Elasticsearch, Grafana, Server, Service, speaking


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with speaking(Service) as server:
        yield server


def send(text: str, server: Server | None = None, **given: Any) -> int:
    place = {"http": Place(server.url)} if server else {}
    return carried_out(text, "request", **{"place": place, **given})


def echoed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the service says it received."""
    found: dict[str, str] = json.loads(capsys.readouterr().out.split("\n\n", 1)[1])
    return found


def test_an_answer_is_shown_with_status_headers_and_body(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("GET /health", service) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[:5] == [
        f"> GET {service.url}/health",
        "HTTP/1.1 200 OK",
        "content-type: application/json",
        "x-request-id: abc",
        "",
    ]
    assert '  "status": "ok",' in printed.out
    assert printed.err == ""


def test_an_error_ends_as_it_does_for_curl(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("GET /broken", service) == 22
    printed = capsys.readouterr().out
    assert "\nHTTP/1.1 503" in printed and "retry-after: 30" in printed and "database is away" in printed
    assert send("GET /health", place={"http": Place(f"http://127.0.0.1:{free_port()}")}) == 7
    assert "could not be asked" in capsys.readouterr().err


def test_a_server_that_hangs_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(Service) as server:
        server.hold.set()
        assert send("GET /health", server, timeout_s=3) == 28
    assert "No answer from 127.0.0.1 within 1 s." in capsys.readouterr().err


def test_redirects_are_followed_within_the_server_only(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("GET /moved", service) == 0
    assert "HTTP/1.1 200 OK" in capsys.readouterr().out
    assert send("GET /away", service) == 0
    printed = capsys.readouterr()
    assert "HTTP/1.1 302" in printed.out and "not followed" in printed.err
    assert send("POST /moved\n\n{}", service) == 0
    assert "HTTP/1.1 302" in capsys.readouterr().out
    assert send("GET /around", service) == 0
    assert capsys.readouterr().out.count("> GET ") == 5


def test_too_much_and_what_is_no_text_is_told(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert send("GET /much", service) == 0
    printed = capsys.readouterr()
    assert len(printed.out) < 1_100_000 and "Only the first 1,048,576 bytes" in printed.err
    assert send("GET /binary", service) == 0
    assert "(1,024 bytes that are no text)" in capsys.readouterr().out


def test_headers_and_body_arrive_as_they_are_written(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'PUT /orders/1?force=true HTTP/1.1\nHost: shop\nX-Trace: a b\nContent-Length: 3\n\n{"state": "paid"}'
    assert send(text, service, risk="change") == 0
    found = echoed(capsys)
    assert found["method"] == "PUT" and found["path"] == "/orders/1?force=true"
    assert found["body"] == '{"state": "paid"}' and found["type"] == "application/json"
    assert found["trace"] == "a b" and service.url.endswith(found["host"])
    assert send("POST /form\n\na=1&b=2", service, risk="change") == 0
    assert echoed(capsys)["type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("text", "value", "arrives"),
    [
        ("GET /users/<x>/orders", "a/../b?c=d&e #f", "path: /users/a%2F..%2Fb%3Fc%3Dd%26e%20%23f/orders"),
        ("GET /users?name=<x>&all=1", "a&b=c +é", "path: /users?name=a%26b%3Dc%20%2B%C3%A9&all=1"),
        ("GET /a\nX-Trace: for <x>", "me; and: you", "trace: for me; and: you"),
        ('POST /a\n\n{"who": "<x>"}', 'x", "admin": "yes\n', 'body: {"who": "x\\", \\"admin\\": \\"yes\\n"}'),
        ('POST /a\n\n{"n": <x>}', "-1.5", 'body: {"n": -1.5}'),
        ("POST /a\nContent-Type: application/x-www-form-urlencoded\n\nwho=<x>", "a&b", "body: who=a%26b"),
    ],
)
def test_values_stay_values(
    service: Server, text: str, value: str, arrives: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(text, service, values={"x": value}) == 0
    assert arrives in [f"{name}: {found}" for name, found in echoed(capsys).items()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("GET /users/<x>/orders", ".."),
        ("GET /a\nX-Trace: <x>", "a\r\nX-Admin: 1"),
        ("GET /a\nX-Trace: <x>", "é"),
        ('POST /a\n\n{"n": <x>}', '1, "admin": true'),
        ("GET http://<x>/health", "evil.example/x"),
        ("GET http://<x>/health", "user@host"),
        ("GET /users/<x>", "a\x00b"),
    ],
)
def test_values_that_a_place_cannot_take_are_refused(text: str, value: str) -> None:
    with pytest.raises(BadValue):
        job(text, "request", values={"x": value})
    with pytest.raises(Unbindable):
        job("POST /a\nContent-Type: application/xml\n\n<a><x></a>", "request", values={"x": "1"})


def test_a_private_address_is_reached_only_as_a_target(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert send(f"GET {service.url}/health") == 7
    assert "private or reserved network" in capsys.readouterr().err
    place = {"http": Place(service.url, TOKEN)}
    assert send(f"GET {service.url}/echo", place=place) == 0
    assert echoed(capsys)["auth"] == f"Bearer {TOKEN}"
    other = free_port()
    assert send(f"GET http://127.0.0.1:{other}/health", place=place) == 7
    assert "private or reserved network" in capsys.readouterr().err
    assert send("GET http://169.254.169.254/latest/meta-data", place={"http": Place("http://169.254.169.254")}) == 7


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0", "0.0.0.0", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001", "localhost"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]"),
        *(
            "①②⑦.⓪.⓪.①",
            "127。0。0。1",
            "localhost.",
            "user@127.0.0.1",
            "user:pass@127.0.0.1",
            "127.0.0.1%00.example.org",
        ),
    ],
)
def test_no_way_of_writing_an_address_reaches_this_machine(host: str, service: Server) -> None:
    """A registered target at another port opens no door to the rest of its machine."""
    with speaking(Service) as target:
        before, port = len(service.asked), service.url.rpartition(":")[2]
        for place in ({}, {"http": Place(target.url, TOKEN)}):
            assert send(f"GET http://{host}:{port}/health", place=place) == 7
        assert len(service.asked) == before and not target.asked


def test_a_path_never_leaves_its_target(service: Server, capsys: pytest.CaptureFixture[str]) -> None:
    other = free_port()
    for path in (f"//127.0.0.1:{other}/x", f"/@127.0.0.1:{other}/x", f"/\\127.0.0.1:{other}/x", f".127.0.0.1:{other}/"):
        assert send(f"GET {path}", service) == 0
        assert service.url.endswith(echoed(capsys)["host"])


def test_the_credential_is_not_printed_and_not_put_over_the_texts_own(
    service: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {"http": Place(service.url, f"{USER}:{PASSWORD}")}
    assert send("GET /health", place=place) == 0
    assert PASSWORD not in "".join(capsys.readouterr())
    assert send("GET /echo\nAuthorization: Bearer $MINE", place=place, env={"MINE": "own"}) == 0
    assert echoed(capsys)["auth"] == "Bearer own"


def test_a_request_finds_its_target_by_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(Elasticsearch) as elastic, speaking(Grafana) as grafana, speaking(Service) as other:
        place = {
            "http": Place(other.url),
            "elastic": Place(elastic.url, f"{USER}:{PASSWORD}"),
            "grafana": Place(grafana.url, TOKEN),
        }
        assert send("GET _cluster/health", place=place) == 0
        assert '"status": "green"' in capsys.readouterr().out
        assert send("GET /nothing/_settings", place=place) == 22
        assert "no such index" in capsys.readouterr().out
        assert send("GET /api/search?query=orders", place=place) == 0
        assert "Database orders" in capsys.readouterr().out
        assert send("GET /api/search", place=place | {"grafana": Place(grafana.url, "wrong")}) == 22
        assert "invalid credential" in capsys.readouterr().out
        assert send(f"GET /api/search\nHost: {other.url.removeprefix('http://')}", place=place) == 0
        assert echoed(capsys)["path"] == "/api/search"
    with pytest.raises(CannotStart, match="no Elasticsearch target"):
        send("GET /_cluster/health")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/_cat/shards?v", "elastic"),
        ("logs-2024/_search", "elastic"),
        ("/logs-*/_count", "elastic"),
        ("/api/v2/silences", "alertmanager"),
        ("/api/v1/query?query=up", "prometheus"),
        ("/loki/api/v1/labels", "loki"),
        ("/api/dashboards/uid/x", "grafana"),
        ("/health", "http"),
        ("/api/v1/orders", "http"),
    ],
)
def test_a_path_tells_whose_interface_it_is(path: str, kind: str) -> None:
    assert kind_of_path(path) == kind


def test_a_fence_may_hold_several_requests_and_answers() -> None:
    text = '# health first\nGET /a\n\n// then\nPOST /b\nX: 1\n\n{\n  "a": 1\n}\n\nHTTP/1.1 200 OK\n{}\n\nDELETE /c'
    parts = [(part.kind, part.first, part.last) for part in requests.split(text)]
    assert parts == [
        ("remark", 0, 0),
        ("request", 1, 1),
        ("remark", 3, 3),
        ("request", 4, 9),
        ("answer", 11, 11),
        ("answer", 12, 12),
        ("request", 14, 14),
    ]
    risks = [requests.judge(part.text).risk for part in requests.split(text) if part.kind == "request"]
    assert risks == ["read", "change", "destroy"]
