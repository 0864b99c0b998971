"""How the writing views of an incident guard and answer."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from erpops import access
from incidents.access import get_incident_for, may_operate
from incidents.models import Environment, Incident


class ReadOnlyHere(access.NotAllowed):
    """The role would do, but the environment is restricted and the person has no grant to work there."""

    def __init__(self, reference: str, environment: Environment) -> None:
        self.capability = "work_incidents"
        PermissionDenied.__init__(self, f"You may read {reference}, but working in {environment.label} needs a grant.")


def working_on(request: HttpRequest, number: int) -> Incident:
    """The incident, for someone who may change it."""
    incident = get_incident_for(request.user, number)
    if not may_operate(request.user, incident.environment):
        raise ReadOnlyHere(incident.reference, incident.environment)
    return incident


def done(
    request: HttpRequest, to: str, *, said: str = "", trigger: str = "live:incident", sheet: bool = False
) -> HttpResponse:
    """It worked: htmx hears what to refresh and say, a plain form goes `to` a page."""
    if not getattr(request, "htmx", False):
        if said:
            messages.success(request, said)
        return redirect(to)
    events: dict[str, Any] = {trigger: {}}
    if sheet:
        events["sheet:close"] = {}
    if said:
        events["toast"] = {"text": said}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events)})


def refused(request: HttpRequest, sentence: str, to: str) -> HttpResponse:
    """It could not be done, and why: at the top of what is open, with or without scripts."""
    if not getattr(request, "htmx", False):
        messages.error(request, sentence)
        return redirect(to)
    response = render(request, "incidents/refused.html", {"sentence": sentence}, status=422)
    response.headers["HX-Retarget"] = "#page-errors"
    response.headers["HX-Reswap"] = "innerHTML"
    return response


def sheet(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A sheet for htmx; without scripts a page around the same template."""
    part = bool(getattr(request, "htmx", False))
    shown = template if part else "incidents/sheet_page.html"
    response = render(request, shown, {**context, "sheet": template, "alone": not part}, status=status)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response
