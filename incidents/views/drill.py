"""Starting a fire drill from a page."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents import drill
from incidents.views.answers import refused


@require_POST
@access.needs("start_drill")
def start(request: HtmxRequest) -> HttpResponse:
    """Post the drill's alert and go to its room. A drill that is running is joined."""
    try:
        incident = drill.start()
    except drill.DrillFailed as error:
        return refused(request, str(error), "now")
    room = reverse("room", args=[incident.pk])
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": room})
    return redirect(room)
