"""Programs that do what they can to stay, to flood and to use everything up; the console goes on."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from erpops import pids
from runbooks import containment, runner, spool, supervisor
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import in_background, now, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT_S, FULL_TIMEOUT_S, GRACE_S, GROWTH_MB = 2, 60, 10, 64
MB = 1024 * 1024
_DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
os.wait()
"""
# At most 2 ** (DEPTH + 1) processes, whatever becomes of the limit.
_BOMB = """
import os, time
for _ in range({depth}):
    os.fork()
time.sleep(600)
"""
_GROWS = """
import time
kept = []
while len(kept) < {most}:
    kept.append(b"x" * 1048576)
time.sleep(600)
"""


@dataclass(frozen=True)
class Nasty:
    """A program, and the end that it must come to: status, and words of the reason."""

    script: str
    status: str
    reason: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class Sizes:
    """How much is done; the whole of it only in the full run."""

    flood: int = 60 * MB
    line: int = 12 * MB
    depth: int = 9
    tiny: int = 100_000


def programs(sizes: Sizes) -> dict[str, Nasty]:
    """Twelve, and two more: one takes memory, one writes byte by byte."""
    return {
        "ignores TERM": Nasty("trap '' TERM INT HUP; while :; do sleep 0.2; done", "timed_out", "was ended"),
        "detaches twice": Nasty(f"python3 -c '{_DAEMON}'; echo done", "succeeded"),
        "keeps the output open": Nasty("(setsid sleep 600 &); echo done; exit 3", "failed", exit_code=3),
        "forks": Nasty(f"python3 -c '{_BOMB.format(depth=sizes.depth)}'", "failed", "ERPOPS_COMMAND_PROCESSES"),
        "floods": Nasty(f"yes nasty output without an end | head -c {sizes.flood}; exit 4", "failed", exit_code=4),
        "one line": Nasty(f"head -c {sizes.line} /dev/zero | tr '\\0' x; echo; echo last", "succeeded"),
        "tiny writes": Nasty(f"dd if=/dev/zero bs=1 count={sizes.tiny} status=none; exit 5", "failed", exit_code=5),
        "binary": Nasty("head -c 3000000 /dev/urandom", "succeeded"),
        "NUL": Nasty("head -c 500000 /dev/zero; printf 'a\\0b\\n'; printf 'a\\0b\\n' >&2", "succeeded"),
        "invalid UTF-8": Nasty(
            "for i in $(seq 3000); do printf '\\xff\\xfe\\xc3(\\xed\\xa0\\x80\\xf0\\x9f'; done; printf '\\x98\\x80\\n'",
            "succeeded",
        ),
        "stops itself": Nasty("echo on; kill -STOP $$; echo never", "timed_out"),
        "fills its disk": Nasty("cat /dev/zero > fill", "failed", "ERPOPS_COMMAND_DISK_MB"),
        "never ends": Nasty("while :; do :; done", "timed_out"),
        "takes memory": Nasty(f"python3 -c '{_GROWS.format(most=600)}'", "failed", "ERPOPS_COMMAND_MEMORY_MB"),
    }


@dataclass
class Memory:
    """The most memory of their own that processes had which were forked from this one, beyond what it had then."""

    before: int
    most: dict[int, int] = field(default_factory=dict)

    def look(self, runs: list[int]) -> None:
        for run_id in runs:
            pid, _ = pids.read_identity(spool.root() / str(run_id) / "supervisor.pid")
            if pid and (peak := resident(pid)):
                self.most[run_id] = max(self.most.get(run_id, 0), peak - self.before)


def resident(pid: int) -> int:
    """Bytes of memory of a process that are no file's; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(text.split()[1]) * 1024 for text in lines if text.startswith("RssAnon:")), 0)


def left_of(run: CommandRun) -> list[int]:
    """The processes that were started with this attempt's directory as HOME."""
    home = str(spool.Spool(run.pk).work)
    found = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in found if pids.environment_of(pid).get("HOME") == home and pids.started_at(pid)]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small enough to be met soon."""
    monkeypatch.setattr(runner, "READ_LIMIT_S", TIMEOUT_S)
    for name, value in {"MEMORY_MB": 256, "PROCESSES": 200, "DISK_MB": 32, "FILE_MB": 4096}.items():
        monkeypatch.setattr(settings, f"COMMAND_{name}", value)
    yield
    wait_all_gone()


@pytest.fixture(params=["cgroup", "subreaper"])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of holding on to processes; a machine without writable cgroup v2 has the second only."""
    if request.param == "subreaper":
        monkeypatch.setattr(containment, "_can_group", lambda: False)
    elif containment.level() != "cgroup":
        pytest.skip("cgroup v2 cannot be written here: run as root where /sys/fs/cgroup is mounted for writing")
    return str(request.param)


