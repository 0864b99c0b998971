"""Running one command: the question that its risk asks first, the request, and asking for another's approval."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.views.answers import sheet
from runbooks import approvals, consequences, executions, gate, intent, page_marks, runner, touched
from runbooks.choices import Risk
from runbooks.refusals import Refused
from runbooks.views import walking
from runbooks.views.steps import adopt, chosen
from runbooks.views.walking import REFUSALS, Walk, act_on


@require_GET
@access.needs("run_commands")
def confirm(
    request: HtmxRequest, execution: int, position: int, command: int, number: int | None = None
) -> HttpResponse:
    """What stands between a person and a command that changes something: a strip, or a sheet."""
    opened = _opened(request, number, execution, position, command)
    context = question(opened, command)
    if context["command"].gate == Risk.CHANGE and request.htmx:
        return render(request, "runbooks/room/_strip.html", context)
    return sheet(request, "runbooks/room/confirm_sheet.html", context)


@require_POST
@access.needs("run_commands")
def run(request: HtmxRequest, execution: int, position: int, command: int, number: int | None = None) -> HttpResponse:
    """Ask for one attempt. A second click finds the first one's attempt."""
    opened = _opened(request, number, execution, position, command)
    rung = gate.rung(risk=_commands(opened)[command]["risk"], environment=opened.execution.environment)
    if rung != Risk.READ and request.POST.get("shown") != page_marks.digest(opened.step.commands[command]):
        return _again(request, opened, command, _CHANGED)
    # Without parameters nothing of the page decides what runs, so it is built once only, after the act.
    values = chosen(opened) if any(each["parameters"] for each in _commands(opened)) else {}
    try:
        if values:
            adopt(opened, values)
        runner.request(
            step_run=opened.runs[position],
            command=command,
            by=request.user,
            values=values,
            confirmation=_confirmation(request, rung),
            waits=request.POST.get("until") == "holds",
            attempt=_number(request.POST.get("attempt", "")),
        )
    except REFUSALS as error:
        return _again(request, opened, command, str(error))
    return _closed(request, opened)


@require_POST
@access.needs("run_commands")
def ask(request: HtmxRequest, execution: int, position: int, command: int, number: int | None = None) -> HttpResponse:
    """Ask another lead to approve exactly this."""
    opened = _opened(request, number, execution, position, command)
    asked = opened.step.commands[command]
    if request.POST.get("shown") != page_marks.digest(asked):
        return _again(request, opened, command, _CHANGED)
    given = gate.confirmation_of(_confirmation(request, asked.gate))
    try:
        adopt(opened, chosen(opened))
        approvals.ask(step_run=opened.step.run, command=command, by=request.user, given=given, values=chosen(opened))
    except REFUSALS as error:
        return _again(request, opened, command, str(error))
    return _closed(request, opened)


_CHANGED = "The command changed since you looked at it. Read it again before you run it."


def _closed(request: HtmxRequest, opened: Walk) -> HttpResponse:
    response = walking.leaves(request, walking.again(opened))
    response.headers["HX-Trigger"] = "sheet:close"
    return response


def _again(request: HtmxRequest, opened: Walk, command: int, problem: str) -> HttpResponse:
    """The refusal beside its cause: in the sheet if one was open, else at the command."""
    asked = opened.step.commands[command]
    if asked.gate in {Risk.DISRUPT, Risk.DESTROY} and request.htmx:
        typed = {name: request.POST.get(name, "")[:300] for name in ("why", "reason")}
        context = question(opened, command) | {"problem": problem, **typed}
        return sheet(request, "runbooks/room/confirm_sheet.html", context, status=422)
    error = Refused(problem)
    return walking.leaves(request, walking.refused(opened, error, at=command), status=409)


def _confirmation(request: HtmxRequest, rung: str) -> Any:
    """What the person said, in the shape that the gate checks: a picked reason, in their own words, or both."""
    if rung == Risk.READ:
        return None
    if rung == Risk.CHANGE:
        return request.POST.get("confirm", "")
    picked, own = request.POST.get("why", "").strip(), request.POST.get("reason", "").strip()
    parts = [picked if picked in gate.REASONS else "", own]
    return {
        "yes": request.POST.get("confirm") == "yes",
        "reason": ": ".join(part for part in parts if part)[:300],
        "target": request.POST.get("target", "").strip()[:300],
    }


def _number(given: str) -> int | None:
    """The number that the click is for: what the page knew of the attempts, so that a click sent again is one click."""
    return int(given) if given.isdecimal() and len(given) < 6 else None


def _opened(request: HtmxRequest, number: int | None, execution: int, position: int, command: int) -> Walk:
    opened = act_on(request, number, execution, position)
    if command >= len(_commands(opened)):
        raise Http404("This step has no such command.")
    return opened


def _commands(opened: Walk) -> list[dict[str, Any]]:
    """The step's commands as they were compiled."""
    return executions.commands_of(opened.runs[opened.position])


def question(opened: Walk, index: int) -> dict[str, Any]:
    """The names of the sheet: the command, what it comes to, and where its approval stands."""
    asked = opened.step.commands[index]
    compiled = intent.command_of(opened.step.run, index)
    acts_on = touched.of(compiled, chosen(opened))
    return walking.context(opened) | {
        "command": asked,
        "shown": page_marks.digest(asked),
        "facts": consequences.of(opened.execution, opened.runs, opened.position, risk=asked.risk, touched=acts_on),
        "reasons": gate.REASONS,
        "approval": asked.approval,
        "nobody_else": asked.approved_by_another and approvals.alone(opened.user),
        "approvers": access.roles_with("approve_destroy").lower(),
    }
