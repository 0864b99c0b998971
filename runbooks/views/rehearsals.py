"""Rehearsals: starting one, planning them, and what came of each command."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest, page
from incidents.access import may_operate, visible_environments
from incidents.models import Environment
from runbooks import plans, rehearsal, rehearsed
from runbooks.access import get_runbook_for
from runbooks.choices import ExecutionStatus
from runbooks.models import RehearsalPlan
from runbooks.refusals import Refused

INTERVALS = tuple(zip(plans.INTERVALS_H, ("every 6 hours", "every day", "every week", "every 4 weeks"), strict=True))


@dataclass(frozen=True)
class Place:
    """An environment with what is planned there; `mine` says that the person may run commands in it."""

    environment: Environment
    plan: RehearsalPlan | None
    mine: bool

    @property
    def every(self) -> str:
        return dict(INTERVALS).get(self.plan.every_h, "") if self.plan else ""


@require_GET
@access.needs("see_console")
def index(request: HtmxRequest, slug: str) -> HttpResponse:
    """The rehearsals of a runbook, the latest with its results, and what is planned."""
    runbook = get_runbook_for(request.user, slug)
    found = list(visible_environments(request.user))
    planned = rehearsed.plans(found, runbook)
    places = [Place(place, planned.get(place.pk), may_operate(request.user, place)) for place in found]
    context = {
        "runbook": runbook,
        "planned": [place for place in places if place.plan],
        "mine": [place for place in places if place.mine],
        "history": rehearsed.history(request.user, runbook),
        "intervals": INTERVALS,
    }
    return render(request, "runbooks/rehearsals/index.html", context)


@require_POST
@access.needs("run_commands")
def start(request: HtmxRequest, slug: str) -> HttpResponse:
    """Rehearse the published version in the environment that was chosen."""
    runbook = get_runbook_for(request.user, slug)
    try:
        begun = rehearsal.start(runbook=runbook, environment=_place(request), by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("rehearsals", slug)
    return redirect("rehearsal", begun.execution_id)


@require_POST
@access.needs("run_commands")
def plan(request: HtmxRequest, slug: str) -> HttpResponse:
    """Plan rehearsals in an environment, or take the plan back with the interval 0."""
    runbook, place = get_runbook_for(request.user, slug), _place(request)
    asked = request.POST.get("every_h", "")
    try:
        if asked == "0":
            if known := rehearsed.plans([place], runbook).get(place.pk):
                plans.cancel(plan=known, by=request.user)
            messages.success(request, f"No more rehearsals in {place.label} by themselves.")
        else:
            every_h = int(asked) if asked.isdecimal() and len(asked) < 6 else 0
            plans.plan(runbook=runbook, environment=place, every_h=every_h, by=request.user)
            messages.success(request, f"Rehearsed in {place.label} {dict(INTERVALS)[every_h]} from now on.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("rehearsals", slug)


@require_GET
@access.needs("see_console")
def show(request: HtmxRequest, execution: int) -> HttpResponse:
    """One rehearsal; while it goes on, its results as they come."""
    found = rehearsed.get_rehearsal_for(request.user, execution)
    steps = rehearsed.steps(found)
    place = found.execution.environment
    context: dict[str, Any] = {
        "rehearsal": found,
        "execution": found.execution,
        "runbook": found.execution.version.runbook,
        "going_on": found.execution.status == ExecutionStatus.ACTIVE,
        "steps": steps,
        "tally": rehearsed.tally(steps),
        "may_stop": may_operate(request.user, place),
        "environment": {"name": place.label, "production": place.is_production},
    }
    return page(request, "runbooks/rehearsals/show.html", "runbooks/rehearsals/_results.html", context)


@require_POST
@access.needs("run_commands")
def stop(request: HtmxRequest, execution: int) -> HttpResponse:
    """End a rehearsal before it has tried everything."""
    found = rehearsed.get_rehearsal_for(request.user, execution)
    try:
        rehearsal.stop(rehearsal=found, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("rehearsal", execution)


def _place(request: HtmxRequest) -> Environment:
    chosen = request.POST.get("environment", "")
    known = int(chosen) if chosen.isdecimal() and len(chosen) < 10 else 0
    return get_object_or_404(visible_environments(request.user), pk=known)
