"""Registry, transitions, environment readers, secrets, addresses, roles."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from erpops import access, egress, env
from erpops.registry import Registry
from erpops.templatetags.words import duration
from erpops.transitions import IllegalMove, Machine
from incidents import sources
from incidents.models import Environment, Incident, Source
from incidents.severities import severity_of


def test_a_registry_keeps_order_and_refuses_doubles_and_latecomers() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    registry.add("two", 2)
    assert registry.items() == [("one", 1), ("two", 2)]
    with pytest.raises(RuntimeError, match="already has 'one'"):
        registry.add("one", 3)
    with pytest.raises(KeyError, match="No number is called 'three'; there is one, two"):
        registry["three"]
    registry.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        registry.add("four", 4)


@pytest.fixture
def incident(db: None) -> Incident:
    from incidents import lifecycle  # Imported late: pytest collects this module before apps are ready.

    environment = Environment.objects.create(name="production", label="Production")
    return lifecycle.open_incident(title="x", severity="SEV3", environment=environment)


def test_a_move_is_made_once_and_the_loser_of_the_race_learns_it(incident: Incident) -> None:
    machine = Machine({"triage": {"investigating"}, "investigating": {"resolved"}})
    same = Incident.objects.get(pk=incident.pk)
    assert machine.move(incident, to="investigating")
    assert incident.status == "investigating"
    assert not machine.move(same, to="investigating")
    with pytest.raises(IllegalMove, match="investigating by now"):
        machine.require(same, to="investigating")
    with pytest.raises(ValueError, match="No legal move"):
        machine.move(incident, to="triage")


def test_environment_readers_name_the_variable_that_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("X_FLAG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="X_FLAG"):
        env.flag("X_FLAG")
    monkeypatch.setenv("X_NUMBER", "-3")
    with pytest.raises(ImproperlyConfigured, match="X_NUMBER"):
        env.number("X_NUMBER", 1)
    (tmp_path / "word").write_text("from a file\n")
    monkeypatch.setenv("X_TEXT_FILE", str(tmp_path / "word"))
    assert env.text("X_TEXT") == "from a file"
    made = env.secret("X_SECRET", tmp_path / "keys" / "secret")
    assert made == env.secret("X_SECRET", tmp_path / "keys" / "secret") and len(made) > 40
    assert (tmp_path / "keys" / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db
def test_a_secret_is_not_readable_in_the_database() -> None:
    source, token = sources.create(name="x", kind="generic")
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM incidents_source")
        (stored,) = cursor.fetchone()
    assert token not in stored
    assert Source.objects.get(pk=source.pk).token == token


PRIVATE = (
    "127.0.0.1 10.1.2.3 169.254.169.254 100.64.0.1 168.63.129.16 0.0.0.0 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 "
    "fe80::1%eth0 fc00::1 224.0.0.1 255.255.255.255 2002:7f00:1:: 192.0.0.8"
)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private_and_reserved_addresses_are_denied(address: str) -> None:
    assert egress.denied(address)


def test_public_addresses_are_not() -> None:
    assert not egress.denied("93.184.216.34") and not egress.denied("2606:2800:220:1::1")


class _Listener(BaseHTTPRequestHandler):
    touched = 0

    def do_GET(self) -> None:
        type(self).touched += 1
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[int]:
    _Listener.touched = 0
    server = HTTPServer(("127.0.0.1", 0), _Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0", "[::1]"]
)
def test_no_spelling_of_our_own_machine_is_reached(listener: int, host: str) -> None:
    with egress.client() as client, pytest.raises((httpx.RequestError, httpx.InvalidURL)):
        client.get(f"http://{host}:{listener}/")
    assert _Listener.touched == 0


def test_an_admin_may_allow_a_network_and_redirects_are_not_followed(listener: int, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.0/8"]
    with egress.client() as client:
        assert client.get(f"http://127.0.0.1:{listener}/").status_code == 302
    assert _Listener.touched == 1


def test_the_checked_address_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    answers = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", listener))]])
    dialled: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: next(answers))

    def dial(address: tuple[str, int], *_: Any, **__: Any) -> None:
        dialled.append(address[0])
        raise OSError("not in a test")

    monkeypatch.setattr(socket, "create_connection", dial)
    with egress.client() as client, pytest.raises(httpx.ConnectError):
        client.get(f"http://rebinding.example:{listener}/")
    assert dialled == ["93.184.216.34"]


@pytest.mark.django_db
def test_roles_give_capabilities_and_being_superuser_or_inactive_does_not(django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("op")
    user.groups.add(Group.objects.get_or_create(name=access.OPERATOR)[0])
    boss = django_user_model.objects.create_superuser("root")
    assert access.can(user, "run_commands") and not access.can(user, "publish_runbooks")
    assert not access.can(boss, "see_console")
    gone = django_user_model.objects.get(pk=user.pk)
    gone.is_active = False
    assert not access.can(gone, "run_commands")


@pytest.mark.django_db
def test_solo_mode_ends_when_a_second_lead_appears(django_user_model: Any) -> None:
    leads = Group.objects.get_or_create(name=access.LEAD)[0]
    assert not access.solo_mode()
    django_user_model.objects.create_user("a").groups.add(leads)
    assert access.solo_mode()
    django_user_model.objects.create_user("b").groups.add(leads)
    assert not access.solo_mode()


@pytest.mark.parametrize(
    ("word", "severity"),
    [("Critical", "SEV1"), ("p2", "SEV2"), ("warning", "SEV3"), ("info", "SEV4"), ("odd", "SEV3")],
)
def test_words_for_severity(word: str, severity: str) -> None:
    assert severity_of(word) == severity


def test_a_source_may_have_words_of_its_own() -> None:
    assert severity_of("warning", {"warning": "SEV1"}) == "SEV1"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45, "45 s"), (300, "5 min"), (5400, "1 h 30 min"), (172800, "2 d"), (None, "")],
)
def test_durations_as_people_say_them(seconds: int | None, words: str) -> None:
    assert duration(seconds) == words
