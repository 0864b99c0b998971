"""The output viewer of one attempt: what stands in it when a page is rendered."""

from dataclasses import dataclass

from django.utils.safestring import SafeString

from erpops.templatetags.words import duration
from runbooks import addresses, exit_words, output
from runbooks.choices import TERMINAL_RUNS, RunStatus
from runbooks.models import CommandRun, Execution

_KNOWN = output.Page(SafeString(""), 0, 0, 0, 0)
_CONTAINMENT = {
    "cgroup": "held in a cgroup",
    "pidns": "held in a process namespace",
    "subreaper": "held by its supervisor",
}


@dataclass(frozen=True)
class Viewer:
    """What components/output.html needs. `seq` is the cursor behind the last line in `lines`."""

    run: CommandRun
    lines: SafeString
    seq: int
    earlier_url: str
    raw_url: str
    page_url: str
    pin_url: str
    find_url: str
    status_text: str
    where: str
    fresh: bool

    @property
    def ended(self) -> bool:
        return self.run.status in TERMINAL_RUNS


def viewer(run: CommandRun, execution: Execution, *, known: bool = False, may_pin: bool = False) -> Viewer:
    """The tail of the output of `run`, an attempt in `execution`, which the person may pin lines of or only read.

    A page that knows the attempt already has its lines from the stream, so they are not read again.
    """
    tail = output.page(run=run) if not known else _KNOWN
    return Viewer(
        run=run,
        lines=tail.html,
        seq=tail.seq,
        earlier_url=addresses.of_run(execution, "run_lines", run.pk),
        raw_url=addresses.of_run(execution, "run_raw", run.pk),
        page_url=addresses.of_run(execution, "run_output", run.pk),
        pin_url=addresses.of_run(execution, "run_pin", run.pk) if may_pin else "",
        find_url=addresses.of_walk(execution, "walk_output"),
        status_text=status_text(run),
        where=asked_by(run),
        fresh=not known,
    )


def status_text(run: CommandRun) -> str:
    """How it went, in one line: exit in words, duration, size, host, what held it in."""
    parts = [outcome(run)]
    if run.started_at and run.ended_at:
        # Two clocks: the end is the worker's.
        took = max(0.0, (run.ended_at - run.started_at).total_seconds())
        parts.append(f"took {took:.1f} s" if took < 10 else f"took {duration(took)}")
    if run.output_bytes and run.status in TERMINAL_RUNS:
        parts.append(_size(run.output_bytes))
    if run.host:
        parts.append(f"on {run.host}")
    if run.containment:
        parts.append(_CONTAINMENT.get(run.containment, run.containment))
    if run.dropped_bytes:
        parts.append(f"{_size(run.dropped_bytes)} in the middle not kept")
    return " · ".join(parts)


def outcome(run: CommandRun) -> str:
    """The result as a sentence's beginning, with the reason where there is one."""
    said = {
        RunStatus.QUEUED: "Waiting for a worker",
        RunStatus.CLAIMED: "Starting",
        RunStatus.RUNNING: "Running",
        RunStatus.SUCCEEDED: "Succeeded, exit 0",
        RunStatus.FAILED: _failure(run),
        RunStatus.TIMED_OUT: f"Stopped at its time limit of {duration(run.timeout_s)}",
        RunStatus.STOPPED: "Stopped",
        RunStatus.STOP_UNCONFIRMED: f"Stop unconfirmed: it may still run on {run.host or 'the worker'}",
        RunStatus.NOT_STARTED: "Not started",
        RunStatus.OUTCOME_UNKNOWN: "Outcome unknown: the worker vanished while it ran",
    }[RunStatus(run.status)]
    if run.status in {RunStatus.QUEUED, RunStatus.CLAIMED, RunStatus.RUNNING} and run.stop_requested_at:
        said = "Stopping"
    return f"{said} — {run.reason}" if run.reason else said


def _failure(run: CommandRun) -> str:
    code = run.exit_code
    if code is None:
        return "Failed"
    if code < 0:
        return f"Failed, killed by signal {-code}"
    said = exit_words.of(kind=run.kind, script=run.text, code=code)
    return f"Failed, exit {code}" + (f" ({said})" if said else "")


def asked_by(run: CommandRun) -> str:
    """Under whose name it ran."""
    person = run.requested_by
    return f"asked by {person.get_full_name() or person.get_username()}"


def _size(count: int) -> str:
    return (
        f"{count} B" if count < 1024 else f"{count / 1024:.0f} KB" if count < 1024**2 else f"{count / 1024**2:.1f} MB"
    )
