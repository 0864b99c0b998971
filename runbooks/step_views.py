"""One step of an execution as a page shows it: its text, values, commands and their attempts. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from django.utils.safestring import SafeString

from incidents import markdown
from runbooks import by_hand, needed, targeted, units
from runbooks.answers import Answer, Known, answers
from runbooks.approval_views import Standing
from runbooks.choices import ExecutionStatus, Risk
from runbooks.command_views import CommandView, Expectation, ItemView
from runbooks.compiler.assertions import judge
from runbooks.gate import needs_approval, rung
from runbooks.models import CommandRun, Execution, StepRun
from runbooks.resolved import pieces
from runbooks.walk import (
    PHASES,
    SETTLED,
    commands_of,
    decider_of,
    plain,
    prose_of,
    state_of,
    step_of,
)

_FLAGS = {
    "endless": "Never ends by itself; it runs until its time limit.",
    "interactive": "Asks questions while it runs.",
    "long": "May take minutes.",
    "root": "Needs root.",
    "outage": "Users will notice.",
    "opaque": "A script whose effect cannot be seen from here.",
    "secret": "May print a secret.",
}


# The page says "Expected" itself.
_LEAD = re.compile(r"^expected( output| result)?\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class StepView:
    """One step, opened."""

    run: StepRun
    position: int
    total: int
    title: str
    phase: str
    kind: str
    state: str
    optional: bool
    time_box_s: int | None
    prose: list[SafeString]
    links: list[str]
    blocks: list[Mapping[str, Any]]
    items: list[ItemView]
    around: list[SafeString]
    parameters: list[Answer]
    environment: list[Answer]
    commands: list[CommandView]

    @property
    def number(self) -> int:
        return self.position + 1

    @property
    def settled(self) -> bool:
        return self.run.status in SETTLED

    @property
    def busy(self) -> bool:
        return any(command.live for command in self.commands)

    @property
    def reads(self) -> list[CommandView]:
        """What "Run all reads" would run now: the commands before the first that may not be run like that."""
        return list(_until_blocked(self.commands))

    @property
    def missing(self) -> list[str]:
        return [answer.name for answer in self.parameters if not answer.value]


def _until_blocked(commands: Iterable[CommandView]) -> Iterable[CommandView]:
    for command in commands:
        if command.gate != Risk.READ or not command.ready:
            return
        yield command


def step_view(
    execution: Execution,
    runs: Sequence[StepRun],
    *,
    position: int,
    attempts: Mapping[int, Sequence[CommandRun]],
    known: Known,
    provided: frozenset[str] = frozenset(),
    runnable: frozenset[str] = frozenset({"shell"}),
    there: frozenset[str] | None = None,
    targets: frozenset[str] = frozenset(),
    links: Callable[[str], str] = str,
    approvals: Mapping[int, Standing] | None = None,
) -> StepView:
    """The step at `position` of `runs`. `attempts` are its CommandRuns by command, newest first.

    `known` may fill a parameter that nobody gave; `provided` are the variables that the environment gives to every
    command, which nobody is asked for; `runnable` are the kinds that have an executor; `there` are the programs of its
    workers, None if none has said so; `targets` are the kinds of its targets; `links` rewrites the text's links;
    `approvals` are the latest by command.
    """
    run = runs[position]
    compiled = execution.version.compiled
    step = step_of(compiled, run)
    phase = compiled["phases"][run.phase]
    commands = [units.as_run(compiled, command) for command in commands_of(step)]
    belongs = [None] * len(step.get("commands", [])) + _items_of_commands(step)
    asked = [_asked(command, provided) for command in commands]
    answered, values = _answered(execution, asked, known, position)

    def view(index: int) -> CommandView:
        command = commands[index]
        level = rung(risk=command["risk"], environment=execution.environment)
        because = _because(command, runnable, there, execution.environment.folder) or targeted.lacking(
            command, targets, provided
        )
        shown = _command(index, command, asked[index], values, run, level=level, because=because)
        shown = replace(shown, item=belongs[index], runs=list(attempts.get(index, ())))
        return _decided(shown, execution, (approvals or {}).get(index), command)

    return StepView(
        run=run,
        position=position,
        total=len(runs),
        title=plain(step["title"]),
        phase=phase["heading"] or PHASES.get(phase["phase"], ""),
        kind=_kind(step, phase["phase"]),
        state=state_of(run, viewed=execution.status == ExecutionStatus.ACTIVE),
        optional=bool(step.get("optional")),
        time_box_s=step.get("time_box_s"),
        prose=[markdown.render(links(text)) for text in _prose(step)],
        links=[link for link in step.get("links", []) if link.startswith(("http://", "https://"))],
        blocks=step.get("blocks", []),
        items=[_item(index, item, run, links) for index, item in enumerate(step.get("items", []))],
        around=_around(phase, links) if run.step == 0 and phase["steps"] else [],
        parameters=answered,
        environment=_provided_here(commands, provided, known),
        commands=[view(index) for index in range(len(commands))],
    )


def _prose(step: Mapping[str, Any]) -> list[str]:
    """The text of the step, without what a command is expected to print: that stands at the command."""
    expected = {plain(item["text"]) for command in commands_of(step) for item in command["expected"]}
    return [item["text"] for item in prose_of(step) if plain(item["text"]) not in expected]


def _decided(
    shown: CommandView, execution: Execution, approval: Standing | None, command: Mapping[str, Any]
) -> CommandView:
    """The view with what a person decides by: another's approval, or how to find out how it ended."""
    if needs_approval(risk=command["risk"], environment=execution.environment):
        shown = replace(shown, approved_by_another=True, approval=approval)
    return replace(shown, decider=decider_of(execution.version.compiled, command)) if shown.unsettled else shown


