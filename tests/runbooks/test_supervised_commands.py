"""Real commands under real supervisors, started in this process without Celery."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections

from checks.models import Target
from erpops import audit, beats
from runbooks import containment, reaper, runner, settling, spool, tasks
from runbooks.models import CommandRun
from runbooks.standins import launchers
from tests.clock import Clock
from tests.runbooks.builders import command, effect, effects, output_of, walk
from tests.runbooks.running import alive, begin, ended, in_background, now, run_now, supervisor_of, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)

# Ignores TERM, leaves its process group and its parent, notes who it is.
_STUBBORN = "trap '' TERM; (setsid bash -c 'trap \"\" TERM; echo $$ >> {pids}; sleep 300 & wait; sleep 300' & ) ; "
_STUBBORN += "echo $$ >> {pids}; echo ready; while :; do sleep 1; done"


def reaped(run: CommandRun, clock: Clock) -> CommandRun:
    """The attempt after the reaper has found its lease run out."""

    def over() -> bool:
        # A dead supervisor's last statement may still hold the row for a moment, or have renewed the lease.
        clock.advance(seconds=36)
        reaper.tick()
        return now(run).status != "running"

    until(over)
    return now(run)


@pytest.fixture(params=["cgroup", "subreaper"])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of holding on to processes; a machine without writable cgroup v2 has the second only."""
    if request.param == "subreaper":
        monkeypatch.setattr(containment, "_can_group", lambda: False)
    elif containment.level() != "cgroup":
        pytest.skip("cgroup v2 cannot be written here")
    return str(request.param)


@pytest.fixture(autouse=True)
def _nothing_left(transactional_db: None) -> Any:
    yield
    wait_all_gone()


def test_a_command_runs_once_and_its_end_is_on_the_timeline(tmp_path: Path) -> None:
    place = walk(command(effect(tmp_path / "ledger", "echo hello; echo no >&2; exit 3")))
    run = run_now(place)
    assert (run.status, run.exit_code) == ("failed", 3)
    assert effects(tmp_path / "ledger") == 1
    assert sorted(output_of(run).split()) == [b"hello", b"no"]
    assert place.statuses() == ["failed"]
    finished = place.incident.events.get(kind="command.finished")
    assert finished.data["exit_code"] == 3
    assert finished.data["run"] == run.pk
    assert finished.data["risk"] == "read"
    assert finished.data["duration_s"] >= 0
    assert not list(audit.faults())
    assert not spool.Spool(run.pk).exists()


def test_all_commands_of_a_step_succeeding_pass_it_and_move_the_second_clock() -> None:
    place = walk(command("true"), command("echo two"))
    run_now(place, 0)
    assert place.statuses() == ["current"]
    before = place.incident.progress_at
    run_now(place, 1)
    assert place.statuses() == ["passed"]
    place.incident.refresh_from_db()
    assert place.incident.progress_at > before
    assert "step.passed" in place.events()


def test_ten_deliveries_of_one_message_are_one_execution(tmp_path: Path) -> None:
    place = walk(command(effect(tmp_path / "ledger", "sleep 0.3")))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    threads = [in_background(run) for _ in range(10)]
    for thread in threads:
        thread.join(20)
    tasks.run_command(run.pk)
    assert effects(tmp_path / "ledger") == 1
    assert now(run).status == "succeeded"


def test_a_forged_id_does_nothing() -> None:
    tasks.run_command(987_654_321)
    assert CommandRun.objects.count() == 0


