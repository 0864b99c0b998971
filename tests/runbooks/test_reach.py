"""Who reaches what: roles, restricted environments, grants on these and on single incidents, in every combination."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from guardian.shortcuts import assign_perm, remove_perm

from checks.access import visible_checks, visible_targets
from checks.models import Check, Target
from erpops import access, clock
from incidents import lifecycle
from incidents.access import in_visible_incidents, visible_environments, visible_incidents
from incidents.models import Environment, Incident, PostMortem
from runbooks.access import in_visible_executions, visible_executions, visible_runs
from runbooks.models import CommandRun, Execution, StepRun
from tests.runbooks.builders import command, compiled, person, phase, publish, step

ROLES = [*((role,) for role in access.ROLES), ("operator", "admin"), ()]
ON_PLACE = [None, "incidents.view_environment", "incidents.operate_environment", "incidents.change_environment"]
ON_INCIDENT = [None, "incidents.view_incident"]


@dataclass(frozen=True)
class Place:
    """An environment with one of everything in it."""

    environment: Environment
    incident: Incident
    walk: Execution
    procedure: Execution
    check: Check


def place(name: str, *, restricted: bool) -> Place:
    environment = Environment.objects.create(name=name, label=name, restricted=restricted)
    incident = lifecycle.open_incident(title=name, severity="SEV3", environment=environment)
    PostMortem.objects.create(incident=incident, created_at=clock.now(), due_at=clock.now())
    [runbook] = publish(compiled(name, phase("diagnosis", step("Look", command("true")))), path=f"{name}.md")
    who = User.objects.get_or_create(username="someone")[0]
    common: dict[str, Any] = {"version": runbook.current, "environment": environment, "started_by": who}
    walks = [Execution.objects.create(incident=found, started_at=clock.now(), **common) for found in (incident, None)]
    for walk in walks:
        at = StepRun.objects.create(execution=walk, position=0, phase=0, step=0)
        CommandRun.objects.create(step_run=at, command=0, requested_by=who, risk="read", queued_at=clock.now())
    target = Target.objects.create(name=name, label=name, kind="tcp", environment=environment, address="127.0.0.1:1")
    check = Check.objects.create(name=name, label=name, target=target, probe="tcp", warning_at=1, critical_at=2)
    return Place(environment, incident, walks[0], walks[1], check)


def keys(rows: QuerySet[Any]) -> set[int]:
    return {row.pk for row in rows}


def reached(user: User) -> dict[str, set[int]]:
    """The keys of everything that the person is shown."""
    return {
        "environments": keys(visible_environments(user)),
        "incidents": keys(visible_incidents(user)),
        "reviews": {row.incident_id for row in in_visible_incidents(user, PostMortem.objects.all())},
        "executions": keys(visible_executions(user)),
        "steps": {row.execution_id for row in in_visible_executions(user, StepRun.objects.all(), "execution")},
        "runs": {row.step_run.execution_id for row in visible_runs(user).select_related("step_run")},
        "targets": keys(visible_targets(user)),
        "checks": keys(visible_checks(user)),
    }


def by_rule(user: User, places: list[Place], granted: dict[tuple[str, int], set[str]]) -> dict[str, set[int]]:
    """The same by the rule in words: staff see what is not restricted, and what they hold a grant on."""
    staff = bool(set(user.groups.values_list("name", flat=True)) & {"operator", "lead", "admin"})
    opens = {"incidents.view_environment", "incidents.operate_environment"}

    def holds(thing: Model, wanted: set[str]) -> bool:
        return bool(granted.get((thing._meta.model_name or "", thing.pk), set()) & wanted)

    seen = [p for p in places if staff and (not p.environment.restricted or holds(p.environment, opens))]
    told = [p for p in places if p in seen or (staff and holds(p.incident, {"incidents.view_incident"}))]
    walks = {p.walk.pk for p in told} | {p.procedure.pk for p in seen}
    incidents = {p.incident.pk for p in told}
    return {
        "environments": {p.environment.pk for p in seen},
        "incidents": incidents,
        "reviews": incidents,
        "executions": walks,
        "steps": walks,
        "runs": walks,
        "targets": {p.check.target_id for p in seen},
        "checks": {p.check.pk for p in seen},
    }


@pytest.mark.django_db
@pytest.mark.parametrize("through", ["own", "group"])
def test_every_combination_of_roles_and_grants_reaches_what_the_rule_says(through: str) -> None:
    places = [place("open", restricted=False), place("vault", restricted=True), place("safe", restricted=True)]
    vault = places[1]
    wrong = []
    for number, (roles, on_place, on_incident) in enumerate(product(ROLES, ON_PLACE, ON_INCIDENT)):
        user = person(f"p{number}", *roles)
        holder: User | Group = user
        if through == "group":
            holder = Group.objects.create(name=f"team{number}")
            user.groups.add(holder)
        granted: dict[tuple[str, int], set[str]] = {}
        for permission, thing in ((on_place, vault.environment), (on_incident, vault.incident)):
            if permission:
                assign_perm(permission, holder, thing)
                granted[thing._meta.model_name or "", thing.pk] = {permission}
        if reached(User.objects.get(pk=user.pk)) != by_rule(user, places, granted):
            wrong.append((roles, on_place, on_incident))
    assert wrong == []


@pytest.mark.django_db
def test_without_restricted_environments_staff_reach_everything_and_others_nothing() -> None:
    places = [place("open", restricted=False), place("other", restricted=False)]
    for number, roles in enumerate(ROLES):
        user = person(f"p{number}", *roles)
        assert reached(user) == by_rule(user, places, {})


@pytest.mark.django_db
def test_what_is_restricted_or_granted_holds_from_the_next_request_on() -> None:
    vault = place("vault", restricted=False)
    user = person("ada", access.OPERATOR)

    def sees() -> bool:
        return visible_incidents(User.objects.get(pk=user.pk)).filter(pk=vault.incident.pk).exists()

    assert sees()
    Environment.objects.update(restricted=True)
    assert not sees()
    assign_perm("incidents.view_environment", user, vault.environment)
    assert sees()
    remove_perm("incidents.view_environment", user, vault.environment)
    assert not sees()
    assign_perm("incidents.view_incident", user, vault.incident)
    assert sees()
