"""Shell commands of an environment run on its SSH host: over a real server, ended as a whole, told honestly."""

import contextlib
import os
import pwd
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from checks.models import Target
from erpops import pids
from incidents.models import Environment
from runbooks import runner
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import alive, begin, ended, now, run_now, until, wait_all_gone
from tests.sshd import Sshd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    with Sshd() as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_left(transactional_db: None) -> Iterator[None]:
    yield
    wait_all_gone()


def on_host(server: Sshd, *commands: dict[str, object], **changes: str) -> Walk:
    """A walk in an environment whose shell commands run on the server's host."""
    place = walk(*commands)
    values = {"address": server.address, "credential": server.private_key, "trust": server.host_key, **changes}
    test = Environment.objects.get(name="test")
    Target.objects.create(name="box", label="Box", kind="ssh", environment=test, carries_shell=True, **values)
    return place


def test_a_command_runs_on_the_host_with_its_streams_and_its_exit_status(sshd: Sshd) -> None:
    run = run_now(on_host(sshd, command("echo here; echo there >&2; echo $SSH_CONNECTION | wc -w; exit 3")))
    assert (run.status, run.exit_code) == ("failed", 3)
    assert sorted(output_of(run).decode().split()) == ["4", "here", "there"]


def test_values_reach_the_host_as_they_are(sshd: Sshd) -> None:
    value = "a'b\"c $(touch /tmp/never) `id`; \\ *"
    place = on_host(sshd, command("printf %s <name>", parameters=[{"name": "name"}]))
    run = run_now(place, values={"name": value})
    assert run.status == "succeeded"
    assert output_of(run).decode() == value


def test_nothing_of_the_workers_own_surroundings_reaches_the_host(sshd: Sshd) -> None:
    run = run_now(on_host(sshd, command("echo $HOME; env | cut -d= -f1")))
    names = output_of(run).decode().split()
    assert names[0] == pwd.getpwuid(os.getuid()).pw_dir
    assert not {"PGPASSFILE", "KUBECONFIG", "TMPDIR"} & set(names)


def test_a_stop_ends_everything_on_the_host(sshd: Sshd, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    text = f"(setsid bash -c 'echo $$ >> {noted}; sleep 300' &); echo $$ >> {noted}; sleep 300"
    place = on_host(sshd, command(text))
    run = begin(place)
    until(lambda: noted.exists() and len(noted.read_text().split()) == 2)
    runner.stop(run=run, by=place.user)
    assert ended(run).status == "stopped"
    assert alive(noted) == []


def test_a_time_limit_ends_it_there(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 1)
    noted = tmp_path / "pids"
    run = run_now(on_host(sshd, command(f"echo $$ > {noted}; trap '' TERM; sleep 300 & wait; sleep 300")))
    assert run.status == "timed_out"
    until(lambda: alive(noted) == [])


def test_a_host_that_is_not_there_means_nothing_was_started(sshd: Sshd) -> None:
    run = run_now(on_host(sshd, command("echo hello"), address="ssh://nobody@127.0.0.1:1"))
    assert run.status == "not_started"
    assert "box was not reached" in run.reason
    assert "Connection refused" in run.reason


def test_a_key_that_is_not_let_in_means_nothing_was_started(sshd: Sshd) -> None:
    run = run_now(on_host(sshd, command("echo hello"), credential=sshd.strangers_key))
    assert (run.status, "Permission denied" in run.reason) == ("not_started", True)


def test_a_host_with_another_key_is_not_spoken_to(sshd: Sshd) -> None:
    stranger = (sshd.folder / "stranger.pub").read_text()
    run = run_now(on_host(sshd, command("echo hello"), trust=stranger))
    assert (run.status, "verification failed" in run.reason) == ("not_started", True)


def test_a_connection_that_is_cut_is_an_unknown_outcome_and_the_host_ends_the_rest(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    with Sshd() as server:
        place = on_host(server, command(f"echo $$ > {noted}; sleep 300"))
        run = begin(place)
        until(noted.exists)
        # Only the sessions' sshd: the far side of our script lives on and must notice by itself.
        for pid in pids.descendants(server.process.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "sshd":
                    os.kill(pid, signal.SIGKILL)
        found = ended(run)
    assert found.status == "outcome_unknown"
    assert "connection to box was lost" in found.reason
    until(lambda: alive(noted) == [], 15)


def test_the_key_is_not_in_the_environment_or_the_process_list(sshd: Sshd) -> None:
    place = on_host(sshd, command("sleep 5"))
    run = begin(place)
    middle = sshd.private_key.splitlines()[1][:40]
    seen = []
    for pid in pids.descendants(os.getpid()):
        # One that ends meanwhile shows nothing any more.
        with suppress(OSError):
            seen += [Path(f"/proc/{pid}/{name}").read_text(errors="replace") for name in ("cmdline", "environ")]
    assert seen
    assert not any(middle in text for text in seen)
    runner.stop(run=run, by=place.user)
    assert now(ended(run)).status == "stopped"


def test_a_script_on_the_worker_reaches_a_host_by_the_name_of_its_target(sshd: Sshd) -> None:
    place = on_host(sshd, command("ssh box 'echo there; exit 4'"))
    Target.objects.update(carries_shell=False)
    run = run_now(place)
    assert (run.status, run.exit_code, output_of(run)) == ("failed", 4, b"there\n")