def test_two_clicks_at_once_are_one_attempt() -> None:
    place = walk(command("true"))
    found: list[int] = []
    barrier = threading.Barrier(4)

    def click() -> None:
        step = place.step()
        barrier.wait()
        try:
            found.append(runner.request(step_run=step, command=0, by=place.user).pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 4
    assert len(set(found)) == 1
    run_now(place)


def test_running_again_is_another_attempt(tmp_path: Path) -> None:
    place = walk(command(effect(tmp_path / "ledger", "false")))
    first, second = run_now(place), run_now(place)
    assert (first.attempt, second.attempt) == (1, 2)
    assert effects(tmp_path / "ledger") == 2


def test_a_click_that_is_sent_again_after_the_end_finds_its_attempt(tmp_path: Path) -> None:
    place = walk(command(effect(tmp_path / "ledger")))
    first = run_now(place, attempt=1)
    again = runner.request(step_run=place.step(), command=0, by=place.user, attempt=1)
    assert (again.pk, again.status) == (first.pk, "succeeded")
    assert run_now(place, attempt=2).attempt == 2
    assert effects(tmp_path / "ledger") == 2


def test_the_environment_of_a_command_is_built_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "GIT_SSH_COMMAND", "SOME_TOKEN"):
        monkeypatch.setenv(name, "/nowhere")
    place = walk(command("env -0"))
    environment = place.execution.environment
    environment.variables = {"REGION": "eu", "LD_LIBRARY_PATH": "/evil", "BASH_ENV": "/evil", "PATH": "/evil"}
    environment.save(update_fields=["variables"])
    run = run_now(place)
    got = dict(item.split("=", 1) for item in output_of(run).decode().split("\0") if item)
    home = got["HOME"]
    assert home.endswith(f"/spool/{run.pk}/work")
    assert got == {
        "PATH": f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{launchers.folder()}",
        "HOME": home,
        "PWD": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TZ": "UTC",
        "PAGER": "cat",
        "REGION": "eu",
        # bash's own
        "SHLVL": "0",
        "_": got["_"],
    }


def test_a_command_finds_an_empty_private_directory_and_no_input() -> None:
    run = run_now(walk(command("pwd; ls -A | wc -l; stat -c %a .; cat; umask; ls /proc/self/fd | wc -l")))
    where, count, mode, umask, descriptors = output_of(run).decode().split()
    assert where.endswith("/work")
    assert (count, mode, umask, descriptors) == ("0", "700", "0077", "4")


def test_the_console_environment_finds_its_servers_and_masks_their_passwords() -> None:
    place = walk(
        command('psql "$DATABASE_URL" -Atc "select 6*7"; echo "$DATABASE_URL" | cut -c1-40; echo "$DATABASE_URL"')
    )
    environment = place.execution.environment
    environment.name = "self"
    environment.save(update_fields=["name"])
    beats.beat(role="worker", queues=["env.self"])
    run = run_now(place)
    text = output_of(run).decode()
    assert text.startswith("42\n")
    password = str(connection.settings_dict["PASSWORD"])
    assert password not in text
    assert ":•••@" in text


def test_stop_ends_a_tree_that_ignores_term_and_has_detached(tmp_path: Path, level: str) -> None:
    place = walk(command(_STUBBORN.format(pids=tmp_path / "pids")))
    run = begin(place)
    until(lambda: b"ready" in output_of(run))
    until(lambda: len(alive(tmp_path / "pids")) == 2)
    began = time.monotonic()
    runner.stop(run=run, by=place.user)
    run = ended(run)
    assert (run.status, run.containment) == ("stopped", level)
    assert 4 < time.monotonic() - began < 9
    assert alive(tmp_path / "pids") == []


def test_stop_before_the_start_means_that_nothing_starts(tmp_path: Path) -> None:
    place = walk(command(effect(tmp_path / "ledger")))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    runner.stop(run=run, by=place.user)
    tasks.run_command(run.pk)
    assert now(run).status == "stopped"
    assert effects(tmp_path / "ledger") == 0
    assert place.statuses() == ["current"]


def test_a_command_that_obeys_term_is_stopped_at_once() -> None:
    place = walk(command("echo on; exec sleep 300"))
    run = begin(place)
    began = time.monotonic()
    runner.stop(run=run, by=place.user)
    run = ended(run)
    assert (run.status, run.exit_code) == ("stopped", -signal.SIGTERM)
    assert time.monotonic() - began < 3


def test_a_command_is_ended_at_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 1)
    run = run_now(walk(command("echo before; exec sleep 300")))
    assert run.status == "timed_out"
    assert "1 s" in run.reason
    assert output_of(run) == b"before\n"


def test_an_endless_command_gives_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SAMPLE_S", 1)
    run = run_now(walk(command("while :; do echo tick; sleep 0.2; done", flags=["endless"])))
    assert run.status == "succeeded"
    assert "never ends by itself" in run.reason
    assert output_of(run).count(b"tick") >= 3


