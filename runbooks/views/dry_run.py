"""The page that says exactly what would run, for a step or for a whole walk. It starts nothing."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import addresses, dry_run
from runbooks.views import walking
from runbooks.views.steps import chosen
from runbooks.views.walking import Walk, fetch


@require_GET
@access.needs("see_console")
def of_walk(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """Every command of the walk."""
    opened = fetch(request, number, execution)
    steps = [Walk(opened.user, opened.execution, run.position) for run in opened.runs]
    return _answer(request, opened, steps, whole=True)


@require_GET
@access.needs("see_console")
def of_step(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """The commands of one step."""
    opened = fetch(request, number, execution, position)
    return _answer(request, opened, [opened], whole=False)


def _answer(request: HtmxRequest, opened: Walk, steps: list[Walk], *, whole: bool) -> HttpResponse:
    site = dry_run.Site.of(opened.execution.environment)
    planned = [
        each for step in steps for each in dry_run.plan(step.runs[step.position], values=chosen(step), site=site)
    ]
    version = opened.execution.version
    if request.GET.get("format") == "json":
        head = {"runbook": version.runbook.slug, "version": version.number, "sha256": version.sha256}
        place = {"environment": opened.execution.environment.name, "execution": opened.execution.reference}
        return JsonResponse({**head, **place, "commands": [each.as_json() for each in planned]})
    name = "walk_dry_run" if whole else "step_dry_run"
    where = {} if whole else {"position": opened.position}
    context = {
        **walking.context(opened),
        "planned": planned,
        "whole": whole,
        "stopped": sum(not each.runs for each in planned),
        "address": addresses.of_walk(opened.execution, name, **where),
        "back": walking.step_url(opened),
    }
    return render(request, "runbooks/dry_run.html", context)
