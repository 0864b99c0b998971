"""Adding and editing checks and targets."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from checks import credentials, definitions, targets
from checks.access import get_check_for, get_target_for, visible_targets
from checks.choices import TargetKind
from checks.connectors import Report, connectors
from checks.forms.check import CheckForm, ThresholdsForm, targets_with_probes
from checks.forms.target import TargetForm
from checks.models import Check, Target
from checks.probes import probes
from checks.targets import Outcome
from checks.verdicts import figure, reading
from checks.views.board import check_page
from erpops import access, clock
from erpops.htmx import HtmxRequest
from incidents.access import visible_environments

# A probe that is tried from a page answers before the person gives up.
TRY_S = 10


@require_http_methods(["GET", "POST"])
@access.needs("edit_checks")
def new(request: HtmxRequest) -> HttpResponse:
    """First what to measure (a target and a probe, from the address), then how."""
    found = visible_targets(request.user).filter(name=request.GET.get("target", "")).first()
    probe = probes.get(request.GET.get("probe", ""))
    if found is None or probe is None or found.kind not in probe.kinds:
        choices = targets_with_probes(list(visible_targets(request.user)), probes.items())
        return render(request, "checks/choose.html", {"choices": choices})
    check = Check(target=found, probe=request.GET["probe"])
    form = CheckForm(request.POST or None, probe=probe)
    return _edit(request, check, form)


@require_http_methods(["GET", "POST"])
@access.needs("edit_checks")
def edit(request: HtmxRequest, name: str) -> HttpResponse:
    """Change a check."""
    check = get_check_for(request.user, name)
    probe = probes.get(check.probe)
    if probe is None:
        raise Http404("The probe of this check is not part of this version.")
    form = CheckForm(request.POST or None, probe=probe, check=check, initial=CheckForm.of(check))
    return _edit(request, check, form)


def _edit(request: HtmxRequest, check: Check, form: CheckForm) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "check": check, "probe": probes[check.probe]}
    if request.method == "GET":
        return render(request, "checks/edit.html", context)
    if not form.is_valid():
        return render(request, "checks/edit.html", context, status=422)
    values = form.values()
    if request.POST.get("act") == "test":
        context["tried"] = _try_check(check, values)
        return render(request, "checks/edit.html", context)
    definitions.save_check(check=check, by=request.user, **values)
    messages.success(request, f"{check.label} is saved.")
    return redirect("check", name=check.name)


def _try_check(check: Check, values: dict[str, Any]) -> dict[str, Any]:
    """Measure once with values that are not saved."""
    trial = Check(target=check.target, probe=check.probe, **values)
    outcome = targets.measure(
        target=check.target, probe=check.probe, options=values["options"], timeout_s=min(values["timeout_s"], TRY_S)
    )
    return _told(outcome) | {"verdict": reading(trial, outcome)}


def _told(outcome: Outcome) -> dict[str, Any]:
    if outcome.measurement is None:
        return {"ok": False, "text": outcome.problem}
    found = figure(outcome.measurement.value, outcome.measurement.unit)
    return {"ok": True, "text": " · ".join(part for part in (found, outcome.measurement.message) if part)}


@require_POST
@access.needs("edit_checks")
def thresholds(request: HtmxRequest, name: str) -> HttpResponse:
    """Save the thresholds from the check's own page."""
    check = get_check_for(request.user, name)
    form = ThresholdsForm(request.POST)
    if not form.is_valid():
        return check_page(request, check, form, status=422)
    definitions.save_check(check=check, by=request.user, **form.cleaned_data)
    return redirect("check", name=check.name)


@require_POST
@access.needs("edit_checks")
def remove(request: HtmxRequest, name: str) -> HttpResponse:
    """Remove a check; its name has to be typed."""
    check = get_check_for(request.user, name)
    if request.POST.get("confirm") != check.name:
        messages.error(request, f"Nothing was removed: type {check.name} to confirm.")
        return redirect("check_edit", name=check.name)
    definitions.remove_check(check=check, by=request.user)
    messages.success(request, f"{check.label} is removed.")
    return redirect("checks")


@require_GET
@access.needs("edit_checks")
def target_list(request: HtmxRequest) -> HttpResponse:
    """Everything that can be reached."""
    found = visible_targets(request.user).prefetch_related("checks")
    now = clock.now()
    rows = [(target, credentials.expiry(target, now)) for target in found]
    return render(request, "checks/targets.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@access.needs("edit_checks")
def target_new(request: HtmxRequest) -> HttpResponse:
    """First what kind of thing it is (from the address), then where it is found."""
    kind = request.GET.get("kind") or request.POST.get("kind", "")
    if kind not in connectors:
        kinds = [
            {"name": each, "label": TargetKind(each).label, "help": connector.address}
            for each, connector in connectors.items()
        ]
        return render(request, "checks/kinds.html", {"kinds": kinds})
    form = TargetForm(request.POST or None, environments=visible_environments(request.user), kind=kind)
    return _edit_target(request, Target(kind=kind), form)


@require_http_methods(["GET", "POST"])
@access.needs("edit_checks")
def target_edit(request: HtmxRequest, name: str) -> HttpResponse:
    """Change a target."""
    target = get_target_for(request.user, name)
    form = TargetForm(
        request.POST or None,
        environments=visible_environments(request.user),
        kind=target.kind,
        target=target,
        initial=TargetForm.of(target),
    )
    return _edit_target(request, target, form)


def _edit_target(request: HtmxRequest, target: Target, form: TargetForm) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "target": target, "expiry": credentials.expiry(target, clock.now())}
    if request.method == "GET":
        return render(request, "checks/target.html", context)
    if not form.is_valid():
        return render(request, "checks/target.html", context, status=422)
    values = form.values()
    if request.POST.get("act") == "test":
        context["reached"] = _try_target(target, values)
        return render(request, "checks/target.html", context)
    definitions.save_target(target=target, by=request.user, **values)
    messages.success(request, f"{target.label} is saved.")
    return redirect("check_targets")


def _try_target(target: Target, values: dict[str, Any]) -> Report:
    """Reach it once with values that are not saved."""
    kept = {name: getattr(target, name) for name in ("name", "kind", "address", "setting", "credential", "trust")}
    trial = Target(**(kept | {name: value for name, value in values.items() if name in kept}))
    return targets.reach(trial, timeout_s=TRY_S)


@require_POST
@access.needs("edit_checks")
def target_remove(request: HtmxRequest, name: str) -> HttpResponse:
    """Remove a target that nothing measures any more."""
    target = get_target_for(request.user, name)
    if definitions.remove_target(target=target, by=request.user):
        messages.success(request, f"{target.label} is removed.")
    else:
        messages.error(request, f"{target.label} still has checks; remove those first.")
    return redirect("check_targets")
