"""Environments: production, staging, and what commands there receive."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from erpops import access
from erpops.htmx import HtmxRequest
from incidents import environments
from incidents.access import get_environment_for, visible_environments
from incidents.forms.environments import EnvironmentForm
from incidents.models import Environment


@require_GET
@access.needs("edit_environments")
def show(request: HtmxRequest) -> HttpResponse:
    """All that the person sees."""
    return render(request, "incidents/environments/list.html", {"found": visible_environments(request.user)})


@require_http_methods(["GET", "POST"])
@access.needs("edit_environments")
def new(request: HtmxRequest) -> HttpResponse:
    """Add one."""
    return _edit(request, Environment(), EnvironmentForm(request.POST or None))


@require_http_methods(["GET", "POST"])
@access.needs("edit_environments")
def edit(request: HtmxRequest, name: str) -> HttpResponse:
    """Change one."""
    environment = get_environment_for(request.user, name)
    form = EnvironmentForm(request.POST or None, environment=environment, initial=EnvironmentForm.of(environment))
    return _edit(request, environment, form)


def _edit(request: HtmxRequest, environment: Environment, form: EnvironmentForm) -> HttpResponse:
    context = {"form": form, "environment": environment}
    if request.method == "GET":
        return render(request, "incidents/environments/edit.html", context)
    if not form.is_valid():
        return render(request, "incidents/environments/edit.html", context, status=422)
    environments.store(environment=environment, by=request.user, **form.cleaned_data)
    messages.success(request, f"{environment.label} is saved.")
    return redirect("environments")
