"""Commands and the death of what runs them. The judge is a ledger that each real execution writes to."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connections

from erpops import pids
from runbooks import reaper, runner, tasks
from runbooks.models import CommandRun
from tests.faults.conftest import Worker
from tests.runbooks.builders import command, effect, effects, output_of, walk
from tests.runbooks.running import ended, now, until
from tests.running_servers import _servers

pytestmark = pytest.mark.django_db(transaction=True)
StartWorker = Callable[..., Worker]


def test_a_killed_worker_takes_no_command_with_it(tmp_path: Path, start_worker: StartWorker) -> None:
    worker = start_worker()
    script = effect(tmp_path / "ledger", "for i in $(seq 20); do echo line $i; sleep 0.1; done; exit 9")
    place = walk(command(script))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    until(lambda: b"line 3" in output_of(run))
    worker.kill()
    run = ended(run)
    assert (run.status, run.exit_code) == ("failed", 9)
    assert output_of(run).decode().splitlines() == [f"line {i}" for i in range(1, 21)]
    start_worker()
    reaper.tick()
    time.sleep(1)
    assert effects(tmp_path / "ledger") == 1


def test_a_graceful_stop_of_the_worker_lets_the_command_finish(tmp_path: Path, start_worker: StartWorker) -> None:
    worker = start_worker()
    place = walk(command(effect(tmp_path / "ledger", "echo on; sleep 2; echo off")))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    until(lambda: b"on" in output_of(run))
    os.kill(worker.process.pid, signal.SIGTERM)
    run = ended(run)
    assert run.status == "succeeded"
    assert output_of(run) == b"on\noff\n"
    assert worker.process.wait(10) == 0
    assert effects(tmp_path / "ledger") == 1


def test_a_broker_that_hangs_delays_no_request_and_the_command_runs_when_it_is_back(
    tmp_path: Path, start_worker: StartWorker
) -> None:
    start_worker()
    [server] = [server for server in _servers if type(server).__name__ == "Valkey"]
    place = walk(command(effect(tmp_path / "ledger", "echo hi")))
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        run = runner.request(step_run=place.step(), command=0, by=place.user)
        took = time.monotonic() - began
        assert now(run).status == "queued"
        time.sleep(1)
        assert effects(tmp_path / "ledger") == 0
    finally:
        os.kill(server.pid, signal.SIGCONT)
    # Two doorbells of half a second's patience at most: the page's and the timeline's.
    assert took < 1.5
    _tick_until_over([run])
    assert now(run).status == "succeeded"
    assert effects(tmp_path / "ledger") == 1


def test_a_worker_killed_between_claim_and_start_leaves_an_outcome_unknown(tmp_path: Path, clock: object) -> None:
    place = walk(command(effect(tmp_path / "ledger", "true")))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    connections.close_all()
    child = os.fork()
    if child == 0:
        runner.claim(run_id=run.pk, host="here", owner="a test")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert now(run).status == "claimed"
    tasks.run_command(run.pk)
    clock.advance(seconds=36)  # type: ignore[attr-defined]
    reaper.tick()
    assert now(run).status == "outcome_unknown"
    tasks.run_command(run.pk)
    assert effects(tmp_path / "ledger") == 0


def test_postgresql_restarting_under_a_command_costs_nothing(tmp_path: Path, start_worker: StartWorker) -> None:
    start_worker()
    [server] = [server for server in _servers if type(server).__name__ == "Postgres"]
    script = effect(tmp_path / "ledger", "for i in $(seq 40); do echo line $i; sleep 0.1; done; exit 8")
    place = walk(command(script))
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    until(lambda: b"line 3" in output_of(run))
    connections.close_all()
    port = server.port
    # Not in a hurry: this test's server does not flush its log, so an immediate stop would forget commits.
    server.stop()
    assert not pids.started_at(server.pid)
    server.start()
    assert server.port == port, "the server came back elsewhere"
    run = ended(run, 20)
    assert (run.status, run.exit_code) == ("failed", 8)
    assert output_of(run).decode().splitlines() == [f"line {i}" for i in range(1, 41)]
    assert effects(tmp_path / "ledger") == 1


def _tick_until_over(runs: list[CommandRun]) -> None:
    """What the engine does, until every attempt has an end."""
    ids = [run.pk for run in runs]
    deadline = time.monotonic() + 30
    while CommandRun.objects.filter(pk__in=ids, status__in=["queued", "claimed", "running"]).exists():
        assert time.monotonic() < deadline, "not all attempts have ended"
        reaper.tick()
        time.sleep(0.3)