def _expected(index: int, command: Mapping[str, Any], run: StepRun) -> list[Expectation]:
    """What the command should print, with what a person saw."""
    named = [(f"command:{index}:{at}", item) for at, item in enumerate(command["expected"])]
    return [
        Expectation(_LEAD.sub("", item["text"]), item["assertion"], observed=run.observed.get(about, {}), about=about)
        for about, item in named
    ]


def _because(command: Mapping[str, Any], runnable: frozenset[str], there: frozenset[str] | None, folder: str) -> str:
    """Why a command cannot run here, in a sentence; empty if it can."""
    return by_hand.why(command, command["kind"] in runnable) or needed.lacking(command, there, folder)


def _kind(step: Mapping[str, Any], phase: str) -> str:
    """What the step asks of a person: run something, tick a list, verify, or do it by hand."""
    if step.get("items"):
        return "verify" if phase == "verification" else "checklist"
    return "commands" if step.get("commands") else "manual"


def _item(index: int, item: Mapping[str, Any], run: StepRun, links: Callable[[str], str]) -> ItemView:
    text = markdown.render(links(item["text"]))
    depth, group = min(item.get("depth", 0), 2), plain(item.get("group", ""))
    observed = run.observed.get(f"item:{index}", {})
    return ItemView(index, group, text, depth, index in run.ticked, item.get("blocks", []), observed)


def _items_of_commands(step: Mapping[str, Any]) -> list[int | None]:
    """For each command of the step's list, the item that it belongs to."""
    return [index for index, item in enumerate(step.get("items", [])) for _ in item.get("commands", [])]


def _around(phase: Mapping[str, Any], links: Callable[[str], str]) -> list[SafeString]:
    """What the text says in a phase outside its steps; it is shown with the first of them."""
    bullets = "\n".join(f"- {item['text']}" for item in phase["items"])
    return [markdown.render(links(text)) for text in (*(item["text"] for item in phase["prose"]), bullets) if text]


def _asked(command: Mapping[str, Any], provided: frozenset[str]) -> list[Mapping[str, Any]]:
    """The parameters that a person fills: all but the variables that the environment gives."""
    return [p for p in command["parameters"] if not (p["notation"] == "env" and p["name"] in provided)]


def _answered(
    execution: Execution, asked: Iterable[Iterable[Mapping[str, Any]]], known: Known, position: int
) -> tuple[list[Answer], dict[str, str]]:
    """What is known of the parameters of the step at `position`, and the values by name."""
    given, origins = execution.values, execution.origins
    found = answers(chain.from_iterable(asked), given=given, known=known, origins=origins, position=position)
    return found, {answer.name: answer.value for answer in found}


def _provided_here(commands: Iterable[Mapping[str, Any]], provided: frozenset[str], known: Known) -> list[Answer]:
    """The variables of the environment that the step's commands use."""
    names = {p["name"]: p["type"] for c in commands for p in c["parameters"] if p["notation"] == "env"}
    return [Answer(name, kind, known.shown(name), "environment") for name, kind in names.items() if name in provided]


def _command(
    index: int,
    command: Mapping[str, Any],
    asked: Sequence[Mapping[str, Any]],
    values: Mapping[str, str],
    run: StepRun,
    *,
    level: str,
    because: str,
) -> CommandView:
    effects = [why["effect"] for why in command.get("why", []) if why.get("effect")]
    told = {why["about"] for why in command.get("why", []) if why.get("effect")}
    return CommandView(
        index=index,
        kind=command["kind"],
        item=None,
        label=command.get("label") or "",
        risk=command["risk"],
        gate=Risk.BLOCKED if because else level,
        because=because,
        text=command["text"],
        pieces=pieces(command["text"], asked, values),
        warnings=[_FLAGS[f] for f in command["flags"] if f in _FLAGS and f"flag:{f}" not in told]
        + command["told"]
        + effects,
        expected=_expected(index, command, run),
        notes=[note["text"] for note in command.get("notes", []) if note["text"] != command.get("label")],
        missing=list(dict.fromkeys(item["name"] for item in asked if not values.get(item["name"]))),
        may_wait=units.may_wait(command),
    )


def judged(expected: Iterable[Expectation], output: str, exit_code: int | None) -> list[Expectation]:
    """The expectations beside what a command printed: a suggestion for the operator, never a decision."""
    found = []
    for item in expected:
        verdict = judge(item.assertion, output, exit_code)
        found.append(replace(item, ok=verdict.ok, reason=verdict.reason))
    return found


def waited(expected: Iterable[Expectation], held: bool) -> list[Expectation]:
    """The expectations after an attempt that waited for them: its output holds all tries, so its end says it."""
    reason = "it held at the last try" if held else "it did not hold in time"
    return [replace(item, ok=held, reason=reason) if item.assertion else item for item in expected]
