"""The embedded Valkey, and the small valkey-cli that comes with it."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from erpops import embedded
from erpops.embedded import state, valkey_cli
from erpops.embedded.resp import Connection, ReplyError, Status
from erpops.embedded.valkey import Valkey


def made(data: Path) -> Valkey:
    return Valkey(data, die_with_parent=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    valkey = made(tmp_path)
    valkey.start()
    yield valkey
    valkey.stop(hurry=True)


def test_it_answers_to_the_password_only(server: Valkey) -> None:
    with Connection(server.url) as connection:
        assert connection.call("PING") == Status("PONG")
    with Connection(f"redis://127.0.0.1:{server.port}") as connection:
        assert isinstance(connection.call("PING"), ReplyError)


def test_the_password_is_not_on_the_command_line_nor_in_a_configuration_file(server: Valkey) -> None:
    secret = state.password(server.data_dir, "valkey")
    assert secret.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    holders = [path for path in server.data_dir.rglob("*") if path.is_file() and secret in path.read_text("latin-1")]
    assert holders == [server.data_dir / "secrets" / "valkey-password"]


def test_what_was_written_survives_a_restart(server: Valkey) -> None:
    with Connection(server.url) as connection:
        connection.call("SET", "bell", "rung")
        assert connection.call("CONFIG", "GET", "maxmemory-policy") == [b"maxmemory-policy", b"noeviction"]
    server.stop()
    server.start()
    with Connection(server.url) as connection:
        assert connection.call("GET", "bell") == b"rung"


def test_a_running_server_is_adopted_and_a_stranger_on_its_port_is_not(server: Valkey) -> None:
    again = made(server.data_dir)
    again.start()
    assert again.adopted
    assert again.pid == server.pid
    server.stop()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", server.port))
        stranger.listen()
        third = made(server.data_dir)
        third.start()
        assert not third.adopted
        assert third.port != server.port
        third.stop(hurry=True)


def cli(*words: str, url: str, name: str = "valkey-cli") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.pathsep.join([*embedded.paths(), "/usr/bin", "/bin"]), "VALKEY_URL": url}
    return subprocess.run([name, *words], env=environment, capture_output=True, text=True, timeout=10)


@pytest.mark.parametrize("name", ["valkey-cli", "redis-cli"])
def test_commands_find_a_valkey_cli_that_uses_the_url_of_the_environment(server: Valkey, name: str) -> None:
    assert cli("SET", "greeting", "hello there", url=server.url, name=name).stdout == "OK\n"
    assert cli("GET", "greeting", url=server.url, name=name).stdout == "hello there\n"
    assert "used_memory:" in cli("INFO", "memory", url=server.url, name=name).stdout


def test_valkey_cli_takes_the_server_from_its_options(server: Valkey) -> None:
    secret = state.password(server.data_dir, "valkey")
    assert cli("-u", server.url, "PING", url="").stdout == "PONG\n"
    assert cli("-h", "127.0.0.1", "-p", str(server.port), "-a", secret, "PING", url="").stdout == "PONG\n"
    assert cli("-n", "3", "CLIENT", "INFO", url=server.url).stdout.split(" db=")[1].startswith("3 ")


def test_valkey_cli_prints_lists_line_by_line_and_keeps_options_of_the_command(server: Valkey) -> None:
    cli("RPUSH", "list", "a", "-u", "c", url=server.url)
    assert cli("LRANGE", "list", "0", "-1", url=server.url).stdout == "a\n-u\nc\n"
    assert cli("--no-raw", "LRANGE", "list", "0", "-1", url=server.url).stdout == '1) "a"\n2) "-u"\n3) "c"\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["NOSUCH"], "ERR unknown command"),
        (["-u", "redis://127.0.0.1:1", "PING"], "Could not connect to Valkey: Connection refused"),
        (["--bigkeys"], "--bigkeys is not known to this small valkey-cli"),
        (["-p"], "-p needs a value"),
    ],
)
def test_valkey_cli_exits_1_and_says_why(server: Valkey, words: list[str], said: str) -> None:
    done = cli(*words, url=server.url)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b'say "hi"\n\xff', rb'"say \"hi\"\n\xff"'),
        (7, b"(integer) 7"),
        (None, b"(nil)"),
        (Status("OK"), b"OK"),
        (ReplyError("ERR no"), b"(error) ERR no"),
        ([], b"(empty array)"),
        ([[b"a", 1], None], b'1) 1) "a"\n   2) (integer) 1\n2) (nil)'),
    ],
)
def test_replies_are_told_on_a_terminal_as_redis_cli_tells_them(reply: object, text: bytes) -> None:
    assert valkey_cli.told(reply) == text
