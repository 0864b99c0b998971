"""One attempt of a command: its output, earlier lines, search, download; stopping and settling it."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import output, runner
from runbooks.access import get_run_for
from runbooks.models import CommandRun
from runbooks.views import walking
from runbooks.views.viewer import viewer
from runbooks.views.walking import REFUSALS, Walk, act_on, fetch

FOUND = 200


@require_GET
@access.needs("see_console")
def page(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """The output of one attempt on a page of its own; `?q=` finds lines in all of it."""
    found = _run(request, run, number, execution)
    opened = fetch(request, number, found.step_run.execution_id, found.step_run.position)
    asked = request.GET.get("q", "").strip()[:200]
    context = {
        **walking.context(opened),
        "run": found,
        "view": viewer(found, opened.execution),
        "asked": asked,
        "lines": output.search(run=found, text=asked, limit=FOUND) if asked else [],
    }
    return render(request, "runbooks/runs/page.html", context)


@require_GET
@access.needs("see_console")
def lines(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """The lines before `before`, newest last; none are the end of it. Before 0 is the tail."""
    found = _run(request, run, number, execution)
    before = request.GET.get("before", "0")
    if not before.isdecimal() or len(before) > 18:
        return HttpResponse("Say before which line: ?before=120.", status=400, content_type="text/plain")
    if int(before) == 1:
        return HttpResponse("")
    return HttpResponse(output.page(run=found, before=int(before) or None).html)


@require_GET
@access.needs("see_console")
def raw(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """The kept bytes as a text file, never as something that a browser would run."""
    found = _run(request, run, number, execution)
    response = HttpResponse(output.text(run=found), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{found.step_run.execution.reference}-run-{found.pk}.txt"'
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
@access.needs("run_commands")
def stop(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """Ask a running command to end; asking twice changes nothing."""
    found, opened = _acting(request, run, number, execution)
    try:
        runner.stop(run=found, by=request.user)
    except REFUSALS as error:
        return walking.leaves(request, walking.refused(opened, error, at=found.command), status=409)
    return walking.leaves(request, walking.again(opened))


@require_POST
@access.needs("run_commands")
def settle(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """A person has looked and says how an attempt ended that nobody knew about."""
    found, opened = _acting(request, run, number, execution)
    verdict = request.POST.get("verdict", "")
    try:
        if verdict == "stopped":
            runner.confirm_stopped(run=found, by=request.user)
        elif verdict in {"done", "not_done"}:
            runner.settle_unknown(run=found, verdict=verdict, by=request.user)
        else:
            return HttpResponse("The verdict is done, not_done or stopped.", status=400, content_type="text/plain")
    except REFUSALS as error:
        return walking.leaves(request, walking.refused(opened, error, at=found.command), status=409)
    return walking.leaves(request, walking.again(opened))


def _run(request: HtmxRequest, run: int, number: int | None, execution: int | None) -> CommandRun:
    """The attempt, if its walk is the one that the address names by its incident or itself."""
    found = get_run_for(request.user, run)
    walked = found.step_run.execution
    if walked.incident_id != number or execution not in {None, walked.pk}:
        raise Http404("There is no such output here.")
    return found


def _acting(request: HtmxRequest, run: int, number: int | None, execution: int | None) -> tuple[CommandRun, Walk]:
    found = _run(request, run, number, execution)
    return found, act_on(request, number, found.step_run.execution_id, found.step_run.position)
