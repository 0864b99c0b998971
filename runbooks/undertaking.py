"""From a doorbell to an attempt that may be started: the claim, the check, the launch, in that order.

Each act is committed on its own, and finds what an earlier try of it has done.
"""

import logging
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, InternalError, OperationalError, connection

from erpops.failpoints import failpoint
from runbooks import containment, runner, secret_values, variables
from runbooks.choices import Risk, RunStatus
from runbooks.executors import CannotStart, Job, Launch, executors, identified, waiting
from runbooks.models import CommandRun
from runbooks.parameters import Bound
from runbooks.refusals import Refused
from runbooks.spool import Spool

logger = logging.getLogger(__name__)

# Well within a lease: what was claimed must not be taken over while it is being started.
PATIENCE_S, RETRY_S = 10.0, 0.2
T = TypeVar("T")


@dataclass(frozen=True)
class Prepared:
    """An attempt that is said to run, with all that its supervisor has to know.

    `held_since` (monotonic) is when its lease was asked for.
    """

    run: CommandRun
    launch: Launch
    secrets: Mapping[str, str]
    endless: bool
    held_since: float


def claim(run_id: int) -> CommandRun | None:
    """Take a queued attempt; None if there is nothing to do: the message was doubled, late or forged."""
    act = partial(runner.claim, run_id=run_id, host=socket.gethostname(), owner=uuid.uuid4().hex)
    run = _patiently(act)
    if run is not None:
        failpoint("claim.committed")
    return run


def begin(run: CommandRun) -> Prepared | None:
    """Say that a claimed attempt runs, once everything is ready for it; None if it has ended instead, or is lost."""
    try:
        prepared = _patiently(lambda: prepare(run, runner.recheck(run)))
        if run.risk != Risk.READ:
            # Nothing that decides the effect has changed while it was prepared.
            _patiently(lambda: runner.recheck(run))
    except (Refused, CannotStart) as refusal:
        outcome = runner.Outcome(RunStatus.NOT_STARTED, reason=str(refusal))
        _patiently(lambda: runner.finish(run=run, outcome=outcome))
        return None
    prepared = replace(prepared, held_since=time.monotonic())
    if _patiently(lambda: runner.started(run=run, containment=containment.level())):
        failpoint("start.committed")
        return prepared
    _patiently(lambda: runner.finish(run=run, outcome=runner.why_not_started(run)))
    return None


def prepare(run: CommandRun, bound: Bound) -> Prepared:
    """Everything that the supervisor has to know, from what was bound; raises `CannotStart` with a sentence."""
    given = variables.of(run.step_run.execution.environment)
    home = Spool(run.pk).work
    env = variables.process_environment(given=given, bound=bound.env, home=str(home))
    limit_s = runner.READ_LIMIT_S if run.waits else run.timeout_s
    job = Job(bound.script, env, bound.env, run.risk, given.places, home, limit_s, given.shell_host, given.folder)
    launch = identified(executors[run.kind](job), run.pk)
    if run.waits:
        launch = waiting.until_holds(launch, runner.expected_of(run), try_s=limit_s)
    launch = replace(launch, files={**given.files, **launch.files})
    secrets = {**given.secrets, **secret_values.of(run.values)}
    return Prepared(run, launch, secrets, "endless" in runner.flags_of(run), held_since=time.monotonic())


def _patiently(act: Callable[[], T]) -> T:
    """`act`, and again for a few seconds while the database does not answer: nobody knows whether it was done."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError, InternalError) as error:
            if connection.in_atomic_block or time.monotonic() >= deadline:
                raise
            logger.warning("The database did not answer: %s", str(error).strip()[:200])
            connection.close()
            time.sleep(RETRY_S)
