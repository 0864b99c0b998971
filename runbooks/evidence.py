"""Lines of output that somebody pinned as evidence: acts on the timeline, or in the procedure's journal.

What is pinned is quoted there, so it stays when output is cleared away. Nothing is deleted: taking
a pin away is an act of its own that names the first one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from incidents.access import may_operate
from incidents.chronicle import PINNED, UNPINNED, withdrawn
from incidents.models import TimelineEvent
from incidents.queries import name_of
from runbooks import addresses, executions, output
from runbooks.models import CommandRun, Execution, JournalEntry, StepRun
from runbooks.refusals import Refused

MOST_LINES, MOST_CHARS = 200, 20_000


@dataclass(frozen=True)
class Pin:
    """A pin that stands: `seq` is its act's number, `quote` the lines as they were."""

    seq: int
    first: int
    last: int
    quote: str
    who: str
    at: datetime

    @property
    def lines(self) -> str:
        return in_words(self.first, self.last)


def pin(*, run: CommandRun, first: int, last: int, by: User) -> None:
    """Quote the lines `first` to `last` on the timeline, with the way back to them. Twice is once."""
    execution = run.step_run.execution
    _require_operator(execution, by)
    if not 0 < first <= last:
        raise Refused("Say which lines: the first one, and the last one not before it.")
    if last - first >= MOST_LINES:
        raise Refused(f"At most {MOST_LINES} lines are pinned at once; link to the first of them instead.")
    found = output.lines(run=run, first=first, last=last)
    if not found or found[-1].number < last:
        raise Refused(f"There is no line {last} in this output.")
    quote = "\n".join(line.text for line in found)
    if len(quote) > MOST_CHARS:
        raise Refused(f"At most {MOST_CHARS:,} characters are pinned at once; pin fewer lines.")
    with transaction.atomic():
        step = _locked(run)
        if any((each.first, each.last) == (first, last) for each in pins(run=run)):
            return
        said = f"pinned {in_words(first, last)} of `{_short(run.text)}`, step {step.position + 1}"
        url = f"{addresses.of_run(execution, 'run_output', run.pk)}{anchor(first, last)}"
        where: dict[str, Any] = {"run": run.pk, "first": first, "last": last, "quote": quote, "url": url}
        executions.tell_step(step, PINNED, said, by, **where)


def unpin(*, run: CommandRun, seq: int, by: User) -> None:
    """Take a pin away; it stays in the timeline as withdrawn."""
    _require_operator(run.step_run.execution, by)
    with transaction.atomic():
        step = _locked(run)
        standing = next((each for each in pins(run=run) if each.seq == seq), None)
        if standing is None:
            return
        said = f"took the pin from {standing.lines} of `{_short(run.text)}`, step {step.position + 1}"
        executions.tell_step(step, UNPINNED, said, by, run=run.pk, of=seq)


def pins(*, run: CommandRun) -> list[Pin]:
    """The pins of an attempt that stand, in the order of their lines."""
    acts = _acts(run.step_run.execution)
    gone = withdrawn(acts)
    found = acts.filter(kind=PINNED, data__run=run.pk).select_related("actor")
    standing = [act for act in found.order_by("seq") if act.seq not in gone]
    made = [
        Pin(act.seq, act.data["first"], act.data["last"], act.data["quote"], name_of(act.actor), act.at)
        for act in standing
    ]
    return sorted(made, key=lambda each: (each.first, each.last))


def anchor(first: int, last: int) -> str:
    """The end of the address of lines: #L12, or #L12-L20."""
    return f"#L{first}" if first == last else f"#L{first}-L{last}"


def in_words(first: int, last: int) -> str:
    """Lines as people say them."""
    return f"line {first}" if first == last else f"lines {first}–{last}"


def _acts(execution: Execution) -> QuerySet[Any]:
    if execution.incident_id is None:
        return JournalEntry.objects.filter(execution=execution)
    return TimelineEvent.objects.filter(incident=execution.incident_id)


def _locked(run: CommandRun) -> StepRun:
    """Two clicks queue here, so the second finds what the first has done."""
    step = run.step_run
    executions.lock(step)
    return step


def _require_operator(execution: Execution, by: User) -> None:
    if not may_operate(by, execution.environment):
        raise Refused(f"Working in {execution.environment.label} is not among your permissions.", code="permission")


def _short(text: str) -> str:
    line = " ".join(text.split()).replace("`", "'")
    return line if len(line) <= 80 else line[:79] + "…"
