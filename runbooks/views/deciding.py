"""Acts that need a person's judgement: a branch, go or no-go, what was seen, a wait, taking a step up again."""

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import decisions, executions, observing, waits
from runbooks.views import walking
from runbooks.views.steps import settle
from runbooks.views.walking import act_on


@require_POST
@access.needs("run_commands")
def decide(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Take a branch, none of them, or say that one is not sure."""
    opened = act_on(request, number, execution, position)
    choice, reason = request.POST.get("choice", ""), request.POST.get("reason", "")
    run = opened.step.run
    return settle(request, opened, decisions.decide, step_run=run, choice=choice, reason=reason)


@require_POST
@access.needs("run_commands")
def go(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Go or no-go."""
    opened = act_on(request, number, execution, position)
    choice, reason = request.POST.get("choice", ""), request.POST.get("reason", "")
    run = opened.step.run
    return settle(request, opened, decisions.go, step_run=run, choice=choice, reason=reason, stay=True)


@require_POST
@access.needs("run_commands")
def observe(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Keep what was seen where something is expected."""
    opened = act_on(request, number, execution, position)
    about, text = request.POST.get("about", ""), request.POST.get("observed", "")
    try:
        observing.observe(
            step_run=opened.step.run, about=about, text=text, holds=request.POST.get("holds") == "1", by=request.user
        )
    except walking.REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    return walking.leaves(request, walking.again(opened))


@require_POST
@access.needs("run_commands")
def wait(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Begin a wait, or end it early with a reason."""
    opened = act_on(request, number, execution, position)
    sent = request.POST.get("wait", "")
    index = int(sent) if sent.isdecimal() and len(sent) < 4 else -1
    run = opened.step.run
    if request.POST.get("act") == "end":
        reason = request.POST.get("reason", "")
        return settle(request, opened, waits.end, step_run=run, wait=index, reason=reason, stay=True)
    return settle(request, opened, waits.begin, step_run=run, wait=index, stay=True)


@require_POST
@access.needs("run_commands")
def resume(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Take up a step again that had been dealt with."""
    opened = act_on(request, number, execution, position)
    return settle(request, opened, executions.resume, step_run=opened.step.run, stay=True)
