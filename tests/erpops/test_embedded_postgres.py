"""The embedded PostgreSQL: made whole, adopted, started again after every kind of end."""

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from erpops import pids
from erpops.embedded import data_dir as place
from erpops.embedded import state
from erpops.embedded.errors import EmbeddedError
from erpops.embedded.postgres import Postgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what this refuses")


def made(data: Path) -> Postgres:
    return Postgres(data, durable=False, die_with_parent=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    postgres = made(tmp_path)
    postgres.start()
    yield postgres
    postgres.stop(hurry=True)


@pytest.fixture
def cluster_at_rest(tmp_path: Path) -> Path:
    postgres = made(tmp_path)
    postgres.start()
    postgres.psql("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)", url=postgres.url)
    postgres.stop()
    return tmp_path


def test_a_fresh_start_has_database_role_and_extensions(server: Postgres) -> None:
    who = server.psql("SELECT current_user, current_database()", url=server.url)
    assert who == "erpops|erpops"
    assert server.psql("SELECT rolsuper FROM pg_roles WHERE rolname = 'erpops'") == "f"
    installed = server.psql("SELECT extname FROM pg_extension", url=server.url).split()
    assert {"pg_trgm", "unaccent", "pg_stat_statements"} <= set(installed)
    assert server.psql("SELECT pg_terminate_backend(0)", "SELECT 1", url=server.url).endswith("1")


def test_new_databases_have_the_extensions_too(server: Postgres) -> None:
    server.psql("CREATE DATABASE another", url=server.url)
    url = server.url.removesuffix("erpops") + "another"
    assert server.psql("SELECT count(*) FROM pg_stat_statements WHERE false", url=url) == "0"


def test_it_listens_on_loopback_only_and_asks_for_the_password(server: Postgres) -> None:
    assert server.psql("SHOW listen_addresses") == "127.0.0.1"
    assert server.psql("SHOW unix_socket_directories") == ""
    wrong = f"postgresql://erpops:wrong@127.0.0.1:{server.port}/erpops"
    with pytest.raises(EmbeddedError, match="password authentication failed"):
        server.psql("SELECT 1", url=wrong)


def test_passwords_and_cluster_are_closed_to_others(server: Postgres) -> None:
    for path in (server.data_dir / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
    assert server.psql("SELECT 1") == "1"


def test_a_running_server_is_adopted(server: Postgres) -> None:
    again = made(server.data_dir)
    again.start()
    assert again.adopted
    assert (again.pid, again.url) == (server.pid, server.url)


def test_the_port_is_kept_from_start_to_start(cluster_at_rest: Path) -> None:
    remembered = state.remembered_port(cluster_at_rest, "postgres")
    again = made(cluster_at_rest)
    again.start()
    assert again.port == remembered
    again.stop(hurry=True)


def test_another_port_is_taken_when_somebody_has_the_remembered_one(cluster_at_rest: Path) -> None:
    remembered = state.remembered_port(cluster_at_rest, "postgres")
    assert remembered
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", remembered))
        other.listen()
        again = made(cluster_at_rest)
        again.start()
        assert again.port != remembered
        assert again.psql("SELECT n FROM kept", url=again.url) == "7"
        again.stop(hurry=True)


def test_after_kill_9_it_starts_with_what_was_committed(tmp_path: Path) -> None:
    server = Postgres(tmp_path, durable=True, die_with_parent=True)
    server.start()
    server.psql("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)", url=server.url)
    os.kill(server.pid, signal.SIGKILL)
    while server.alive():
        pass
    server.start()
    assert server.psql("SELECT n FROM kept", url=server.url) == "7"
    server.stop(hurry=True)


def test_a_pid_file_that_names_a_stranger_is_cleared(cluster_at_rest: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (cluster_at_rest / "postgres" / "postmaster.pid").write_text(
            f"{stranger.pid}\n{cluster_at_rest}/postgres\n1700000000\n5432\n\n127.0.0.1\n\nready   \n"
        )
        again = made(cluster_at_rest)
        again.start()
        assert not again.adopted
        assert again.psql("SELECT n FROM kept", url=again.url) == "7"
        assert stranger.poll() is None
        again.stop(hurry=True)
        stranger.kill()


def test_an_interrupted_initdb_is_made_again(tmp_path: Path) -> None:
    partial = tmp_path / "postgres.partial"
    (partial / "base").mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    postgres = made(tmp_path)
    postgres.start()
    assert postgres.psql("SELECT 1", url=postgres.url) == "1"
    assert not partial.exists()
    postgres.stop(hurry=True)


def test_a_start_that_was_killed_before_the_database_existed_is_finished(cluster_at_rest: Path) -> None:
    postgres = made(cluster_at_rest)
    postgres.start()
    postgres.psql("DROP DATABASE erpops")
    postgres.stop()
    again = made(cluster_at_rest)
    again.start()
    assert again.psql("SELECT current_database()", url=again.url) == "erpops"
    again.stop(hurry=True)


def test_foreign_files_in_place_of_the_cluster_are_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "holiday.jpg").touch()
    with pytest.raises(EmbeddedError, match=r"holds files but no PostgreSQL cluster: move them away"):
        made(tmp_path).start()


def test_a_cluster_of_another_version_is_refused_with_the_remedy(cluster_at_rest: Path) -> None:
    (cluster_at_rest / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 12, .* brings 18.*pg_dump"):
        made(cluster_at_rest).start()


def test_what_the_server_says_is_passed_on_when_it_does_not_start(cluster_at_rest: Path) -> None:
    (cluster_at_rest / "postgres" / "postgresql.conf").write_text("work_mem = lots\n")
    with pytest.raises(EmbeddedError, match="work_mem"):
        made(cluster_at_rest).start()


@as_root
def test_a_data_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    with pytest.raises(EmbeddedError, match=r"belongs to nobody, you are root: start as nobody, or .*--data"):
        place.claim(data)


def test_a_file_in_place_of_the_data_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(EmbeddedError, match="is a file, not a directory"):
        place.claim(tmp_path / "data")


def test_nothing_outside_the_data_directory_changes(tmp_path: Path) -> None:
    """No user is made, no directory opened, HOME stays empty: as root and as anybody else."""
    home, closed = tmp_path / "home", tmp_path / "closed"
    for folder in (home, closed):
        folder.mkdir(mode=0o700)
    users = [entry.pw_name for entry in pwd.getpwall()]
    before = [(path, path.stat().st_mode) for path in [closed, *closed.parents]]
    code = (
        "import sys, pathlib; from erpops.embedded.postgres import Postgres\n"
        "server = Postgres(pathlib.Path(sys.argv[1])); server.start()\n"
        "print(server.psql('SELECT 1', url=server.url)); server.stop()"
    )
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", code, str(closed / "data")], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "1\n", done.stderr
    assert list(home.iterdir()) == []
    assert [(path, path.stat().st_mode) for path in [closed, *closed.parents]] == before
    assert [entry.pw_name for entry in pwd.getpwall()] == users
    assert {path.stat().st_uid for path in closed.rglob("*")} == {os.geteuid()}


@as_root
def test_where_user_namespaces_are_refused_root_starts_it_as_nobody(tmp_path: Path) -> None:
    """As in a chroot, and in a container whose seccomp profile forbids them; below closed directories too."""
    tmp_path.chmod(0o700)
    done = started_without_namespaces(tmp_path / "data")
    assert done.stdout == "1\n", done.stderr
    assert (tmp_path / "data" / "postgres").stat().st_uid == 65534
    assert (tmp_path / "data").stat().st_uid == 0
    # The same files are used on a later start where namespaces would be allowed.
    again = made(tmp_path / "data")
    again.start()
    assert again.psql("SELECT 1", url=again.url) == "1"
    again.stop(hurry=True)


@as_root
def test_a_cluster_that_was_roots_is_handed_to_nobody(cluster_at_rest: Path) -> None:
    done = started_without_namespaces(cluster_at_rest)
    assert done.stdout == "1\n", done.stderr
    assert {path.stat().st_uid for path in (cluster_at_rest / "postgres").rglob("*")} == {65534}


@as_root
def test_a_root_without_powers_is_told_what_to_do(tmp_path: Path) -> None:
    done = started_without_namespaces(tmp_path / "data", "powerless")
    assert "start as an ordinary user, or set DATABASE_URL to a server of yours" in done.stderr


def test_it_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from erpops.embedded.postgres import Postgres\n"
        "from erpops.embedded.valkey import Valkey\n"
        "servers = [kind(pathlib.Path(sys.argv[1]), durable=False, die_with_parent=True)"
        " for kind in (Postgres, Valkey)]\n"
        "for server in servers: server.start(); print(server.pid)\n"
        "print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as run:
        assert run.stdout
        servers = [int(run.stdout.readline()) for _ in range(2)]
        assert run.stdout.readline() == "up\n"
        started = [pids.started_at(pid) for pid in servers]
        run.kill()
    assert all(pids.wait_gone(pid, began, timeout=30) for pid, began in zip(servers, started, strict=True))


NESTED = """
import ctypes, os, pathlib, sys
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(ready[1], b"x"); os.read(go[0], 1)
    os.setgid(0); os.setuid(0)
    pathlib.Path("/proc/sys/user/max_user_namespaces").write_text("0")
    if "powerless" in sys.argv:
        for capability in (1, 2):
            assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
    sys.path.insert(0, sys.argv[2])
    from erpops.embedded.postgres import Postgres
    server = Postgres(pathlib.Path(sys.argv[1]), durable=False)
    pathlib.Path(sys.argv[1]).mkdir(mode=0o700, exist_ok=True)
    server.start()
    print(server.psql("SELECT 1", url=server.url), flush=True)
    server.stop()
    sys.exit(0)
os.read(ready[0], 1)
for kind in ("uid_map", "gid_map"):
    pathlib.Path(f"/proc/{child}/{kind}").write_text("0 0 65536")
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def started_without_namespaces(data: Path, *manner: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NESTED, str(data), str(Path.cwd()), *manner], capture_output=True, text=True, timeout=60
    )
