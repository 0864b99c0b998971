"""The escalation panel of an incident: its ladder, and what people may ask of it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from erpops.transitions import IllegalMove
from incidents import escalation, matrix
from incidents.access import get_incident_for, may_operate
from incidents.models import Incident
from incidents.views.answers import done, refused, working_on

HOLD_S = 600
_MOVED = "The next level was called already."


def context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """What the panel shows."""
    user = request.user
    return {
        "running": matrix.running(incident),
        "may_work": access.can(user, "work_incidents") and may_operate(user, incident.environment),
        "workers": access.roles_with("work_incidents"),
    }


@require_GET
@access.needs("see_console")
def panel(request: HtmxRequest, number: int) -> HttpResponse:
    """The panel alone, fetched again whenever the incident moves on."""
    incident = get_incident_for(request.user, number)
    return render(request, "incidents/oncall/panel.html", {"incident": incident, **context(request, incident)})


@require_POST
@access.needs("work_incidents")
def now(request: HtmxRequest, number: int) -> HttpResponse:
    """Call the next level at once."""
    return _ask(request, number, escalation.escalate_now, "The next level is being called.")


@require_POST
@access.needs("work_incidents")
def cannot_take(request: HtmxRequest, number: int) -> HttpResponse:
    """ "I can't take it": the next level is called at once."""
    return _ask(request, number, escalation.cannot_take, "The next level is being called instead of you.")


@require_POST
@access.needs("work_incidents")
def hold(request: HtmxRequest, number: int) -> HttpResponse:
    """Stop both clocks for ten minutes, once, with a reason."""
    incident = working_on(request, number)
    reason = " ".join(request.POST.get("reason", "").split())[:300]
    try:
        escalation.hold(incident=incident, seconds_=HOLD_S, reason=reason, by=request.user)
    except IllegalMove as why:
        return refused(request, str(why), _room(number))
    return done(request, _room(number), said="Held for 10 minutes.")


def _ask(request: HtmxRequest, number: int, ask: Callable[..., bool], said: str) -> HttpResponse:
    incident = working_on(request, number)
    try:
        moved = ask(incident=incident, by=request.user, seen=request.POST.get("seen", ""))
    except IllegalMove as why:
        return refused(request, str(why), _room(number))
    return done(request, _room(number), said=said if moved else _MOVED)


def _room(number: int) -> str:
    return f"/i/{number}/"
