"""One step of an execution as a page shows it: its text, values, commands and their attempts. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain
from typing import Any

from django.utils.safestring import SafeString

from incidents import markdown
from runbooks import needed, secret_values, targeted, units
from runbooks.approval_views import Standing
from runbooks.choices import TERMINAL_RUNS, Risk, RunStatus
from runbooks.compiler.assertions import judge
from runbooks.gate import needs_approval, rung
from runbooks.models import CommandRun, Execution, StepRun
from runbooks.resolved import Piece, marked, pieces
from runbooks.walk import (
    PHASES,
    SETTLED,
    Decider,
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
class Answer:
    """The value of a parameter and where it came from: given, alert, environment, text or nowhere."""

    name: str
    type: str
    value: str = ""
    source: str = ""

    @property
    def is_secret(self) -> bool:
        return secret_values.is_secret(self.name)

    @property
    def provenance(self) -> str:
        return {"alert": "from the alert", "text": "from the runbook", "given": "given here"}.get(self.source, "")


@dataclass(frozen=True)
class Expectation:
    """What a command should print. `ok` is None as long as only a person can say; `reason` says what was compared."""

    text: str
    assertion: dict[str, Any] | None = None
    ok: bool | None = None
    reason: str = ""
    # What a person saw where no machine can judge, as `runbooks.observing` keeps it, and what the answer names.
    observed: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True)
class CommandView:
    """One command of a step with its attempts, newest first. `because` says why it cannot run here."""

    index: int
    kind: str
    item: int | None
    label: str
    risk: str
    gate: str
    because: str
    text: str
    pieces: list[Piece]
    warnings: list[str]
    expected: list[Expectation]
    notes: list[str]
    missing: list[str]
    runs: list[CommandRun] = field(default_factory=list)
    # It can be tried again until its expected result holds.
    may_wait: bool = False
    # What the runbook names to find out how it ended.
    decider: Decider | None = None
    # It destroys in production: another lead has to approve it, and where that stands.
    approved_by_another: bool = False
    approval: Standing | None = None
    # What the view adds: the latest attempt's output, and whether the page shows another state of it.
    viewer: Any = None
    changed: bool = True

    @property
    def html(self) -> SafeString:
        """The resolved text with its values marked."""
        return marked(self.pieces)

    @property
    def place(self) -> str:
        """What distinguishes it from the others of its step."""
        return f"command {self.index + 1}"

    @property
    def earlier(self) -> list[CommandRun]:
        return self.runs[1:]

    @property
    def latest(self) -> CommandRun | None:
        return self.runs[0] if self.runs else None

    @property
    def live(self) -> bool:
        return self.latest is not None and self.latest.status not in TERMINAL_RUNS

    @property
    def unsettled(self) -> bool:
        """The last attempt has an outcome that nobody knows, so a person has to say."""
        return self.latest is not None and self.latest.status == RunStatus.OUTCOME_UNKNOWN

    @property
    def lingering(self) -> bool:
        """It was told to stop and may still run."""
        return self.latest is not None and self.latest.status == RunStatus.STOP_UNCONFIRMED

    @property
    def ready(self) -> bool:
        return not (self.missing or self.live or self.unsettled or self.lingering or self.gate == Risk.BLOCKED)

    @property
    def must_ask(self) -> bool:
        """An approval has to be asked for before it can run."""
        return self.approved_by_another and (self.approval is None or not self.approval.ready)

    @property
    def waits_for_another(self) -> bool:
        """It was asked for, and nothing but the answer is left to wait for."""
        asked = self.approval
        return self.must_ask and asked is not None and asked.open and asked.own

    @property
    def verb(self) -> str:
        """What its first button says; a command that only reads runs with it."""
        word = "Run again" if self.runs else "Run"
        return word if self.gate == Risk.READ else f"{word}…"


@dataclass(frozen=True)
class ItemView:
    """One item of a list that is ticked off, with what belongs to it."""

    index: int
    group: str
    html: SafeString
    depth: int
    ticked: bool
    blocks: list[Mapping[str, Any]]
    # What a person saw, as `runbooks.observing` keeps it.
    observed: Mapping[str, Any] = field(default_factory=dict)
    commands: list[CommandView] = field(default_factory=list)

    @property
    def about(self) -> str:
        """What an answer to it names."""
        return f"item:{self.index}"

    @property
    def printed(self) -> str:
        """What its commands came to, as a beginning of the answer; empty if none has ended."""
        ended = [command for command in self.commands if command.latest and not command.live]
        said = [item.reason for command in ended for item in command.expected if item.reason]
        return "; ".join(said or [command.latest.get_status_display() for command in ended if command.latest])[:300]


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
    condition: str
    optional: bool
    time_box_s: int | None
    options: list[str]
    prose: list[SafeString]
    links: list[str]
    blocks: list[Mapping[str, Any]]
    items: list[ItemView]
    around: list[SafeString]
    parameters: list[Answer]
    commands: list[CommandView]

    @property
    def number(self) -> int:
        return self.position + 1

    @property
    def settled(self) -> bool:
        return self.run.status in SETTLED

    @property
    def undecided(self) -> bool:
        """A branch that nobody has taken or refused yet."""
        return bool(self.condition) and not self.settled and not any(c.runs for c in self.commands)

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


def answers(
    parameters: Iterable[Mapping[str, Any]], *, given: Mapping[str, str], labels: Mapping[str, str]
) -> list[Answer]:
    """Each parameter once, with what is known: an earlier answer, else the alert's label, else the text's default."""
    known = {_key(name): str(value) for name, value in labels.items()}
    found: dict[str, Answer] = {}
    for item in parameters:
        name, kind = item["name"], item["type"]
        if name in found:
            continue
        label = known.get(_key(name), "") or (known.get(_key(kind), "") if kind != "text" else "")
        if given.get(name):
            found[name] = Answer(name, kind, str(given[name]), "given")
        elif label:
            found[name] = Answer(name, kind, label, "alert")
        else:
            default = item.get("default") or ""
            found[name] = Answer(name, kind, default, "text" if default else "")
    return list(found.values())


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def step_view(
    execution: Execution,
    runs: Sequence[StepRun],
    *,
    position: int,
    attempts: Mapping[int, Sequence[CommandRun]],
    labels: Mapping[str, str],
    provided: frozenset[str] = frozenset(),
    runnable: frozenset[str] = frozenset({"shell"}),
    there: frozenset[str] | None = None,
    targets: frozenset[str] = frozenset(),
    links: Callable[[str], str] = str,
    approvals: Mapping[int, Standing] | None = None,
) -> StepView:
    """The step at `position` of `runs`. `attempts` are its CommandRuns by command, newest first.

    `labels` are those of the incident's alerts; `provided` are the variables that the environment
    gives to every command, which nobody is asked for; `runnable` are the kinds that have an executor;
    `there` are the programs that its workers have, None if none has said so; `targets` are the kinds of
    targets that the environment has; `links` rewrites the links of the text for the page; `approvals` are the
    latest ones by command.
    """
    run = runs[position]
    compiled = execution.version.compiled
    step = step_of(compiled, run)
    phase = compiled["phases"][run.phase]
    commands = [units.as_run(compiled, command) for command in commands_of(step)]
    belongs = [None] * len(step.get("commands", [])) + _items_of_commands(step)
    asked = [_asked(command, provided) for command in commands]
    known = answers(chain.from_iterable(asked), given=execution.values, labels=labels)
    values = {answer.name: answer.value for answer in known}

    def view(index: int) -> CommandView:
        command = commands[index]
        level = rung(risk=command["risk"], environment=execution.environment)
        because = _because(command, runnable, there) or targeted.lacking(command, targets, provided)
        runs_of_it = attempts.get(index, ())
        shown = _command(
            index, command, asked[index], values, runs_of_it, level=level, because=because, item=belongs[index], run=run
        )
        return _decided(shown, execution, (approvals or {}).get(index), command)

    return StepView(
        run=run,
        position=position,
        total=len(runs),
        title=plain(step["title"]),
        phase=phase["heading"] or PHASES.get(phase["phase"], ""),
        kind=_kind(step, phase["phase"]),
        state=state_of(run, viewed=True),
        condition=plain(step.get("condition") or ""),
        optional=bool(step.get("optional")),
        time_box_s=step.get("time_box_s"),
        options=_options(phase, step),
        prose=[markdown.render(links(item["text"])) for item in prose_of(step)],
        links=[link for link in step.get("links", []) if link.startswith(("http://", "https://"))],
        blocks=step.get("blocks", []),
        items=[_item(index, item, run, links) for index, item in enumerate(step.get("items", []))],
        around=_around(phase, links) if run.step == 0 and phase["steps"] else [],
        parameters=known,
        commands=[view(index) for index in range(len(commands))],
    )


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


def _because(command: Mapping[str, Any], runnable: frozenset[str], there: frozenset[str] | None) -> str:
    """Why a command cannot run here, in a sentence; empty if it can."""
    if command["because"]:
        return str(command["because"])
    if command["risk"] == Risk.BLOCKED:
        return "This command cannot run as it is written."
    if command["kind"] not in runnable:
        return f"erpops does not run {command['kind']} text."
    return needed.lacking(command, there)


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


def _options(phase: Mapping[str, Any], step: Mapping[str, Any]) -> list[str]:
    """The other steps of the same option group: exactly one of them is taken."""
    group = step.get("option_group")
    if not group:
        return []
    return [plain(s["title"]) for s in phase["steps"] if s.get("option_group") == group and s is not step]


def _asked(command: Mapping[str, Any], provided: frozenset[str]) -> list[Mapping[str, Any]]:
    """The parameters that a person fills: all but the variables that the environment gives."""
    return [p for p in command["parameters"] if not (p["notation"] == "env" and p["name"] in provided)]


def _command(
    index: int,
    command: Mapping[str, Any],
    asked: Sequence[Mapping[str, Any]],
    values: Mapping[str, str],
    runs: Sequence[CommandRun],
    *,
    level: str,
    because: str,
    item: int | None,
    run: StepRun,
) -> CommandView:
    effects = [why["effect"] for why in command.get("why", []) if why.get("effect")]
    told = {why["about"] for why in command.get("why", []) if why.get("effect")}
    return CommandView(
        index=index,
        kind=command["kind"],
        item=item,
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
        runs=list(runs),
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


def digest(command: CommandView) -> str:
    """What a person sees before confirming: the resolved text. A confirmation of another text is refused."""
    return sha256("".join(piece.text for piece in command.pieces).encode()).hexdigest()[:32]


def primary(commands: Iterable[CommandView]) -> int | None:
    """The command whose button is the step's main one: the first without a success; None if there is none left."""
    for command in commands:
        if command.gate != Risk.BLOCKED and (command.latest is None or command.latest.status != RunStatus.SUCCEEDED):
            return command.index
    return None
