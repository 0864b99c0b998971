"""What the runbook pages read: shelves of runbooks, walks of an incident, attempts of a step."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from incidents.access import visible_incidents
from incidents.models import Alert, Incident
from runbooks import search, standing, walk
from runbooks.choices import Risk, VersionState
from runbooks.models import CommandRun, Execution, Runbook, StepRun, Version
from runbooks.standing import Standing

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
    return list(visible_incidents(user).exclude(status="resolved").select_related("environment")[:30])


def walks(incident: Incident) -> list[Execution]:
    """The executions of an incident, newest first."""
    related = ("version__runbook", "environment", "holder", "started_by", "incident__environment")
    return list(Execution.objects.filter(incident=incident).select_related(*related))


def steps(execution: Execution) -> list[StepRun]:
    """Its steps in order."""
    return list(execution.steps.select_related("changed_by").order_by("position"))


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
