"""What every act on an execution shares: fetch it, show it, refuse with a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from erpops.access import NotAllowed
from erpops.transitions import IllegalMove
from incidents.models import Incident
from incidents.views.answers import ReadOnlyHere
from runbooks import access as runbook_access
from runbooks import (
    addresses,
    approval_views,
    command_views,
    crossings,
    executions,
    needed,
    observing,
    output,
    page_marks,
    page_queries,
    runner,
    standing,
    step_views,
    variables,
    walk,
)
from runbooks.answers import Known
from runbooks.choices import RunStatus, StepStatus
from runbooks.executors import executors
from runbooks.models import CommandRun, Execution, StepRun, Version
from runbooks.refusals import Refused
from runbooks.views import valued
from runbooks.views.together import Together
from runbooks.views.turning import Turns
from runbooks.views.viewer import Viewer, viewer

_ENDED = {RunStatus.SUCCEEDED, RunStatus.FAILED}
# What an act may have changed of an execution.
_MOVING = ["status", "holder", "values", "origins", "position", "ended_at", "acted_at", "paused_at"]
# Every way in which the writers refuse an act with a sentence for a person.
REFUSALS = (Refused, IllegalMove, NotAllowed)


@dataclass(frozen=True)
class Shown:
    """What the page that asks shows by now: attempts whose output it has, and the marks of its parts."""

    have: frozenset[int] = frozenset()
    tokens: dict[str, str] = field(default_factory=dict)
    holder: str = ""

    @classmethod
    def of(cls, sent: QueryDict) -> "Shown":
        """From the fields of the form or the query."""
        return cls(
            have=frozenset(int(item) for item in sent.get("have", "").split(",") if item.isdecimal()),
            tokens=dict(item.partition(":")[::2] for item in sent.get("token", "").split(",")),
            holder=sent.get("holder", ""),
        )


def unread(step: step_views.StepView) -> list[command_views.CommandView]:
    """The reading commands at the front of a step that have not succeeded yet."""
    return [c for c in step.reads if c.latest is None or c.latest.status != RunStatus.SUCCEEDED]


@dataclass
class Walk(Together):
    """An execution, for an incident or as a procedure, opened at a step for one person."""

    user: User
    execution: Execution
    position: int
    refused: str = ""
    refused_at: int | None = None
    page: Shown = field(default_factory=Shown)
    typed: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def incident(self) -> Incident | None:
        return self.execution.incident

    @cached_property
    def runs(self) -> list[StepRun]:
        return page_queries.steps(self.execution)

    @cached_property
    def surroundings(self) -> tuple[variables.Variables, Known, list[list[str] | None]]:
        """What no act on the walk changes: what its environment gives, what is known, each worker's programs."""
        environment = self.execution.environment
        given = variables.of(environment)
        return given, valued.known_in(self.execution, given), needed.told_there(runner.queue_of(environment))

    @cached_property
    def step(self) -> step_views.StepView:
        given, known, told = self.surroundings
        return step_views.step_view(
            self.execution,
            self.runs,
            position=self.position,
            attempts=page_queries.attempts(self.runs[self.position]),
            known=known,
            provided=frozenset(given.values),
            targets=frozenset(given.places),
            runnable=frozenset(executors),
            there=needed.together(told),
            links=crossings.of(self.execution),
            approvals=approval_views.of_step(self.runs[self.position], self.user),
        )

    @property
    def unserved(self) -> bool:
        """No worker takes what would be asked for here."""
        return self.active and not self.surroundings[2]

    @cached_property
    def rail(self) -> list[walk.RailPhase]:
        pattern = addresses.of_walk(self.execution, "walk_step", position=987654321)
        return walk.rail(
            self.execution,
            self.runs,
            viewed=self.position,
            url=pattern.replace("987654321", "{}"),
            clocks=self.turns.clocks,
        )

    @cached_property
    def commands(self) -> list[command_views.CommandView]:
        """The step's commands, each with the output of its latest attempt."""
        typical = standing.of_commands(self.execution.version.runbook_id, [each.text for each in self.step.commands])
        return [
            replace(
                command,
                viewer=self._viewer(command.latest),
                expected=self._judged(command),
                typical=typical.get(command.text),
                changed=self.changed[f"act-{command.index}"] or self.refused_at == command.index,
            )
            for command in self.step.commands
        ]

    def _judged(self, command: command_views.CommandView) -> list[command_views.Expectation]:
        """The expectations, judged once the latest attempt has ended by itself."""
        run = command.latest
        if run is None or run.status not in _ENDED or not any(item.assertion for item in command.expected):
            return command.expected
        if run.waits:
            return step_views.waited(command.expected, run.status == RunStatus.SUCCEEDED)
        return step_views.judged(
            command.expected, output.beginning(run=run, limit=observing.JUDGED_BYTES), run.exit_code
        )

    @property
    def own_commands(self) -> list[command_views.CommandView]:
        """The commands that belong to the step itself, not to an item of its list."""
        return [command for command in self.commands if command.item is None]

    @property
    def items(self) -> list[command_views.ItemView]:
        """The step's list, each item with its commands."""
        return [
            replace(item, commands=[command for command in self.commands if command.item == item.index])
            for item in self.step.items
        ]

    @property
    def changed_items(self) -> list[command_views.ItemView]:
        """The items that look different from what the page shows."""
        return [item for item in self.step.items if self.changed[f"item-{item.index}"]]

    @property
    def unticked(self) -> int:
        return sum(not item.ticked for item in self.step.items)

    def _viewer(self, run: CommandRun | None) -> Viewer | None:
        if run is None:
            return None
        return viewer(run, self.execution, known=run.pk in self.page.have, may_pin=self.operator)

    @cached_property
    def turns(self) -> Turns:
        return Turns(self)

    @cached_property
    def tokens(self) -> dict[str, str]:
        marks = page_marks.tokens(
            self.step,
            self.runs,
            may_act=self.may_act,
            may_run=self.may_act and not self.closed,
            turns=self.turns.marks,
            leads=self.leads,
        )
        return marks | {"baton": page_marks.mark(self.baton.mark)}

    @property
    def token(self) -> str:
        """The marks of all parts, as the page sends them back."""
        return ",".join(f"{name}:{mark}" for name, mark in self.tokens.items())

    @property
    def changed(self) -> dict[str, bool]:
        """Which parts look different from what the page shows."""
        return {name: self.page.tokens.get(name) != mark for name, mark in self.tokens.items()}

    @property
    def shown(self) -> str:
        """The attempts whose output the page has by now, as the page sends them back."""
        return ",".join(str(command.latest.pk) for command in self.step.commands if command.latest)

    @property
    def primary(self) -> int | None:
        """The command whose button leads on, if one does."""
        return page_marks.primary(self.step.commands) if self.leads == page_marks.COMMAND else None

    @cached_property
    def leads(self) -> str:
        deciding = self.turns.fork is not None and self.turns.fork.open
        return page_marks.leads(self.step, deciding=deciding, waits=[wait.goes_on for wait in self.turns.waits])

    @property
    def open_steps(self) -> list[int]:
        return walk.open_steps(self.runs, after=self.position)

    @property
    def all_settled(self) -> bool:
        return not self.open_steps

    @property
    def open_count(self) -> int:
        return len(self.open_steps)

    @property
    def settled_count(self) -> int:
        return len(self.runs) - self.open_count

    @property
    def next_url(self) -> str:
        return step_url(self, self.open_steps[0]) if self.open_steps else step_url(self)

    @property
    def passed(self) -> int:
        return sum(run.status == StepStatus.PASSED for run in self.runs)

    @property
    def newer(self) -> Version | None:
        """The version published since this execution froze its own."""
        own = self.execution.version
        if own.runbook.current_id == own.pk:
            return None
        current = own.runbook.current
        return current if current and current.number > own.number else None

    @cached_property
    def value_rows(self) -> list[valued.ValueRow]:
        """The parameters of the step with what was just typed and what is wrong with it."""
        return valued.rows(self)

    @cached_property
    def takes_values(self) -> bool:
        """Whether any command of the walk asks for a value, which an output could give."""
        return bool(executions.parameters_of(self.execution))

    @property
    def unread(self) -> int:
        """How many commands "Run all reads" would still run."""
        return 0 if self.closed else len(unread(self.step))

    @property
    def attempts(self) -> str:
        """The numbers that the next attempts of the reading commands get, as the form says them."""
        return page_marks.attempts_said(page_marks.attempts(self.step.reads))


