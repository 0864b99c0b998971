"""Probes against real servers: what they measure, and the sentence when they do not get through."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings

from checks import targets
from checks.models import Target
from checks.probes import BadOptions, Place, ProbeFailed, probes
from erpops.celery import app


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1.5)
        if self.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            for _ in range(10):
                self.wfile.write(b"x")
                time.sleep(0.15)
            return
        code = {"/broken": 503, "/moved": 302}.get(self.path, 200)
        body = f"token={self.headers.get('Authorization', '')}".encode() if self.path == "/who" else b"all fine"
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if code == 302:
            self.send_header("Location", "/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent_port() -> Iterator[str]:
    """Accepts connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def ask(probe: str, address: str, timeout_s: float = 5, credential: str = "", **options: str) -> Any:
    return probes[probe].measure(Place(address, credential), probes[probe].clean(options), timeout_s)


def refusal(probe: str, address: str, timeout_s: float = 5, credential: str = "", **options: str) -> str:
    with pytest.raises(ProbeFailed) as caught:
        ask(probe, address, timeout_s, credential, **options)
    return str(caught.value)


def test_http_measures_the_time_to_the_end_of_the_body(web: str) -> None:
    found = ask("http", web, path="/health", contains="fine")
    assert 0 < found.value < 2000 and found.unit == "ms" and found.message == "HTTP 200"


def test_http_sends_the_credential_as_a_bearer_token(web: str) -> None:
    assert ask("http", web, path="/who", contains="token=Bearer s3cret", credential="s3cret").value > 0


def test_http_says_what_is_wrong_with_an_answer(web: str) -> None:
    assert refusal("http", web, path="/broken") == "127.0.0.1 answered HTTP 503, expected 200."
    assert refusal("http", web, path="/moved") == "127.0.0.1 answered HTTP 302, expected 200."
    assert refusal("http", web, contains="splendid") == "127.0.0.1 answered without the text 'splendid'."
    assert ask("http", web, path="/broken", status="200, 503").message == "HTTP 503"


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_http_gives_up_on_time(web: str, path: str) -> None:
    began = time.monotonic()
    assert refusal("http", web, timeout_s=0.4, path=path) == "No answer from 127.0.0.1 within 0.4 s."
    assert time.monotonic() - began < 1.2


def test_http_never_asks_a_metadata_service() -> None:
    assert "private or reserved network" in refusal("http", "http://169.254.169.254", timeout_s=1)


def test_tcp_measures_the_connection_and_names_a_refusal(silent_port: str) -> None:
    assert ask("tcp", silent_port).value < 1000
    assert refusal("tcp", "127.0.0.1:1") == "127.0.0.1:1 refused the connection: Connection refused."
    assert refusal("tcp", "nowhere") == "Write the address as host:port, such as db.internal:5432."
    assert refusal("tcp", "no.such.host.invalid:80") == "The name no.such.host.invalid does not resolve."


@pytest.mark.parametrize(
    ("what", "unit"),
    [("connections_percent", "%"), ("longest_query_s", "s"), ("blocked_sessions", ""), ("connect_ms", "ms")],
)
def test_postgres_measures_each_value(what: str, unit: str) -> None:
    found = ask("postgres", settings.DATABASE_URL, value=what)
    assert found.value >= 0 and found.unit == unit
    assert probes["postgres"].unit({"value": what}) == unit


def test_postgres_measures_the_size_of_the_database() -> None:
    assert ask("postgres", settings.DATABASE_URL, value="database_size_mb").value > 1


def test_postgres_sees_blocked_sessions_and_long_queries() -> None:
    with psycopg.connect(settings.DATABASE_URL) as holder, psycopg.connect(settings.DATABASE_URL) as waiter:
        holder.execute("SELECT pg_advisory_lock(4711)")
        waiting = threading.Thread(target=waiter.execute, args=("SELECT pg_advisory_lock(4711)",), daemon=True)
        waiting.start()
        time.sleep(2.3)
        blocked = ask("postgres", settings.DATABASE_URL, value="blocked_sessions")
        longest = ask("postgres", settings.DATABASE_URL, value="longest_query_s")
        holder.execute("SELECT pg_advisory_unlock(4711)")
        waiting.join()
    assert blocked.value == 1 and str(waiter.info.backend_pid if not waiter.closed else "") in blocked.message
    assert longest.value > 2


