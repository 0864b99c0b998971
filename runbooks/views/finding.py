"""Searching the output of all steps of a walk: a page, a sheet beside the viewer, and the hits alone."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.views.answers import sheet
from runbooks import executions, output_search
from runbooks.output_search import Found
from runbooks.refusals import Refused
from runbooks.views import walking


@require_GET
@access.needs("see_console")
def page(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """Lines with `?q=` in the output of every step; htmx gets the hits, or the sheet that asks for a word."""
    opened = walking.fetch(request, number, execution)
    asked = request.GET.get("q", "").strip()[: output_search.LONGEST]
    context: dict[str, Any] = {**walking.context(opened), "asked": asked, "steps": [], "problem": ""}
    if asked:
        try:
            found = output_search.find(execution=opened.execution, text=asked)
            context |= {"steps": _by_step(found), "total": sum(each.total for each in found)}
        except Refused as refusal:
            context["problem"] = str(refusal)
    if not request.htmx:
        return render(request, "runbooks/runs/find.html", context)
    if "q" in request.GET:
        return render(request, "runbooks/runs/_hits.html", context)
    return sheet(request, "runbooks/runs/find_sheet.html", context)


def _by_step(found: list[Found]) -> list[dict[str, Any]]:
    """The attempts with hits under the title of their step."""
    steps: dict[int, dict[str, Any]] = {}
    for each in found:
        step = each.run.step_run
        told = steps.setdefault(step.pk, {"number": step.position + 1, "found": []})
        told.setdefault("title", executions.step_title(step))
        told["found"].append(each)
    return list(steps.values())
