"""The incident room: its frame, its timeline, and the acts of its header.

The work in the middle and part of the context column are panels that other modules registered.
"""

import logging
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from erpops.transitions import IllegalMove
from incidents import chronicle, lifecycle, pictures, recovery
from incidents.access import get_incident_for
from incidents.choices import IncidentStatus, RoleName
from incidents.company import company
from incidents.forms.incident import NoteForm, ReasonForm, SeverityForm
from incidents.images import NotAPicture
from incidents.models import Incident
from incidents.queries import CADENCE, alert_rows, severity_meanings
from incidents.room import panels
from incidents.standing import standing
from incidents.views.answers import done, refused, sheet, working_on

logger = logging.getLogger(__name__)


@require_GET
@access.needs("see_console")
def room(request: HtmxRequest, number: int, **_where: Any) -> HttpResponse:
    """The room. Panels find what else the address names in `request.resolver_match.kwargs`."""
    return render_room(request, get_incident_for(request.user, number))


def render_room(
    request: HtmxRequest, incident: Incident, *, note: NoteForm | None = None, status: int = 200
) -> HttpResponse:
    """The whole page of `incident`."""
    noise = _noise(request)
    context = {
        "incident": incident,
        "standing": standing(incident, request.user),
        "environment": {
            "name": incident.environment.label,
            "production": incident.environment.is_production,
        },
        "story": chronicle.stretch(incident, noise=noise),
        "noise": noise,
        "note": note or NoteForm(),
        "work": _panels(request, incident, "main"),
        "beside": _panels(request, incident, "context"),
        "feed_position": incident.event_seq,
    }
    return render(request, "incidents/room.html", context, status=status)


def _panels(request: HtmxRequest, incident: Incident, place: str) -> list[dict[str, Any]]:
    """The panels of a place. One that fails says so in its place: the room opens at 3 am all the same."""
    shown = []
    for key, panel in panels.items():
        if panel.place != place:
            continue
        item: dict[str, Any] = {"key": key, "label": panel.label, "template": panel.template}
        try:
            item["context"] = panel.context(request, incident)
        except Exception:
            logger.exception("Room panel %s failed for %s", key, incident.reference)
            item |= {"template": "incidents/room/panel_failed.html", "context": {"label": panel.label}}
        shown.append(item)
    return shown


def _noise(request: HtmxRequest) -> bool:
    return request.GET.get("noise") == "1"


@require_GET
@access.needs("see_console")
def head(request: HtmxRequest, number: int) -> HttpResponse:
    """The header alone, fetched again whenever the incident moves on."""
    incident = get_incident_for(request.user, number)
    context = {"incident": incident, "standing": standing(incident, request.user)}
    return render(request, "incidents/room/head_live.html", context)


@require_GET
@access.needs("see_console")
def here(request: HtmxRequest, number: int) -> HttpResponse:
    """Who else looks at the incident, and where; fetched again whenever somebody comes, moves or goes."""
    incident = get_incident_for(request.user, number)
    return render(request, "incidents/room/here.html", {"incident": incident, "people": company(incident)})


@require_GET
@access.needs("see_console")
def timeline(request: HtmxRequest, number: int) -> HttpResponse:
    """What is new after `after`, or what lies before `before`."""
    incident = get_incident_for(request.user, number)
    after, before = _whole(request.GET.get("after")), _whole(request.GET.get("before"))
    noise = _noise(request)
    story = chronicle.stretch(incident, after=after or 0, before=before, noise=noise)
    context = {"incident": incident, "story": story, "noise": noise}
    if before is not None:
        return render(request, "incidents/room/timeline_earlier.html", context)
    if after and story.in_order:
        return render(request, "incidents/room/timeline_new.html", context)
    # Something belongs between older lines: the list is drawn again, the composer above stays.
    if after:
        context["story"] = chronicle.stretch(incident, noise=noise)
    response = render(request, "incidents/room/timeline_list.html", context)
    response.headers["HX-Retarget"] = "#timeline"
    response.headers["HX-Reswap"] = "outerHTML"
    return response