def ended(run: CommandRun) -> bool:
    return now(run).status in TERMINAL_RUNS


def run_all(nasty: Mapping[str, Nasty], most_at_once: int) -> tuple[dict[str, CommandRun], Memory, Walk]:
    """Each of them as a command of one walk, some at a time."""
    place = walk(*[command(one.script) for one in nasty.values()])
    # What the first run loads anew is not growth.
    runs = [runner.request(step_run=place.step(), command=index, by=place.user) for index in range(len(nasty))]
    # Only what never ends is ended by time; what meets another limit gets the time to, on a busy machine too.
    others = [run.pk for run, one in zip(runs, nasty.values(), strict=True) if one.status != "timed_out"]
    CommandRun.objects.filter(pk__in=others).update(timeout_s=FULL_TIMEOUT_S)
    memory = Memory(resident(os.getpid()))
    waiting, threads = list(runs), list[threading.Thread]()
    while waiting or any(thread.is_alive() for thread in threads):
        threads = [thread for thread in threads if thread.is_alive()]
        while waiting and len(threads) < most_at_once:
            threads.append(in_background(waiting.pop(0)))
        memory.look([run.pk for run in runs])
        time.sleep(0.02)
    deadline = time.monotonic() + FULL_TIMEOUT_S + GRACE_S
    while late := {name: now(run).status for name, run in zip(nasty, runs, strict=True) if not ended(run)}:
        assert time.monotonic() < deadline, f"these have not ended: {late}"
        time.sleep(0.1)
    return {name: now(run) for name, run in zip(nasty, runs, strict=True)}, memory, place


def judge(nasty: Mapping[str, Nasty], most_at_once: int, client: Client) -> None:
    """All that is promised of every one of them."""
    before = resident(os.getpid())
    runs, memory, place = run_all(nasty, most_at_once)
    for name, run in runs.items():
        one = nasty[name]
        assert (run.status, name) == (one.status, name), (run.reason, run.exit_code)
        assert one.reason in run.reason, name
        assert one.exit_code in (None, run.exit_code), name
        assert run.started_at and run.ended_at
        assert (run.ended_at - run.started_at).total_seconds() <= run.timeout_s + GRACE_S, name
        assert left_of(run) == [], name
    wait_all_gone()
    assert not [(name, run.pk) for name, run in runs.items() if spool.Spool(run.pk).exists()]
    grown = {name: memory.most.get(run.pk, 0) // MB for name, run in runs.items()}
    assert max(grown.values()) <= GROWTH_MB, grown
    assert resident(os.getpid()) - before <= GROWTH_MB * MB
    client.force_login(place.user)
    for name, run in runs.items():
        where = {"number": place.incident.pk, "run": run.pk}
        shown = client.get(reverse("run_output", kwargs=where))
        assert (shown.status_code, name) == (200, name)
        assert len(shown.content) < 2 * MB, name
        for page in ("run_lines", "run_raw") if run.output_bytes > MB else ():
            assert client.get(reverse(page, kwargs=where)).status_code == 200, (name, page)
        assert len(output_of(run)) <= 1000 * 1000 * settings.COMMAND_OUTPUT_MB + 1000
    where = {"number": place.incident.pk, "run": runs["floods"].pk}
    assert b"nasty" in client.get(reverse("run_output", kwargs=where), {"q": "nasty"}).content


def test_twelve_nasty_programs_end_and_leave_nothing(
    limits: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "TERM_S", 1.5)
    judge(programs(Sizes()), 14, client)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twelve_nasty_programs_of_full_size_end_and_leave_nothing(
    limits: None, level: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", FULL_TIMEOUT_S)
    judge(programs(Sizes(flood=1024 * MB, line=100 * MB, depth=11, tiny=10_000_000)), 3, client)


def test_a_file_that_becomes_too_long_ends_its_writer(limits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "COMMAND_FILE_MB", 1)
    runs, _, _ = run_all({"one": Nasty("exec head -c 3000000 /dev/zero > long", "failed")}, 1)
    assert runs["one"].status == "failed"
    assert "ERPOPS_COMMAND_FILE_MB" in runs["one"].reason


def test_what_was_removed_but_is_still_open_counts(limits: None) -> None:
    script = "exec 3> gone; rm gone; cat /dev/zero >&3"
    runs, _, _ = run_all({"one": Nasty(script, "failed")}, 1)
    assert runs["one"].status == "failed"
    assert "ERPOPS_COMMAND_DISK_MB" in runs["one"].reason


def test_a_command_has_limits_of_its_own_for_files_and_dumps(limits: None) -> None:
    runs, _, _ = run_all({"one": Nasty("ulimit -c; ulimit -n; ulimit -f; cat /proc/self/oom_score_adj", "")}, 1)
    assert output_of(runs["one"]).split() == [b"0", b"4096", b"4194304", b"800"]
