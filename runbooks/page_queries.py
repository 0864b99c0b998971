"""What the runbook pages read: shelves of runbooks, walks of an incident, attempts of a step."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Max, QuerySet

from incidents.access import visible_incidents
from incidents.choices import OPEN_STATUSES
from incidents.models import Alert, Incident
from runbooks import addresses, search, standing, walk
from runbooks.choices import TERMINAL_RUNS, ExecutionStatus, Risk, RunStatus, VersionState
from runbooks.models import (
    CommandRun,
    Decision,
    Execution,
    OutputChunk,
    PhaseClock,
    Runbook,
    StepRun,
    Version,
    Wait,
)
from runbooks.standing import Standing
from runbooks.suggesting import Seen

# How much of earlier outputs is read to find what speaks for a branch: attempts, pieces of each, bytes of a piece.
SEEN, SEEN_CHUNKS, SEEN_BYTES = 30, 3, 16_384
_RISKS = [Risk.READ, Risk.CHANGE, Risk.DISRUPT, Risk.DESTROY]


@dataclass(frozen=True)
class Card:
    """A runbook in a list: enough to answer whether it can be trusted."""

    runbook: Runbook
    number: int
    steps: int
    commands: int
    risk: str
    standing: Standing
    errors: int


def cards(runbooks: QuerySet[Runbook], *, limit: int | None = None) -> list[Card]:
    """The published ones among `runbooks` with their figures; three queries however many there are."""
    found = list(runbooks.filter(current__isnull=False).select_related("current")[:limit])
    standings = standing.of_runbooks([runbook.pk for runbook in found])
    return [_card(runbook, standings[runbook.pk]) for runbook in found]


def _card(runbook: Runbook, figures: Standing) -> Card:
    version = runbook.current
    assert version is not None
    commands = commands_of(version.compiled)
    return Card(
        runbook=runbook,
        number=version.number,
        steps=steps_of(version.compiled),
        commands=len(commands),
        risk=highest_risk(command["risk"] for command in commands),
        standing=figures,
        errors=sum(finding["level"] == "error" for finding in version.findings),
    )


def steps_of(compiled: dict[str, Any]) -> int:
    """How many steps an execution of it has."""
    return len(walk.places(compiled))


def commands_of(compiled: dict[str, Any]) -> list[dict[str, Any]]:
    """Every command of a compiled runbook, in document order."""
    return list(walk.all_commands(compiled))


def highest_risk(risks: Iterable[str]) -> str:
    """The worst of `risks` that can run; blocked if none can, empty if there are none."""
    present = set(risks)
    return next((risk.value for risk in reversed(_RISKS) if risk in present), "blocked" if present else "")


def find(runbooks: QuerySet[Runbook], *, text: str, alert: str = "") -> QuerySet[Runbook]:
    """Those that hold every word of `text`, best first, and that name `alert` if one is given."""
    if alert:
        runbooks = runbooks.filter(alerts__contains=[alert])
    return search.find(runbooks, text) if text else runbooks.order_by("title")


def waiting(runbooks: QuerySet[Runbook]) -> list[Version]:
    """Proposals first, then drafts that nobody has asked a review for, the oldest first."""
    open_states = [VersionState.IN_REVIEW, VersionState.DRAFT]
    rows = Version.objects.filter(runbook__in=runbooks, state__in=open_states).select_related("runbook", "created_by")
    found = rows.defer("text", "compiled", "findings").order_by("created_at")[:300]
    return sorted(found, key=lambda version: version.state != VersionState.IN_REVIEW)


def versions(runbook: Runbook) -> list[Version]:
    """All versions, newest first, without their texts."""
    return list(runbook.versions.select_related("created_by").defer("text", "compiled", "findings").order_by("-number"))


def published_version(runbook: Runbook) -> Version | None:
    """The version that a new execution would walk."""
    return runbook.current or runbook.versions.filter(state=VersionState.PUBLISHED).first()


def open_incidents(user: User) -> list[Incident]:
    """Where a runbook could be started: the person's open incidents, newest first, thirty at most."""
    return list(visible_incidents(user).filter(status__in=OPEN_STATUSES).select_related("environment")[:30])


def walks(incident: Incident) -> list[Execution]:
    """The executions of an incident, newest first."""
    related = ("version__runbook", "environment", "holder", "started_by", "incident__environment", "incident__service")
    return list(Execution.objects.filter(incident=incident).select_related(*related))


def steps(execution: Execution) -> list[StepRun]:
    """Its steps in order, each with `last_run_at`, when a command of it was last asked for."""
    found = execution.steps.select_related("changed_by").annotate(last_run_at=Max("runs__queued_at"))
    return list(found.order_by("position"))


def decisions(execution: Execution) -> list[Decision]:
    """What was decided in a walk, the latest first."""
    return list(Decision.objects.filter(execution=execution).select_related("by").order_by("-id"))


