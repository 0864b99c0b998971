"""Attempts of commands for the benchmarks, recorded by the functions that record them in earnest."""

from collections.abc import Sequence

from django.contrib.auth.models import User

from erpops import clock
from incidents import lifecycle
from incidents.models import Environment
from runbooks import executions, runner
from runbooks.cutting import Cutter
from runbooks.models import CommandRun, Execution, Runbook

BATCH = 32


def walk() -> Execution:
    """A walk of the fire drill, held by the admin, for an incident of its own."""
    admin = User.objects.get(username="admin")
    place = Environment.objects.get(name="self")
    incident = lifecycle.open_incident(title="Benchmark", severity="SEV4", environment=place, by=admin)
    return executions.start(
        runbook=Runbook.objects.get(slug="fire-drill"), incident=incident, environment=place, by=admin
    )


def attempt(*, status: str) -> CommandRun:
    """An attempt that nothing carries out."""
    execution = walk()
    return CommandRun.objects.create(
        step_run=execution.steps.order_by("position")[0],
        command=0,
        kind="shell",
        text="seq",
        script="seq",
        risk="read",
        digest="x",
        queue="env.self",
        status=status,
        requested_by=execution.started_by,
        queued_at=clock.now(),
        started_at=clock.now(),
    )


def prints(run: CommandRun, lines: int) -> None:
    """What a command that prints `lines` lines leads to, in batches as its supervisor records them."""
    cutter = Cutter(run.pk)
    text = "".join(f"line {n} of a long and boring output that fills half of the row\n" for n in range(1, lines + 1))
    data = text.encode()
    at = clock.now()
    for start in range(0, len(data), 65_536 * 4):
        for begin in range(start, min(start + 65_536 * 4, len(data)), 65_536):
            cutter.feed("out", data[begin : begin + 65_536], at=at)
        _record(run, cutter, final=start + 65_536 * 4 >= len(data))


def _record(run: CommandRun, cutter: Cutter, *, final: bool) -> None:
    chunks: Sequence = cutter.take(at=clock.now(), final=final)
    for start in range(0, len(chunks), BATCH):
        some = chunks[start : start + BATCH]
        if not runner.record_output(run=run, chunks=some, output_bytes=cutter.total, dropped_bytes=0):
            raise RuntimeError("The output could not be recorded.")
