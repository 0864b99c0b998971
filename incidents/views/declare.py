"""Declaring an incident: two required fields, from anywhere."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from incidents import lifecycle
from incidents.forms.incident import DeclareForm
from incidents.models import Incident
from incidents.queries import severity_meanings, similar_open
from incidents.views.answers import sheet


@access.needs("declare_incident")
def declare(request: HtmxRequest) -> HttpResponse:
    """The sheet, and the incident that comes of it. Sending the same again leads to the same incident."""
    form = DeclareForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        incident = _open(form, request)
        room = reverse("room", args=[incident.pk])
        if request.htmx:
            return HttpResponse(status=204, headers={"HX-Redirect": room})
        return redirect(room)
    title, environment = str(form["title"].value() or ""), str(form["environment"].value() or "")
    context = {
        "form": form,
        "meanings": severity_meanings(),
        "similar": similar_open(request.user, title, environment),
    }
    return sheet(request, "incidents/declare_sheet.html", context, status=422 if form.errors else 200)


def _open(form: DeclareForm, request: HtmxRequest) -> Incident:
    asked = form.cleaned_data
    return lifecycle.declare(
        title=asked["title"],
        severity=asked["severity"],
        environment=asked["environment"],
        service=asked["service"],
        impact=asked["impact"],
        started_at=asked["started_at"],
        by=request.user,
    )


@require_GET
@access.needs("declare_incident")
def similar(request: HtmxRequest) -> HttpResponse:
    """Open incidents that may be the same thing, while the title is typed."""
    found = similar_open(request.user, request.GET.get("title", "")[:200], request.GET.get("environment", ""))
    return render(request, "incidents/similar.html", {"similar": found})