def test_a_process_left_behind_with_the_output_open_does_not_hold_the_end_up(tmp_path: Path) -> None:
    place = walk(command(f"(setsid sleep 300 & echo $! > {tmp_path / 'pids'}); echo done"))
    began = time.monotonic()
    run = run_now(place)
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert time.monotonic() - began < 5
    assert output_of(run) == b"done\n"
    assert alive(tmp_path / "pids") == []


def test_a_command_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    run = run_now(walk(command("echo early; exec >&- 2>&-; sleep 1; exit 4")))
    assert (run.status, run.exit_code) == ("failed", 4)
    assert output_of(run) == b"early\n"


def test_a_missing_program_is_reported_as_not_started() -> None:
    run = run_now(walk(command("no-such-program --all")))
    assert run.status == "not_started"
    assert run.started_at is None
    assert "no-such-program is not installed on this worker" in run.reason


def test_a_request_cannot_be_changed_and_a_text_that_was_changed_after_it_is_not_executed(tmp_path: Path) -> None:
    place = walk(command("true"))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    with pytest.raises(IntegrityError, match="never changes"):
        CommandRun.objects.filter(pk=run.pk).update(script=effect(tmp_path / "ledger"))
    version = place.execution.version
    version.compiled["phases"][0]["steps"][0]["commands"][0]["text"] = effect(tmp_path / "ledger")
    version.save(update_fields=["compiled"])
    tasks.run_command(run.pk)
    assert now(run).status == "not_started"
    assert "not what was confirmed" in now(run).reason
    assert effects(tmp_path / "ledger") == 0


def test_a_hundred_megabytes_are_capped_at_head_and_tail_and_the_gap_is_counted() -> None:
    script = "echo first; head -c 100000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo; echo last; exit 7"
    run = run_now(walk(command(script)))
    stored = output_of(run)
    assert (run.status, run.exit_code) == ("failed", 7)
    assert run.output_bytes > 100_000_000
    assert stored.startswith(b"first\n")
    assert stored.endswith(b"last\n")
    note = f"… {run.dropped_bytes:,} bytes were not kept …\n".encode()
    assert note in stored
    assert len(stored) - len(note) + run.dropped_bytes == run.output_bytes
    assert len(stored) <= 10_000_100


def test_output_bytes_arrive_whole_whatever_they_are() -> None:
    blob = bytes(range(256)) * 400
    script = 'python3 -c "import sys; sys.stdout.buffer.write(bytes(range(256)) * 400)"'
    run = run_now(walk(command(script)))
    assert output_of(run) == blob
    assert list(run.chunks.values_list("seq", flat=True)) == list(range(1, run.output_seq + 1))


def test_a_killed_supervisor_leaves_an_unknown_outcome_and_no_process(tmp_path: Path, clock: Clock, level: str) -> None:
    place = walk(command(_STUBBORN.format(pids=tmp_path / "pids")))
    run = begin(place)
    until(lambda: (tmp_path / "pids").exists() and len(alive(tmp_path / "pids")) == 2)
    os.kill(supervisor_of(run), signal.SIGKILL)
    until(lambda: not alive(tmp_path / "pids"), 3)
    reaper.tick()
    assert now(run).status == "running", "the lease has not run out yet"
    run = reaped(run, clock)
    assert run.status == "outcome_unknown"
    assert place.statuses() == ["failed"]
    assert run.containment == level
    beats.beat(role="worker", queues=["env.test"])
    with pytest.raises(runner.Refused, match="mark it done or not done"):
        runner.request(step_run=place.step(), command=0, by=place.user)
    settling.settle_unknown(run=run, verdict="not_done", by=place.user)
    assert now(run).status == "failed"
    assert runner.request(step_run=place.step(), command=0, by=place.user).attempt == 2


def test_a_supervisor_that_slept_past_its_lease_writes_nothing(tmp_path: Path, clock: Clock) -> None:
    place = walk(command(f"echo $$ > {tmp_path / 'pids'}; while :; do echo x; sleep 0.1; done"))
    run = begin(place)
    until(lambda: now(run).output_seq > 1)
    supervisor = supervisor_of(run)
    os.kill(supervisor, signal.SIGSTOP)
    time.sleep(0.3)
    stopped = reaped(run, clock)
    assert stopped.status == "outcome_unknown"
    os.kill(supervisor, signal.SIGCONT)
    until(lambda: not alive(tmp_path / "pids"))
    wait_all_gone()
    after = now(run)
    assert (after.status, after.output_seq) == ("outcome_unknown", stopped.output_seq)


