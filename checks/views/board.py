"""The board, and one check: what it says, and what people do about it."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from checks import alerts, feeds, history, schedule
from checks import board as boards
from checks.access import get_check_for, visible_checks
from checks.forms.check import MuteForm, ThresholdsForm
from checks.models import Check
from checks.probes import probes
from erpops import access, beats, clock
from erpops.htmx import HtmxRequest, page
from incidents.access import visible_environments, visible_incidents

PAGE = 20


@require_GET
@access.needs("see_console")
def board(request: HtmxRequest) -> HttpResponse:
    """All checks, failing first."""
    checks = visible_checks(request.user)
    chosen = visible_environments(request.user).filter(name=request.GET.get("environment", "")).first()
    if chosen is not None:
        checks = checks.filter(target__environment=chosen)
    context = {
        "cursor": feeds.version(),
        "board": boards.board(checks),
        "chosen": chosen,
        "environments_with_checks": visible_environments(request.user).filter(targets__checks__isnull=False).distinct(),
        "can_edit": access.can(request.user, "edit_checks"),
        "no_worker": not beats.alive("worker"),
    }
    return page(request, "checks/board.html", "checks/_board.html", context)


@require_GET
@access.needs("see_console")
def show(request: HtmxRequest, name: str) -> HttpResponse:
    """One check with its history; a fragment is only the part that changes by itself."""
    check = get_check_for(request.user, name)
    thresholds = ThresholdsForm(initial=ThresholdsForm.of(check))
    return check_page(request, check, thresholds)


def check_page(request: HtmxRequest, check: Check, thresholds: ThresholdsForm, *, status: int = 200) -> HttpResponse:
    probe = probes.get(check.probe)
    before = request.GET.get("before", "")
    results = history.latest(check, before=int(before) if before.isdecimal() else None, limit=PAGE)
    context: dict[str, Any] = {
        "check": check,
        "cell": boards.cell(check, now=clock.now(), curves=history.day_of_all()),
        "probe_words": probe.words(check.options) if probe else check.probe,
        "results": results,
        "paging": before.isdecimal(),
        "incident": visible_incidents(request.user).filter(**alerts.standing(check)).order_by("-pk").first(),
        "older": results[-1].pk if len(results) == PAGE else None,
        "changes": history.changes(check),
        "mute": MuteForm(),
        "can_mute": access.can(request.user, "mute_checks"),
    }
    if not request.htmx:
        context |= {
            "cursor": feeds.version(),
            "days": history.days(check),
            "thresholds": thresholds,
            "can_edit": access.can(request.user, "edit_checks"),
            "runbook_url": f"/r/?{urlencode({'alert': check.alert_name})}",
        }
        context["preview"] = _preview(check, thresholds) if context["can_edit"] else None
    answer = page(request, "checks/check.html", "checks/_check.html", context)
    answer.status_code = status
    return answer


@require_POST
@access.needs("mute_checks")
def run(request: HtmxRequest, name: str) -> HttpResponse:
    """Measure it as soon as a worker is free."""
    check = get_check_for(request.user, name)
    schedule.run_now(check=check, by=request.user)
    return _back(request, check)


@require_POST
@access.needs("mute_checks")
def mute(request: HtmxRequest, name: str) -> HttpResponse:
    """Raise nothing for a while."""
    check = get_check_for(request.user, name)
    form = MuteForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Choose how long the check is muted.", status=422, content_type="text/plain")
    schedule.mute(check=check, for_s=form.cleaned_data["for_s"], by=request.user)
    return _back(request, check)


@require_POST
@access.needs("mute_checks")
def unmute(request: HtmxRequest, name: str) -> HttpResponse:
    """Raise again."""
    check = get_check_for(request.user, name)
    schedule.unmute(check=check, by=request.user)
    return _back(request, check)


def _back(request: HtmxRequest, check: Check) -> HttpResponse:
    """To the check's page, or its fresh fragment."""
    if request.htmx:
        check = get_check_for(request.user, check.name)
        return check_page(request, check, ThresholdsForm(initial=ThresholdsForm.of(check)))
    return redirect(reverse("check", args=[check.name]))


@require_GET
@access.needs("edit_checks")
def preview(request: HtmxRequest, name: str) -> HttpResponse:
    """How often thresholds that are being typed would have fired."""
    check = get_check_for(request.user, name)
    form = ThresholdsForm(request.GET)
    form.is_valid()
    return page(
        request, "checks/_preview.html", "checks/_preview.html", {"preview": _preview(check, form), "thresholds": form}
    )


def _preview(check: Check, form: ThresholdsForm) -> history.Preview | None:
    """None while the thresholds are not all right."""
    if form.is_bound:
        if not form.is_valid():
            return None
        values = {name: form.cleaned_data[name] for name in ThresholdsForm.base_fields}
    else:
        values = {name: getattr(check, name) for name in ThresholdsForm.base_fields}
    return history.would_have_fired(check, **values)
