"""The handover of an incident: the sheet that tells how it stands, and the answers to it."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from erpops.transitions import IllegalMove
from incidents import handover
from incidents.forms.handover import HandoverForm
from incidents.models import Incident
from incidents.views.answers import done, refused, sheet, working_on


@access.needs("work_incidents")
def show(request: HtmxRequest, number: int) -> HttpResponse:
    """The one that waits for an answer, or the sheet that offers one."""
    incident = working_on(request, number)
    if request.method != "POST" and (found := handover.waiting(incident)) is not None:
        context = {"incident": incident, "handover": found, "sections": _sections(found.parts), "user": request.user}
        return sheet(request, "incidents/room/handover_sheet.html", context)
    people = handover.receivers(incident, request.user)
    form = HandoverForm(request.POST or None, people=people, initial=_initial(request, incident))
    if request.method == "POST" and form.is_valid():
        try:
            offered = handover.offer(incident=incident, receiver=form.chosen, parts=form.cleaned_data, by=request.user)
        except IllegalMove as error:
            form.add_error(None, str(error))
        else:
            said = f"{form.chosen.get_full_name() or form.chosen.get_username()} is asked."
            return done(request, reverse("room", args=[offered.incident_id]), sheet=True, said=said)
    moving = handover.held(incident, request.user)
    context = {"incident": incident, "form": form, "moving": moving, "nobody": not people}
    return sheet(request, "incidents/room/handover_new_sheet.html", context, status=422 if form.errors else 200)


@require_POST
@access.needs("work_incidents")
def answer(request: HtmxRequest, number: int, pk: int) -> HttpResponse:
    """ "I have it", "I cannot", or the giver's "never mind"."""
    incident = working_on(request, number)
    found = incident.handovers.select_related("giver", "receiver", "incident__environment").filter(pk=pk).first()
    if found is None:
        raise Http404("There is no such handover.")
    room, said = reverse("room", args=[number]), request.POST.get("answer", "")
    try:
        if said == "accept":
            handover.accept(handover=found, by=request.user)
        elif said == "decline":
            handover.decline(handover=found, word=request.POST.get("word", ""), by=request.user)
        elif said == "withdraw":
            handover.withdraw(handover=found, by=request.user)
        else:
            return HttpResponse("The answer is accept, decline or withdraw.", status=400, content_type="text/plain")
    except IllegalMove as error:
        return refused(request, str(error), room)
    if not request.htmx:
        return redirect(room)
    # Every button of the room may have changed hands.
    return HttpResponse(status=204, headers={"HX-Redirect": room})


def _initial(request: HtmxRequest, incident: Incident) -> dict[str, str]:
    return handover.prefilled(incident) if request.method != "POST" else {}


def _sections(parts: dict[str, str]) -> list[tuple[str, str]]:
    return [(label, parts[name]) for name, label in handover.PARTS.items() if parts.get(name)]
