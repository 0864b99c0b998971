"""The door for alerts, as a sender sees it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from django.db import connection

from erpops.asgi import application
from incidents import sources
from incidents.models import Alert, Delivery, Environment, Incident
from incidents.views import webhooks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def token() -> str:
    webhooks._sources.clear()
    environment = Environment.objects.create(name="production", label="Production")
    return sources.create(name="Prometheus", kind="alertmanager", environment=environment)[1]


@pytest.fixture
def generic_token(token: str) -> str:
    return sources.create(name="Scripts", kind="generic")[1]


def notification(**changes: Any) -> dict[str, Any]:
    item = {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "severity": "critical", "service": "api"},
        "annotations": {"summary": "5 % of requests fail"},
        "startsAt": "2026-01-31T14:05:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "c0ffee",
    }
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "status": "firing",
        "alerts": [item],
    } | changes


def post(
    *bodies: bytes | dict[str, Any],
    token: str = "",
    kind: str = "alertmanager",
    headers: dict[str, str] | None = None,
) -> list[httpx.Response]:
    """Send all bodies at once."""

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=60) as client:
            top = ({"Authorization": f"Bearer {token}"} if token else {}) | (headers or {})
            contents = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
            return await asyncio.gather(
                *(client.post(f"/hooks/{kind}", content=content, headers=top) for content in contents)
            )

    webhooks.gate = webhooks.Gate()
    return asyncio.run(run())


def test_a_delivery_is_answered_after_it_is_stored(token: str) -> None:
    (answer,) = post(notification(), token=token)
    assert answer.status_code == 202
    incident = Incident.objects.get()
    assert answer.json() == {"delivery": Delivery.objects.get().pk, "incidents": [incident.pk]}
    assert (incident.severity, incident.title) == ("SEV1", "5 % of requests fail")
    assert json.loads(bytes(Delivery.objects.get().body))["version"] == "4"


def test_a_thousand_at_once_are_one_incident_and_a_thousand_deliveries(token: str) -> None:
    answers = post(*[notification()] * 1000, token=token)
    assert {answer.status_code for answer in answers} == {202}
    assert Incident.objects.count() == 1
    assert Delivery.objects.count() == 1000
    assert Alert.objects.get().deliveries == 1000


def test_the_token_may_stand_in_the_path(token: str) -> None:
    (answer,) = post(notification(), kind=f"alertmanager/{token}")
    assert answer.status_code == 202


@pytest.mark.parametrize("wrong", ["", "guess"])
def test_without_the_right_token_nothing_is_taken(token: str, wrong: str) -> None:
    (answer,) = post(notification(), token=wrong)
    assert answer.status_code == 401
    assert "token" in answer.json()["error"]
    assert not Delivery.objects.exists()


def test_a_token_opens_only_its_own_kind_of_door(generic_token: str) -> None:
    (answer,) = post(notification(), token=generic_token)
    assert answer.status_code == 401


GARBAGE: dict[str, bytes] = {
    "not json": b"<html>",
    "empty": b"",
    "not utf-8": b"\xff\xfe\x00",
    "a list": b"[]",
    "a null": b"null",
    "alerts null": json.dumps(notification(alerts=None)).encode(),
    "alert null": json.dumps(notification(alerts=[None])).encode(),
    "labels null": json.dumps(notification(alerts=[{"status": "firing", "labels": None}])).encode(),
    "labels a list": json.dumps(notification(alerts=[{"status": "firing", "labels": ["x"]}])).encode(),
    "label a null": json.dumps(notification(alerts=[{"status": "firing", "labels": {"alertname": None}}])).encode(),
    "status odd": json.dumps(notification(alerts=[{"status": "maybe", "labels": {"alertname": "x"}}])).encode(),
    "time odd": json.dumps(
        notification(alerts=[{"status": "firing", "labels": {"alertname": "x"}, "startsAt": "noon"}])
    ).encode(),
    "version 3": json.dumps(notification(version="3")).encode(),
    "NUL": json.dumps(notification(groupKey="a\x00b")).encode(),
    "half a surrogate": b'{"version": "4", "groupKey": "\\ud800", "alerts": []}',
    "NaN": b'{"version": "4", "alerts": NaN}',
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "a huge number": b'{"version": ' + b"9" * 6000 + b"}",
    "5,000 labels": json.dumps(
        notification(alerts=[{"status": "firing", "labels": {"alertname": "x"} | {f"l{n}": "" for n in range(5000)}}])
    ).encode(),
    "10,000 alerts": json.dumps(notification(alerts=[{}] * 10_000)).encode(),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_gets_a_sentence_and_leaves_nothing(token: str, name: str) -> None:
    (answer,) = post(GARBAGE[name], token=token)
    assert answer.status_code == 400, answer.text
    assert len(answer.json()["error"]) > 10
    assert not Delivery.objects.exists() and not Alert.objects.exists() and not Incident.objects.exists()


def test_ten_megabytes_are_too_long(token: str) -> None:
    (answer,) = post(b" " * 10_000_000, token=token)
    assert answer.status_code == 413
    assert "fewer alerts" in answer.json()["error"]
    assert not Delivery.objects.exists()


def test_a_hundred_thousand_labels_are_refused(token: str) -> None:
    labels = {"alertname": "x"} | {f"{n:x}": "" for n in range(100_000)}
    body = json.dumps(notification(alerts=[{"status": "firing", "labels": labels}]), separators=(",", ":")).encode()
    (answer,) = post(body, token=token)
    assert answer.status_code in {400, 413} and answer.json()["error"]
    assert not Delivery.objects.exists() and not Alert.objects.exists()


def test_one_bad_alert_refuses_its_whole_body(token: str) -> None:
    good = notification()["alerts"][0]
    (answer,) = post(notification(alerts=[good, {"status": "firing", "labels": {}}]), token=token)
    assert answer.status_code == 400
    assert not Alert.objects.exists()


def test_other_methods_and_unknown_doors_say_what_is_there(token: str) -> None:
    async def run() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get("/hooks/alertmanager"), await client.post("/hooks/nagios")

    got, unknown = asyncio.run(run())
    assert got.status_code == 405
    assert unknown.status_code == 404 and "alertmanager" in unknown.json()["error"]


def test_generic_json_needs_only_a_name(generic_token: str) -> None:
    body = {"name": "BackupTooOld", "severity": "high", "summary": "No backup since 02:00"}
    (answer,) = post(body, token=generic_token, kind="generic")
    assert answer.status_code == 202
    incident = Incident.objects.get()
    assert (incident.severity, incident.title) == ("SEV2", "No backup since 02:00")
    post(body | {"status": "resolved"}, token=generic_token, kind="generic")
    incident.refresh_from_db()
    assert incident.status == "resolved"


def test_a_database_that_is_away_is_a_503_that_asks_to_try_again(token: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_delivery RENAME TO incidents_delivery_away")
    try:
        (answer,) = post(notification(), token=token)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE incidents_delivery_away RENAME TO incidents_delivery")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert not Alert.objects.exists()
