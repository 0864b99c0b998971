"""Workers that die as they are told: a forked process that does with one message what a worker's process does."""

import os
import signal
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, connections

from checks.choices import TargetKind
from checks.models import Target
from erpops import beats, failpoints, pids
from incidents import lifecycle
from incidents.models import Environment
from runbooks import executions, reaper, runner, tasks
from runbooks.choices import TERMINAL_RUNS
from runbooks.gate import Confirmation
from runbooks.models import CommandRun
from runbooks.spool import Spool
from runbooks.variables import SELF
from tests.clock import Clock
from tests.faults.deeds import Deed
from tests.faults.world import World, is_stopped, wait_status
from tests.runbooks.builders import Walk, compiled, person, phase, publish, step
from tests.runbooks.running import now, until, wait_all_gone

# Within this time of a worker's death everybody must see that its command's outcome is unknown.
SEEN_WITHIN_S = 30


def walk_of_deeds(world: World, server: str, deeds: Sequence[Deed]) -> Walk:
    """A walk in the console's own environment whose one step has a command for each deed."""
    place, _ = Environment.objects.get_or_create(name=SELF, defaults={"label": "Self"})
    if server:
        Target.objects.create(name="world", kind=TargetKind.HTTP, address=server, environment=place)
    user = person("op", "operator")
    incident = lifecycle.open_incident(title="Something broke", severity="SEV2", environment=place, by=user)
    [shelved] = publish(compiled("Deeds", phase("diagnosis", step("Do", *[d.compiled(world, server) for d in deeds]))))
    beats.beat(role="worker", queues=[runner.queue_of(place)])
    return Walk(executions.start(runbook=shelved, incident=incident, environment=place, by=user), user, incident)


def ask(world: World, place: Walk, deeds: Sequence[Deed], index: int) -> CommandRun:
    """Ask for the attempt of one deed, with a token of its own."""
    beats.beat(role="worker", queues=[runner.queue_of(place.execution.environment)])
    token = world.token()
    yes = Confirmation(yes=True, reason="a test", target=SELF)
    values = {"attempt": token}
    run = runner.request(step_run=place.step(), command=index, by=place.user, values=values, confirmation=yes)
    world.promise(run.pk, token, deeds[index].exit_code)
    return run


def in_child(act: Callable[[], object], *, armed: str = "") -> int:
    """The pid of a forked process that does `act`, with a failpoint of its own, and ends."""
    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        failpoints.arm(armed)
        act()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def deliver(run: CommandRun, *, armed: str = "", **connecting: Any) -> int:
    """The pid of a process that gets the message about an attempt; `connecting` are its own database settings."""

    def work() -> None:
        connection.settings_dict.update(connecting)
        tasks.run_command(run.pk)

    return in_child(work, armed=armed)


def wait_ended(children: Sequence[int], seconds: float = 20) -> list[int]:
    """How each of these children ended."""
    found: dict[int, int] = {}

    def over() -> bool:
        for pid in children:
            if pid not in found and (status := wait_status(pid)) is not None:
                found[pid] = status
        return len(found) == len(children)

    until(over, seconds)
    return [found[pid] for pid in children]


def kill_supervisor(run: CommandRun) -> None:
    """SIGKILL to an attempt's supervisor, if it lives."""
    pids.signal_same(*Spool(run.pk).supervisor(), signal.SIGKILL)


def wait_stopped(pid: int) -> None:
    """Until a process stands still."""
    until(lambda: is_stopped(pid), 15)


def seen_by_the_engine(runs: Sequence[CommandRun], clock: Clock) -> list[CommandRun]:
    """The attempts as the engine's clean-up leaves them when the time is over in which it must be done."""
    wait_all_gone()
    clock.advance(seconds=SEEN_WITHIN_S)
    return settled(runs)


def settled(runs: Sequence[CommandRun]) -> list[CommandRun]:
    """The attempts, once the clean-up has found an end for each; no further time passes in the database."""

    def over() -> bool:
        # The statement that a dead process had sent may hold the row for a moment.
        reaper.tick()
        return all(now(run).status in TERMINAL_RUNS for run in runs)

    until(over, 15)
    return [now(run) for run in runs]
