"""What tells a page which of its parts would look different by now, and what it showed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from runbooks.choices import Risk, RunStatus
from runbooks.models import StepRun
from runbooks.step_views import CommandView, StepView
from runbooks.walk import SETTLED, from_before

# What leads on from a step, and is its one filled button.
DECIDE, COMMAND, VALUES, WAIT, DONE, NOTHING = "decide", "command", "values", "wait", "done", ""


def tokens(
    view: StepView,
    runs: Sequence[StepRun],
    *,
    may_act: bool,
    may_run: bool,
    turns: Mapping[str, object] | None = None,
    leads: str = "",
) -> dict[str, str]:
    """A short mark per part of the page, another one whenever that part would look different (output excepted).

    The page sends back what it shows, and only the parts that changed are drawn again: what somebody
    types or has opened in the others stays.
    """
    states = [(run.pk, run.status, run.reason) for run in runs]
    own = view.run
    settled = [status in SETTLED for _, status, _ in states]
    parts: dict[str, object] = {
        "head": (view.state, view.position in from_before(runs)),
        "rail": (states, view.position, from_before(runs)),
        "reads": (len(view.reads), [c.latest and c.latest.status for c in view.commands], may_run),
        "foot": (own.status, own.reason, own.note, view.busy, settled, may_act),
    }
    parts["foot"] = (parts["foot"], sorted(own.ticked), leads)
    parts |= {name: (parts.get(name), turn, may_act) for name, turn in (turns or {}).items()}
    for item in view.items:
        parts[f"item-{item.index}"] = (item.ticked, dict(item.observed), view.settled, may_act)
    for command in view.commands:
        tries = [(run.pk, run.status, run.stop_requested_at is not None) for run in command.runs]
        seen = [dict(item.observed) for item in command.expected]
        asked = command.approval.mark if command.approval else None
        first = leads == COMMAND and command.index == primary(view.commands)
        parts[f"act-{command.index}"] = (tries, seen, command.missing, may_act, may_run, asked, first)
    return {name: mark(part) for name, part in parts.items()}


def mark(part: object) -> str:
    """A short text that differs whenever `part` does."""
    return sha256(repr(part).encode()).hexdigest()[:8]


def digest(command: CommandView) -> str:
    """What a person sees before confirming: the resolved text. A confirmation of another text is refused."""
    return sha256("".join(piece.text for piece in command.pieces).encode()).hexdigest()[:32]


def leads(view: StepView, *, deciding: bool, waits: Iterable[bool | None]) -> str:
    """What a person does next here; nothing while only time, or an item of the list, is in the way.

    `waits` are those that the text asks for: None has not begun, True goes on.
    """
    if deciding:
        return DECIDE
    first = primary(view.commands)
    if first is not None:
        return VALUES if view.commands[first].missing else COMMAND
    clocks = list(waits)
    if None in clocks:
        return WAIT
    return NOTHING if True in clocks or not all(item.ticked for item in view.items) else DONE


def attempts(commands: Iterable[CommandView]) -> dict[int, int]:
    """The numbers that the next attempts of the commands get, by command."""
    return {command.index: command.following for command in commands}


def attempts_said(expected: Mapping[int, int]) -> str:
    """Attempts by command in a form: `0:1 2:3`."""
    return " ".join(f"{index}:{attempt}" for index, attempt in expected.items())


def primary(commands: Iterable[CommandView]) -> int | None:
    """The command whose button is the step's main one: the first without a success; None if there is none left."""
    for command in commands:
        if command.gate != Risk.BLOCKED and (command.latest is None or command.latest.status != RunStatus.SUCCEEDED):
            return command.index
    return None