def clocks(execution: Execution) -> dict[int, PhaseClock]:
    """The clocks of a walk's phases; nothing is asked where no phase has a budget."""
    if not any(phase["time_box_s"] for phase in execution.version.compiled["phases"]):
        return {}
    return {clock.phase: clock for clock in PhaseClock.objects.filter(execution=execution)}


def waits(step: StepRun) -> dict[int, Wait]:
    """The latest wait of each that the step asks for, by its index."""
    return {wait.wait: wait for wait in Wait.objects.filter(step_run=step).select_related("ended_by").order_by("pk")}


def children(execution: Execution) -> list[Execution]:
    """The walks that were started from steps of this one, newest first, with their steps."""
    found = Execution.objects.filter(parent__execution=execution).select_related("version__runbook", "holder", "parent")
    return list(found.prefetch_related("steps"))


def attempts(step: StepRun) -> dict[int, list[CommandRun]]:
    """The attempts of each command of a step, newest first."""
    found: dict[int, list[CommandRun]] = defaultdict(list)
    for run in step.runs.select_related("requested_by").order_by("-attempt"):
        found[run.command].append(run)
    return dict(found)


def alert_labels(incident: Incident) -> dict[str, str]:
    """The labels on which all alerts of the incident agree, which parameters may be filled from."""
    merged: dict[str, set[str]] = defaultdict(set)
    for labels in Alert.objects.filter(incident=incident).values_list("labels", flat=True):
        for name, value in labels.items():
            merged[name].add(str(value))
    return {name: values.pop() for name, values in merged.items() if len(values) == 1}


def unsettled(execution: Execution) -> list[walk.Unsettled]:
    """Commands that run or ended in a way nobody knows, and runbooks that were started from here and go on."""
    open_states = [*(set(RunStatus) - TERMINAL_RUNS), RunStatus.OUTCOME_UNKNOWN, RunStatus.STOP_UNCONFIRMED]
    newest = CommandRun.objects.filter(step_run__execution=execution).order_by("step_run_id", "command", "-attempt")
    found = []
    for run in newest.distinct("step_run_id", "command").select_related("step_run").defer("script", "values"):
        if run.status in open_states:
            url = addresses.of_walk(execution, "walk_step", position=run.step_run.position)
            title = f"step {run.step_run.position + 1}, command {run.command + 1}"
            found.append(walk.Unsettled(title, RunStatus(run.status).label.lower(), url))
    for child in children(execution):
        if child.status == ExecutionStatus.ACTIVE:
            url = addresses.of_walk(child, "walk_step", position=child.position)
            found.append(walk.Unsettled(child.version.runbook.title, "is in progress", url))
    return found


def seen_before(execution: Execution, runs: Sequence[StepRun], position: int) -> list[Seen]:
    """What the commands of the steps before `position` came to, the latest attempt of each; thirty at most."""
    earlier = {run.pk: run for run in runs if run.position < position}
    rows = CommandRun.objects.filter(step_run__in=earlier, status__in=TERMINAL_RUNS).defer("script", "values")
    latest = list(rows.order_by("step_run_id", "command", "-attempt").distinct("step_run_id", "command"))[-SEEN:]
    printed: dict[int, bytes] = defaultdict(bytes)
    chunks = OutputChunk.objects.filter(run__in=latest, seq__lte=SEEN_CHUNKS).exclude(stream="sys")
    for pk, data in chunks.order_by("run_id", "seq").values_list("run_id", "data"):
        printed[pk] += bytes(data)[:SEEN_BYTES]
    found = []
    for run in latest:
        step = walk.step_of(execution.version.compiled, earlier[run.step_run_id])
        command = walk.commands_of(step)[run.command]
        found.append(
            Seen(
                position=earlier[run.step_run_id].position,
                step=walk.plain(step["title"]),
                run=run.pk,
                text=run.text,
                label=command.get("label") or "",
                status=run.status,
                exit_code=run.exit_code,
                output=printed[run.pk].decode("utf-8", "replace"),
                expected=tuple(item for item in command["expected"] if item["assertion"]),
            )
        )
    return sorted(found, key=lambda seen: seen.position)


def facts(incident: Incident) -> dict[str, str]:
    """What is known of the incident itself that a parameter may ask for by name."""
    found = {"incident": incident.reference, "incident_id": incident.reference, "severity": incident.severity}
    found["environment"] = incident.environment.name
    return found | ({"service": incident.service.name} if incident.service else {})


def printed(execution: Execution, *, limit: int = 8) -> list[CommandRun]:
    """The newest attempt of each command of the walk that printed something and has ended, the newest first."""
    runs = CommandRun.objects.filter(step_run__execution=execution, output_bytes__gt=0, ended_at__isnull=False)
    newest = runs.order_by("step_run_id", "command", "-attempt").distinct("step_run_id", "command").values("pk")
    found = CommandRun.objects.filter(pk__in=newest).select_related("step_run").defer("script", "text")
    return list(found.order_by("-ended_at")[:limit])
