"""Children: restarted with patience, ended in order, and only our own ever signalled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erpops import commands_left, pids, processes
from erpops.processes import Child, Highlights

NEVER = lambda: False  # noqa: E731
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


class Lines(list[str]):
    def __call__(self, line: str) -> None:
        self.append(line)


def child(tmp_path: Path, code: str, say: Callable[[str], None], name: str = "web") -> Child:
    log = tmp_path / f"{name}.log"
    made = Child(name, [sys.executable, "-c", code], log=log, cwd=tmp_path, environment=dict(os.environ), say=say)
    made.start()
    return made


def until(done: Callable[[], bool], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_child_that_dies_is_started_again_and_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_DELAY", 0.05)
    said = Lines()
    web = child(tmp_path, "import sys; sys.exit('SettingsError: no database')", said)
    until(lambda: bool(web.tend()))
    assert "web stopped with exit status 1; starting it again in 0.05 s (SettingsError: no database" in said[0]
    assert said[1] == "web started again"
    until(lambda: not web.tend() and web.deaths == 2)
    assert "in 0.1 s" in said[2]
    web.reap()


def test_the_delay_doubles_up_to_its_limit_and_starts_over_after_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(processes, "LONGEST_DELAY", 0.03)
    monkeypatch.setattr(processes, "HEALTHY_AFTER", 0.2)
    said = Lines()
    web = child(tmp_path, "", said)
    until(lambda: web.tend() and web.deaths == 4)
    assert [line.split(" in ")[1].split(" s")[0] for line in said if " in " in line] == ["0.01", "0.02", "0.03", "0.03"]
    web.reap()
    lasting = child(tmp_path, "import time; time.sleep(0.4)", said)
    lasting._delay = 0.03
    until(lambda: not lasting.tend() and lasting.deaths == 1)
    assert "in 0.01 s" in said[-1]


def test_what_a_dead_child_left_in_its_group_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    web = child(tmp_path, code, Lines())
    until(web.has_ended)
    orphan = int((tmp_path / "web.log").read_text())
    assert pids.started_at(orphan)
    web.tend()
    until(lambda: pids.started_at(orphan) is None)


def test_children_end_in_order_and_a_stubborn_one_is_killed_in_time(tmp_path: Path) -> None:
    stubborn = child(tmp_path, STUBBORN, Lines(), "stubborn")
    gentle = child(tmp_path, "import time; time.sleep(60)", Lines(), "gentle")
    until(lambda: (tmp_path / "stubborn.log").read_text() == "up\n")
    group = [stubborn.pid, gentle.pid]
    began = time.monotonic()
    processes.end([stubborn, gentle], within=0.6, hurried=NEVER)
    assert 0.5 < time.monotonic() - began < 3
    assert [pids.started_at(pid) for pid in group] == [None, None]


def test_hurry_does_not_wait(tmp_path: Path) -> None:
    stubborn = child(tmp_path, STUBBORN, Lines())
    began = time.monotonic()
    processes.end([stubborn], within=30, hurried=lambda: True)
    assert time.monotonic() - began < 5


def test_leftovers_are_ended_but_a_reused_pid_is_not() -> None:
    with subprocess.Popen(["sleep", "60"]) as ours, subprocess.Popen(["sleep", "60"]) as stranger:
        records: dict[str, dict[str, Any]] = {
            "web": {"pid": ours.pid, "started": pids.started_at(ours.pid)},
            "engine": {"pid": stranger.pid, "started": "another boot:1"},
            "worker": {"pid": 0, "started": None},
        }
        assert processes.clear_leftovers(records, "mark", within=0.2) == ["web"]
        assert ours.wait(5) in (-signal.SIGTERM, -signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


def test_what_a_killed_leader_left_in_its_group_is_known_by_the_mark_of_the_run() -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=-3).pid)"
    environment = {**os.environ, processes.RUN_MARK: "mark"}
    leader = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, process_group=0, env=environment
    )
    orphan = int(leader.communicate(timeout=10)[0])
    records: dict[str, dict[str, Any]] = {"worker": {"pid": leader.pid, "started": "its start time"}}
    processes.clear_leftovers(records, "the mark of another run", within=0.1)
    assert pids.started_at(orphan)
    processes.clear_leftovers(records, "mark", within=0.1)
    until(lambda: pids.started_at(orphan) is None)


SUPERVISOR = """
import pathlib, signal, subprocess, sys, time
from erpops import pids
below = subprocess.Popen(["sleep", "60"], start_new_session=True)
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: (below.kill(), below.wait(), sys.exit(0)))
pathlib.Path(sys.argv[1]).write_text(pids.identity())
print(below.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("manner", ["gentle", "stubborn"])
def test_running_commands_end_with_everything_below_them(tmp_path: Path, manner: str) -> None:
    attempt = tmp_path / "attempt-1"
    attempt.mkdir()
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(attempt / "supervisor.pid"), manner],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert supervisor.stdout
    below = int(supervisor.stdout.readline())
    began = time.monotonic()
    assert commands_left.end(tmp_path, within=0.5, hurried=NEVER) == 1
    assert time.monotonic() - began < 3
    assert supervisor.wait(5) == (0 if manner == "gentle" else -signal.SIGKILL)
    until(lambda: pids.started_at(below) is None)
    supervisor.stdout.close()


def test_a_pid_file_of_an_ended_command_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "supervisor.pid").write_text(f"{os.getpid()} another boot:1")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "supervisor.pid").write_text("half a li")
    assert commands_left.end(tmp_path, within=0.1, hurried=NEVER) == 0


def test_a_large_log_is_moved_aside_and_three_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_LIMIT", 4)
    log = tmp_path / "web.log"
    for text in ("first", "second", "third", "fourth", "no"):
        log.write_text(text)
        processes.rotate(log)
    assert log.read_text() == "no"
    assert [(tmp_path / f"web.log.{number}").read_text() for number in (1, 2, 3)] == ["fourth", "third", "second"]
    assert len(list(tmp_path.iterdir())) == 4


def test_errors_in_a_log_are_shown_whole_and_a_few_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("ERROR of the run before\n")
    highlights = Highlights(log)
    with log.open("a") as file:
        file.write("INFO fine\nERROR one\nERROR tw")
        file.flush()
        assert highlights.fresh() == ["ERROR one"]
        file.write("o\nCRITICAL three\nERROR four\nERROR five\n")
        file.flush()
        assert highlights.fresh() == ["ERROR two", "CRITICAL three"]
        assert highlights.fresh() == []
