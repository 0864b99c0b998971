"""Running one command: the question that its risk asks first, and the request."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.views.answers import sheet
from runbooks import runner, step_views
from runbooks.choices import Risk
from runbooks.refusals import Refused
from runbooks.views import walking
from runbooks.views.steps import adopt, chosen
from runbooks.views.walking import REFUSALS, Walk, act_on

_EFFECTS: dict[str, str] = {
    Risk.CHANGE: "Narrow and reversible; users should not notice.",
    Risk.DISRUPT: "Users may notice: something stops, restarts or behaves differently.",
    Risk.DESTROY: "Data, files, sessions or processes are gone afterwards.",
}


@require_GET
@access.needs("run_commands")
def confirm(
    request: HtmxRequest, execution: int, position: int, command: int, number: int | None = None
) -> HttpResponse:
    """What stands between a person and a command that changes something: a strip, or a sheet."""
    opened = _opened(request, number, execution, position, command)
    context = _question(opened, command)
    if context["command"].gate == Risk.CHANGE and request.htmx:
        return render(request, "runbooks/room/_strip.html", context)
    return sheet(request, "runbooks/room/confirm_sheet.html", context)


@require_POST
@access.needs("run_commands")
def run(request: HtmxRequest, execution: int, position: int, command: int, number: int | None = None) -> HttpResponse:
    """Ask for one attempt. A second click finds the first one's attempt."""
    opened = _opened(request, number, execution, position, command)
    asked = opened.step.commands[command]
    if asked.gate != Risk.READ and request.POST.get("shown") != step_views.digest(asked):
        problem = "The command changed since you looked at it. Read it again before you run it."
        return _again(request, opened, command, problem)
    try:
        adopt(opened, chosen(opened))
        runner.request(
            step_run=opened.step.run,
            command=command,
            by=request.user,
            values=chosen(opened),
            confirmation=_confirmation(request, asked.gate),
            waits=request.POST.get("until") == "holds",
        )
    except REFUSALS as error:
        return _again(request, opened, command, str(error))
    response = walking.leaves(request, walking.again(opened))
    response.headers["HX-Trigger"] = "sheet:close"
    return response


def _again(request: HtmxRequest, opened: Walk, command: int, problem: str) -> HttpResponse:
    """The refusal beside its cause: in the sheet if one was open, else at the command."""
    asked = opened.step.commands[command]
    if asked.gate in {Risk.DISRUPT, Risk.DESTROY} and request.htmx:
        return sheet(
            request,
            "runbooks/room/confirm_sheet.html",
            _question(opened, command) | {"problem": problem, "reason": request.POST.get("reason", "")[:300]},
            status=422,
        )
    error = Refused(problem)
    return walking.leaves(request, walking.refused(opened, error, at=command), status=409)


def _confirmation(request: HtmxRequest, gate: str) -> Any:
    """What the person said, in the shape that the runner checks."""
    if gate == Risk.READ:
        return None
    if gate == Risk.CHANGE:
        return request.POST.get("confirm", "")
    return {
        "reason": request.POST.get("reason", "").strip()[:300],
        "target": request.POST.get("target", "").strip()[:80],
    }


def _opened(request: HtmxRequest, number: int | None, execution: int, position: int, command: int) -> Walk:
    opened = act_on(request, number, execution, position)
    if command >= len(opened.step.commands):
        raise Http404("This step has no such command.")
    return opened


def _question(opened: Walk, index: int) -> dict[str, Any]:
    asked, place = opened.step.commands[index], opened.execution.environment
    return walking.context(opened) | {
        "command": asked,
        "shown": step_views.digest(asked),
        "verb": _verb(asked.text, place.label),
        "effect": _EFFECTS.get(asked.risk, ""),
        "may_destroy": not place.is_production or access.can(opened.user, "run_destroy"),
        "destroyers": access.roles_with("run_destroy"),
    }


def _verb(text: str, where: str) -> str:
    """The confirming button repeats what happens and where: "Restart on erpops itself"."""
    words = text.lower()
    verbs = (
        "restart",
        "stop",
        "terminate",
        "cancel",
        "kill",
        "drop",
        "delete",
        "purge",
        "flush",
        "restore",
        "rollback",
    )
    found = next((verb for verb in (*verbs, "scale", "apply", "analyze", "vacuum", "reload") if verb in words), "run")
    return f"{found.capitalize()} on {where}"