def _whole(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() and len(value) < 19 else None


@require_GET
@access.needs("see_console")
def alerts(request: HtmxRequest, number: int) -> HttpResponse:
    """The alerts behind the incident."""
    incident = get_incident_for(request.user, number)
    return render(request, "incidents/room/alerts.html", {"incident": incident, **alerts_context(request, incident)})


def alerts_context(request: Any, incident: Incident) -> dict[str, Any]:
    """Panel context: the alerts with what their sender says about them."""
    return {"alerts": alert_rows(incident)}


@require_POST
@access.needs("work_incidents")
def acknowledge(request: HtmxRequest, number: int) -> HttpResponse:
    """ "I am on it." Saying it twice, or after somebody else, changes nothing."""
    incident = working_on(request, number)
    first = lifecycle.acknowledge(incident=incident, by=request.user)
    said = f"You are on {incident.reference}." if first else ""
    if request.POST.get("from") == "now" and request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": _room(incident)})
    return _moved(request, number, said=said)


@require_POST
@access.needs("work_incidents")
def status(request: HtmxRequest, number: int) -> HttpResponse:
    """Move between the working states."""
    incident = working_on(request, number)
    to = request.POST.get("to", "")
    if to not in IncidentStatus.values:
        return refused(request, "Choose Investigating, Identified or Monitoring.", _room(incident))
    try:
        lifecycle.set_status(incident=incident, to=to, by=request.user)
    except IllegalMove as error:
        return refused(request, str(error), _room(incident))
    return _moved(request, number)


@access.needs("work_incidents")
def severity(request: HtmxRequest, number: int) -> HttpResponse:
    """The sheet that shows what another severity would mean, and the change itself."""
    incident = working_on(request, number)
    form = SeverityForm(request.POST or None, initial={"severity": incident.severity})
    if request.method == "POST" and form.is_valid():
        lifecycle.set_severity(incident=incident, to=form.cleaned_data["severity"], by=request.user)
        return done(request, _room(incident), sheet=True)
    context = {"incident": incident, "form": form, "meanings": severity_meanings(), "cadence": CADENCE}
    return sheet(request, "incidents/room/severity_sheet.html", context, status=422 if form.errors else 200)


@access.needs("work_incidents")
def resolve(request: HtmxRequest, number: int) -> HttpResponse:
    """The sheet that asks what fixed it, and the end of the incident."""
    incident = working_on(request, number)
    form = ReasonForm(request.POST or None)
    unverified = request.POST.get("unverified", "").strip()[:300]
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            lifecycle.resolve(incident=incident, resolution=reason, by=request.user, unverified=unverified)
        except IllegalMove as error:
            form.add_error(None, str(error))
        else:
            return done(request, _room(incident), sheet=True, said=f"{incident.reference} is resolved.")
    missing = recovery.unverified(incident) if incident.is_open else []
    context = {"incident": incident, "form": form, "missing": missing, "unverified": unverified}
    return sheet(request, "incidents/room/resolve_sheet.html", context, status=422 if form.errors else 200)


@access.needs("work_incidents")
def reopen(request: HtmxRequest, number: int) -> HttpResponse:
    """The sheet that asks why it is not over, and the reopening."""
    incident = working_on(request, number)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            lifecycle.reopen(incident=incident, reason=form.cleaned_data["reason"], by=request.user)
        except IllegalMove as error:
            form.add_error(None, str(error))
        else:
            return done(request, _room(incident), sheet=True)
    context = {"incident": incident, "form": form}
    return sheet(request, "incidents/room/reopen_sheet.html", context, status=422 if form.errors else 200)


@require_POST
@access.needs("work_incidents")
def role(request: HtmxRequest, number: int) -> HttpResponse:
    """Take a role, from nobody or from somebody."""
    incident = working_on(request, number)
    wanted = request.POST.get("role", "")
    if wanted not in RoleName.values:
        return refused(request, "There are Commander, Operations, Comms and Scribe.", _room(incident))
    if not incident.roles.filter(role=wanted, user=request.user).exists():
        lifecycle.take_role(incident=incident, role=wanted, by=request.user)
    return _moved(request, number)


@require_POST
@access.needs("work_incidents")
def note(request: HtmxRequest, number: int) -> HttpResponse:
    """Add a note, now or at an earlier time."""
    incident = working_on(request, number)
    form = _note_with_pictures(request, incident)
    if not form.is_valid():
        if not request.htmx:
            return render_room(request, incident, note=form, status=422)
        return render(request, "incidents/room/composer.html", {"incident": incident, "note": form}, status=422)
    lifecycle.add_note(
        incident=incident,
        text=form.cleaned_data["text"],
        by=request.user,
        occurred_at=form.cleaned_data["occurred_at"],
    )
    if not request.htmx:
        return done(request, _room(incident))
    response = render(
        request, "incidents/room/composer.html", {"incident": incident, "note": NoteForm(), "note_saved": True}
    )
    response.headers["HX-Trigger-After-Swap"] = "live:incident"
    return response


def _note_with_pictures(request: HtmxRequest, incident: Incident) -> NoteForm:
    """The note; pictures of the form are kept and shown at its end."""
    sent = request.POST.copy()
    problem = ""
    try:
        shown = pictures.add_all(
            uploads=request.FILES.getlist("pictures"), topic=f"incident:{incident.pk}", by=request.user
        )
        sent["text"] = "\n\n".join(part for part in (sent.get("text", "").strip(), shown) if part)
    except NotAPicture as error:
        problem = str(error)
    form = NoteForm(sent)
    if problem:
        form.add_error("text", problem)
    return form


def _moved(request: HtmxRequest, number: int, *, said: str = "") -> HttpResponse:
    """Answer an act of the header with the header as it is now, whatever menu is open in the old one."""
    incident = get_incident_for(request.user, number)
    answer = done(request, _room(incident), said=said)
    if not request.htmx:
        return answer
    context = {"incident": incident, "standing": standing(incident, request.user)}
    response = render(request, "incidents/room/head_live.html", context)
    response.headers["HX-Trigger"] = answer.headers["HX-Trigger"]
    response.headers["HX-Retarget"] = "#room-head"
    response.headers["HX-Reswap"] = "outerHTML"
    return response


def _room(incident: Incident) -> str:
    return reverse("room", args=[incident.pk])
