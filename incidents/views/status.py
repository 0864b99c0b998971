"""Status updates: the composer in the room, and the page that stakeholders read."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest, page
from incidents import status
from incidents.access import get_incident_for
from incidents.choices import Audience, IncidentStatus, UpdatePhase
from incidents.forms.status import UpdateForm
from incidents.models import Incident
from incidents.views.answers import done, sheet


@require_GET
@access.needs("read_status")
def status_page(request: HtmxRequest) -> HttpResponse:
    """The summary for stakeholders. Needs no scripts; shows six fields of an update and nothing else."""
    context = {"state": status.public_state()}
    response = page(request, "incidents/status/page.html", "incidents/status/page_part.html", context)
    response.headers["Cache-Control"] = "private, max-age=10"
    return response


@access.needs("post_status")
def update(request: HtmxRequest, number: int) -> HttpResponse:
    """The composer: GET opens it with a template, POST sends."""
    incident = get_incident_for(request.user, number)
    if request.method != "POST":
        return _composer(request, incident, UpdateForm(initial=_opening(request, incident)))
    form = UpdateForm(request.POST)
    if form.is_valid():
        try:
            asked = form.cleaned_data
            status.post(
                incident=incident,
                by=request.user,
                phase=asked["phase"],
                next_in=asked["next_in"],
                **form.words(),
            )
        except status.Unfit as error:
            for sentence in error.sentences:
                form.add_error(None, sentence)
        else:
            room = reverse("room", args=[incident.pk])
            return done(request, room, sheet=True, said="The update is out.")
    return _composer(request, incident, form, code=422)


@require_POST
@access.needs("post_status")
def preview(request: HtmxRequest, number: int) -> HttpResponse:
    """Exactly what readers will see, and what still has to change."""
    incident = get_incident_for(request.user, number)
    form = UpdateForm(request.POST)
    form.is_valid()
    context = {"incident": incident, "form": form, **_shown(incident, form.words())}
    return render(request, "incidents/status/preview.html", context)


def _composer(request: HtmxRequest, incident: Incident, form: UpdateForm, *, code: int = 200) -> HttpResponse:
    words = form.words() if form.is_bound else {**form.initial, "anyway": False}
    shown = {key: words[key] for key in ("audience", "headline", "body", "anyway")}
    context = {
        "incident": incident,
        "form": form,
        "audiences": Audience.choices,
        "phases": UpdatePhase.choices,
        "cadence": status.cadence(incident),
        **_shown(incident, shown),
    }
    return sheet(request, "incidents/status/composer_sheet.html", context, status=code)


def _opening(request: HtmxRequest, incident: Incident) -> dict[str, Any]:
    """What the form starts with. Words that a person changed survive the choice of another phase."""
    asked = request.GET
    phase = asked.get("phase") or _phase_now(incident)
    if phase not in UpdatePhase.values:
        phase = UpdatePhase.INVESTIGATING.value
    headline, body = status.template(incident, phase)
    untouched = {status.template(incident, other) for other in UpdatePhase.values}
    typed = (asked.get("headline", ""), asked.get("body", "").replace("\r\n", "\n"))
    if any(typed) and typed not in untouched:
        headline, body = typed
    audience = asked.get("audience", "")
    return {
        "audience": audience if audience in Audience.values else Audience.STAKEHOLDERS.value,
        "phase": phase,
        "headline": headline,
        "body": body,
        "next_in": status.cadence(incident),
    }


def _phase_now(incident: Incident) -> str:
    return incident.status if incident.status in UpdatePhase.values else IncidentStatus.INVESTIGATING.value


def _shown(incident: Incident, words: dict[str, Any]) -> dict[str, Any]:
    return {"words": words, "objections": status.objections(incident=incident, **words)}


@require_GET
@access.needs("see_console")
def comms(request: HtmxRequest, number: int) -> HttpResponse:
    """What was said so far, in the room."""
    incident = get_incident_for(request.user, number)
    return render(request, "incidents/status/comms.html", {"incident": incident, **comms_context(request, incident)})


def comms_context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Panel context: the updates, latest first."""
    return {
        "updates": list(incident.updates.select_related("by").order_by("-id")[:50]),
        "may_post": access.can(request.user, "post_status"),
    }
