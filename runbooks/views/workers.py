"""The workers' screen."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.access import visible_environments
from runbooks import workers


@require_GET
@access.needs("see_console")
def show(request: HtmxRequest) -> HttpResponse:
    """Who runs commands where, and where nobody does."""
    environments = list(visible_environments(request.user))
    context = {"workers": workers.alive(), "unserved": workers.unserved(environments)}
    return render(request, "runbooks/workers.html", context)