def test_guardian_and_supervisor_killed_together_leave_no_process_for_long(
    tmp_path: Path, clock: Clock, level: str
) -> None:
    place = walk(command(_STUBBORN.format(pids=tmp_path / "pids")))
    run = begin(place)
    until(lambda: (tmp_path / "pids").exists() and len(alive(tmp_path / "pids")) == 2)
    supervisor = supervisor_of(run)
    guardian = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    run = reaped(run, clock)
    assert (run.status, run.containment) == ("outcome_unknown", level)
    assert alive(tmp_path / "pids") == []


def test_an_end_that_was_seen_after_the_lease_is_learned_later(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    place = walk(command("echo on; sleep 0.5; exit 3"))
    run = begin(place)
    until(lambda: b"on" in output_of(run))
    supervisor = supervisor_of(run)
    os.kill(supervisor, signal.SIGSTOP)
    time.sleep(0.8)
    assert reaped(run, clock).status == "outcome_unknown"
    os.kill(supervisor, signal.SIGCONT)
    wait_all_gone()
    assert now(run).status == "outcome_unknown", "a claim that was lost writes nothing"
    monkeypatch.setattr(reaper, "_next_clearing", 0.0)
    reaper.tick()
    assert (now(run).status, now(run).exit_code) == ("failed", 3)
    assert not spool.Spool(run.pk).exists()


def test_an_end_that_only_the_spool_knows_is_recorded_as_it_was(tmp_path: Path, clock: Clock) -> None:
    place = walk(command(effect(tmp_path / "ledger", "echo one; sleep 1.5; echo two; exit 5")))
    run = begin(place)
    until(lambda: b"one" in output_of(run))
    # The recorder is fenced off from writing by a row lock for longer than the command lives.
    supervisor = supervisor_of(run)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM runbooks_commandrun WHERE id = %s FOR UPDATE", [run.pk])
        until(lambda: spool.Spool(run.pk).exit() is not None)
        os.kill(supervisor, signal.SIGKILL)
        cursor.execute("ROLLBACK")
    until(lambda: not spool.Spool(run.pk).supervised())
    assert now(run).status == "running"
    run = reaped(run, clock)
    assert (run.status, run.exit_code) == ("failed", 5)
    assert output_of(run) == b"one\ntwo\n"
    assert effects(tmp_path / "ledger") == 1


def test_stopping_the_console_ends_commands_and_says_so(tmp_path: Path) -> None:
    place = walk(command(_STUBBORN.format(pids=tmp_path / "pids")))
    run = begin(place)
    until(lambda: (tmp_path / "pids").exists() and len(alive(tmp_path / "pids")) == 2)
    supervisor = supervisor_of(run)
    began = time.monotonic()
    os.kill(supervisor, signal.SIGTERM)
    wait_all_gone()
    assert time.monotonic() - began < 3.5
    run = now(run)
    assert run.status == "stopped"
    assert "console was stopped" in run.reason
    assert alive(tmp_path / "pids") == []


def test_lost_database_connections_cost_neither_output_nor_truth(tmp_path: Path) -> None:
    place = walk(command(effect(tmp_path / "ledger", "for i in $(seq 30); do echo line $i; sleep 0.05; done; exit 6")))
    run = begin(place)
    for _ in range(3):
        time.sleep(0.3)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    run = ended(run)
    assert (run.status, run.exit_code) == ("failed", 6)
    assert output_of(run).decode().splitlines() == [f"line {i}" for i in range(1, 31)]
    assert effects(tmp_path / "ledger") == 1


def test_a_credential_that_a_command_receives_is_noted() -> None:
    place = walk(command("true"))
    environment = place.execution.environment
    for name, credential, enabled in (("a", "hunter2", True), ("b", "", True), ("c", "hunter2", False)):
        Target.objects.create(
            name=name, label=name, kind="http", environment=environment, credential=credential, enabled=enabled
        )
    run_now(place)
    used = Target.objects.exclude(credential_used_at=None).values_list("name", flat=True)
    assert list(used) == ["a"]