def test_postgres_gives_up_on_a_server_that_says_nothing(silent_port: str) -> None:
    began = time.monotonic()
    assert refusal("postgres", f"postgresql://erpops@{silent_port}/erpops", timeout_s=2).startswith("PostgreSQL could")
    assert time.monotonic() - began < 4


def test_postgres_never_tells_the_password() -> None:
    sentence = refusal("postgres", "postgresql://127.0.0.1:1/db", credential="hunter2-hunter2", timeout_s=2)
    assert "hunter2" not in sentence
    assert "not a PostgreSQL address" in refusal("postgres", "postgresql://%zz", credential="hunter2")


@pytest.mark.parametrize("what", ["used_memory_percent", "memory_mb", "connected_clients", "connect_ms"])
def test_redis_measures_each_value(what: str) -> None:
    assert ask("redis", settings.REDIS_URL, value=what).value > 0


def test_redis_names_what_is_wrong(silent_port: str) -> None:
    place = settings.REDIS_URL.rpartition("@")[2]
    assert refusal("redis", f"redis://{place}", credential="wrong") == "The server refused the password."
    assert refusal("redis", f"redis://{silent_port}", timeout_s=0.3) == "The server did not answer within 0.3 s."
    assert "not a Redis address" in refusal("redis", "nonsense")


def test_the_backlog_is_what_no_worker_has_taken(valkey: redis.Redis) -> None:
    assert ask("backlog", settings.REDIS_URL, queues="checks, env.self").value == 0
    for number in range(3):
        app.send_task("checks.tasks.run_check", args=(number, 1), queue="checks")
    found = ask("backlog", settings.REDIS_URL, queues="checks, env.self")
    assert (found.value, found.message) == (3, "checks 3, env.self 0")
    assert ask("backlog", settings.REDIS_URL).value == 3


def test_disk_measures_the_file_system_of_a_path(tmp_path: Path) -> None:
    found = ask("disk", str(tmp_path))
    assert 0 <= found.value <= 100 and found.message.endswith("GB free")
    assert refusal("disk", "/no/such/place").startswith("/no/such/place cannot be read on this machine")


@pytest.mark.parametrize(
    ("probe", "options", "wrong"),
    [
        ("http", {"path": "//evil.example"}, "path"),
        ("http", {"path": "health"}, "path"),
        ("http", {"status": "two hundred"}, "status"),
        ("http", {"contains": "a\x00b"}, "contains"),
        ("postgres", {"value": "DROP TABLE"}, "value"),
        ("tcp", {"colour": "blue"}, "colour"),
    ],
)
def test_options_that_a_probe_cannot_use_are_named(probe: str, options: dict[str, str], wrong: str) -> None:
    with pytest.raises(BadOptions) as caught:
        probes[probe].clean(options)
    assert list(caught.value.sentences) == [wrong]
    assert all(sentence.endswith(".") for sentence in caught.value.sentences.values())


def test_a_target_of_the_console_follows_its_setting(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    target = Target(name="data", kind="local", setting="DATA_DIR", address="/elsewhere")
    assert targets.resolve(target).address == str(tmp_path)


def test_only_settings_that_hold_an_address_can_be_named() -> None:
    outcome = targets.measure(
        target=Target(name="x", kind="local", setting="SECRET_KEY"), probe="disk", options={}, timeout_s=1
    )
    assert outcome.measurement is None and settings.SECRET_KEY not in outcome.problem


def test_a_probe_of_another_version_fails_with_a_sentence() -> None:
    outcome = targets.measure(target=Target(name="x", kind="tcp"), probe="smoke", options={}, timeout_s=1)
    assert outcome.problem == "There is no probe called 'smoke' in this version."
