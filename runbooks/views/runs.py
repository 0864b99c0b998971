"""One attempt of a command: its output, other lines of it, download, evidence; stopping and settling it."""

import json

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.access import may_operate
from runbooks import addresses, evidence, output, runner, settling
from runbooks.access import get_run_for
from runbooks.models import CommandRun
from runbooks.refusals import Refused
from runbooks.views import walking
from runbooks.views.viewer import viewer
from runbooks.views.walking import REFUSALS, Walk, act_on, fetch


@require_GET
@access.needs("see_console")
def page(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """The output of one attempt on a page of its own."""
    found = _run(request, run, number, execution)
    opened = fetch(request, number, found.step_run.execution_id, found.step_run.position)
    view = viewer(found, opened.execution, may_pin=opened.operator)
    context = {**walking.context(opened), **_pins(request, found), "view": view, "command": found.command + 1}
    return render(request, "runbooks/runs/page.html", context)


@require_GET
@access.needs("see_console")
def lines(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """The lines before `before` or after `after`, newest last; none are the end of it. Without either, the tail."""
    found = _run(request, run, number, execution)
    before, after = request.GET.get("before", "0"), request.GET.get("after", "")
    if not before.isdecimal() or len(before) > 18 or not (after or "0").isdecimal() or len(after) > 18:
        return HttpResponse("Say which lines: ?before=120 or ?after=120.", status=400, content_type="text/plain")
    if int(before) == 1:
        return HttpResponse("")
    if after:
        return HttpResponse(output.page(run=found, after_line=int(after)).html)
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


@require_GET
@access.needs("see_console")
def pinned(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """The lines of the output that are pinned as evidence."""
    found = _run(request, run, number, execution)
    if not request.htmx:
        return redirect(addresses.of_run(found.step_run.execution, "run_output", run))
    context = {"execution": found.step_run.execution, **_pins(request, found)}
    return render(request, "runbooks/runs/_pins.html", context)


@require_POST
@access.needs("run_commands")
def pin(request: HtmxRequest, run: int, number: int | None = None, execution: int | None = None) -> HttpResponse:
    """Pin the lines `first` to `last`, or take the pin `unpin` away."""
    found, opened = _acting(request, run, number, execution)
    first, last, seq = (request.POST.get(name, "")[:18] for name in ("first", "last", "unpin"))
    try:
        if seq.isdecimal():
            evidence.unpin(run=found, seq=int(seq), by=request.user)
            said = "Taken away; the timeline keeps that it was there."
        else:
            _require_numbers(first, last)
            evidence.pin(run=found, first=int(first), last=int(last or first), by=request.user)
            said = f"Pinned {evidence.in_words(int(first), int(last or first))}: the timeline quotes them."
    except REFUSALS as error:
        if not request.htmx:
            return walking.whole(request, walking.refused(opened, error))
        return render(request, "runbooks/runs/_pin_refused.html", {"problem": str(error)}, status=409)
    if not request.htmx:
        return redirect(addresses.of_run(opened.execution, "run_output", run))
    told = {"toast": {"text": said}, "evidence:changed": True}
    return HttpResponse(headers={"HX-Trigger": json.dumps(told)})


def _require_numbers(first: str, last: str) -> None:
    if not first.isdecimal() or not (last or "0").isdecimal():
        raise Refused("Say which lines: the number of the first one and of the last one.")


def _pins(request: HtmxRequest, run: CommandRun) -> dict[str, object]:
    environment = run.step_run.execution.environment
    return {"run": run, "pins": evidence.pins(run=run), "may_pin": may_operate(request.user, environment)}


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
            settling.confirm_stopped(run=found, by=request.user)
        elif verdict in settling.VERDICTS:
            settling.settle_unknown(run=found, verdict=verdict, by=request.user)
        else:
            return HttpResponse(
                "The verdict is done, not_done, again or stopped.", status=400, content_type="text/plain"
            )
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