def fetch(request: HttpRequest, number: int | None, execution: int, position: int = 0) -> Walk:
    """The execution of incident `number`, or the procedure, opened at `position`; 404 if it is not there or theirs."""
    found = runbook_access.get_execution_for(request.user, execution)
    if found.incident_id != number:
        raise Http404("There is no such runbook at work here.")
    page = Shown.of(request.POST if request.method == "POST" else request.GET)
    opened = Walk(user=user_of(request), execution=found, position=position, page=page)
    if position >= len(opened.runs) and opened.runs:
        raise Http404("This runbook has no such step.")
    return opened


def act_on(request: HttpRequest, number: int | None, execution: int, position: int = 0) -> Walk:
    """The same for someone who may work in its environment; others are told why they may not."""
    opened = fetch(request, number, execution, position)
    if not opened.operator:
        raise ReadOnlyHere(opened.execution.reference, opened.execution.environment)
    return opened


def sent_position(request: HttpRequest) -> int:
    """The step that the form of an act on the whole walk was shown with."""
    value = (request.POST if request.method == "POST" else request.GET).get("position", "0")
    if not value.isdecimal() or len(value) > 6:
        raise Http404("This runbook has no such step.")
    return int(value)


def user_of(request: HttpRequest) -> User:
    """The person behind a request that passed sign-in."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware let it pass
    return request.user


def step_url(opened: Walk, position: int | None = None) -> str:
    """The permanent address of a step of an execution."""
    at = opened.position if position is None else position
    return addresses.of_walk(opened.execution, "walk_step", position=at)


def whole(request: HttpRequest, opened: Walk, *, moved: bool = False, status: int = 200) -> HttpResponse:
    """Answer an act with the opened step: the fragment for htmx, else a redirect to its address.

    `moved` says that another step is open than the address of the page shows.
    """
    if not getattr(request, "htmx", False):
        if opened.refused:
            messages.error(request, opened.refused)
        return redirect(step_url(opened))
    response = render(request, "runbooks/room/_walk.html", context(opened), status=status)
    if moved:
        response.headers["HX-Push-Url"] = step_url(opened)
    return response


def leaves(request: HttpRequest, opened: Walk, *, status: int = 200) -> HttpResponse:
    """Answer an act on a command: only what changes by it, swapped out of band, so that output stays put."""
    if not getattr(request, "htmx", False):
        return whole(request, opened)
    response = render(request, "runbooks/room/_leaves.html", context(opened), status=status)
    response.headers["HX-Reswap"] = "none"
    return response


def chained(
    request: HttpRequest,
    opened: Walk,
    following: int | None,
    *,
    ended_at: int | None = None,
    attempts: Mapping[int, int] | None = None,
) -> HttpResponse:
    """The leaves of the step, and the link of "Run all reads" that waits for command `following`.

    `attempts` are the numbers that the asker expects, by command.
    """
    if not getattr(request, "htmx", False):
        return whole(request, opened)
    chain = {"following": following, "ended_at": ended_at, "attempts": page_marks.attempts_said(attempts or {})}
    return render(request, "runbooks/room/_chain.html", context(opened) | chain)


def context(opened: Walk) -> dict[str, Any]:
    """The template's names."""
    return {
        "walk": opened,
        "incident": opened.incident,
        "execution": opened.execution,
        "step": opened.step,
        "place": opened.execution.environment,
        # What base.html draws its bar from.
        "environment": {
            "name": opened.execution.environment.label,
            "production": opened.execution.environment.is_production,
        },
        "skip_reasons": walk.SKIP_REASONS,
    }


def refused(opened: Walk, error: Exception, *, at: int | None = None) -> Walk:
    """The same step with the sentence of the refusal beside its cause: command `at`, or the step."""
    fresh = again(opened)
    fresh.refused, fresh.refused_at = str(error), at
    return fresh


def again(opened: Walk, position: int | None = None) -> Walk:
    """The execution read anew after an act, opened at `position`."""
    opened.execution.refresh_from_db(fields=_MOVING)
    fresh = Walk(
        user=opened.user,
        execution=opened.execution,
        position=opened.position if position is None else position,
        page=opened.page,
    )
    if "surroundings" in vars(opened):
        fresh.surroundings = opened.surroundings
    return fresh
