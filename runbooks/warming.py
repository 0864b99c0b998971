"""Going through an attempt with nothing in it: whatever a process does for the first time takes it much longer.

A process that was just forked copies each page of memory that it touches, and PostgreSQL reads its catalogue and plans
each statement anew for every connection. So a spare does once, before there is an attempt, all that stands between the
doorbell and the first line of output, for an attempt that no row belongs to: nothing is claimed, written or started.
"""

import time
from contextlib import suppress
from functools import cache
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from erpops import claims, clock
from incidents.models import Environment
from runbooks import executions, intent, runner, undertaking
from runbooks.choices import Risk, RunStatus
from runbooks.compiler import compile_text
from runbooks.cutting import Cutter
from runbooks.executors import CannotStart
from runbooks.models import CommandRun, Execution, OutputChunk, Runbook, StepRun, Version
from runbooks.recording import Recorder
from runbooks.redact import Masker

_TEXT = "# Nothing\n\n## Diagnosis\n\n1. **Say something**\n\n   ```bash\n   echo something\n   ```\n"


@cache
def compiled() -> dict[str, Any]:
    """A runbook with one reading command, for whoever forks to have ready."""
    found: dict[str, Any] = dict(compile_text(_TEXT, path="nothing.md")["runbooks"][0])
    return found


def go_through() -> None:
    """Connect, and do everything on the way to the first line. Raises `DatabaseError` while there is no database."""
    _plan_once()
    nobody = CommandRun.objects.filter(pk=0)
    claims.take(nobody.filter(status=RunStatus.QUEUED), lease_s=0, owner="", status=RunStatus.CLAIMED, host="")
    nobody.filter(status=RunStatus.CLAIMED, claimed_by="").first()
    with suppress(StepRun.DoesNotExist):
        runner.STEPS.get(pk=0)
    run = _nobodys()
    with suppress(CannotStart):
        undertaking.prepare(run, intent.of(step_run=run.step_run, command=0).bound)
    runner.started(run=run, containment="")
    with suppress(CommandRun.DoesNotExist):
        run.refresh_from_db(fields=["status", "started_at", "containment"])
    Recorder(run, held_since=time.monotonic())
    runner.record_output(run=run, chunks=_chunks(), output_bytes=0, dropped_bytes=0)


def _plan_once() -> None:
    """A statement of this connection is planned at its first time, here, and not for each value anew."""
    connection.ensure_connection()
    if connection.connection.prepare_threshold is None:
        # A pooler may give each transaction another connection.
        return
    connection.connection.prepare_threshold = 0
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")


def _nobodys() -> CommandRun:
    """An attempt of a number that no row has."""
    runbook = Runbook(pk=0, slug="nothing")
    version = Version(pk=0, runbook=runbook, compiled=compiled(), sha256="")
    execution = Execution(pk=0, version=version, environment=Environment(pk=0, name="nowhere"))
    step = StepRun(pk=0, execution=execution, position=0, phase=0, step=0)
    command = executions.commands_of(step)[0]
    return CommandRun(
        pk=0,
        step_run=step,
        command=0,
        kind=command["kind"],
        text=command["text"],
        script=command["text"],
        risk=Risk.READ,
        status=RunStatus.CLAIMED,
        requested_by=User(pk=0),
    )


def _chunks() -> list[OutputChunk]:
    """One line of output, as it comes out of redaction and cutting."""
    masker, cutter, now = Masker({"nothing": "nothing at all"}), Cutter(0), clock.now()
    cutter.feed("out", masker.feed(b"something\n"), at=now)
    cutter.feed("out", masker.flush(), at=now)
    return cutter.take(at=now, final=True)
