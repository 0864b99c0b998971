"""The approver's page: everything that bears on the answer, and the answer. Works on a phone, and as plain forms."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import page as page_or_part
from runbooks import addresses, approval_views, approvals, consequences, intent, page_queries, secret_values, touched
from runbooks.access import get_approval_for
from runbooks.models import Approval
from runbooks.views.walking import REFUSALS, user_of


@require_GET
@access.needs("see_console")
def page(request: HttpRequest, approval: int) -> HttpResponse:
    """One question with all that belongs to it; the fragment is how it stands."""
    found = get_approval_for(request.user, approval)
    context = _context(request, found)
    return page_or_part(request, "runbooks/approvals/page.html", "runbooks/approvals/_standing.html", context)


@require_POST
@access.needs("approve_destroy")
def answer(request: HttpRequest, approval: int) -> HttpResponse:
    """Approve it with its name typed, or refuse it with a word."""
    found = get_approval_for(request.user, approval)
    by, comment = user_of(request), request.POST.get("comment", "").strip()[:300]
    verdict = request.POST.get("verdict", "")
    try:
        if verdict == "approve":
            approvals.approve(approval=found, by=by, target=request.POST.get("target", ""), comment=comment)
        elif verdict == "reject":
            approvals.reject(approval=found, by=by, comment=comment)
        else:
            return HttpResponse("The verdict is approve or reject.", status=400, content_type="text/plain")
    except REFUSALS as error:
        return _refused(request, found, str(error))
    said = (
        "Approved: it may run once within 15 minutes." if verdict == "approve" else "Refused; whoever asked sees why."
    )
    return _told(request, found, said)


@require_POST
@access.needs("run_commands")
def withdraw(request: HttpRequest, approval: int) -> HttpResponse:
    """Take the question back."""
    found = get_approval_for(request.user, approval)
    try:
        approvals.withdraw(approval=found, by=user_of(request), why=request.POST.get("why", "").strip()[:300])
    except REFUSALS as error:
        return _refused(request, found, str(error))
    messages.success(request, "The question for approval is withdrawn.")
    return redirect(_step(found))


@require_POST
@access.needs("approve_destroy")
def break_glass(request: HttpRequest, approval: int) -> HttpResponse:
    """Go ahead without another lead, in a SEV1 that nobody answers, with a reason that is paged."""
    found = get_approval_for(request.user, approval)
    try:
        approvals.break_glass(approval=found, by=user_of(request), reason=request.POST.get("reason", "").strip()[:300])
    except REFUSALS as error:
        return _refused(request, found, str(error))
    messages.success(request, "The glass is broken: the next level is paged and the review will ask about it.")
    return redirect(_step(found))


def _context(request: HttpRequest, found: Approval) -> dict[str, Any]:
    step_run, execution = found.step_run, found.step_run.execution
    place, user = execution.environment, user_of(request)
    compiled = intent.command_of(step_run, found.command)
    acts_on = touched.of(compiled, secret_values.opened(found.values))
    standing = approval_views.standing(found, execution, user)
    runs = page_queries.steps(execution)
    return {
        "standing": standing,
        "approval": found,
        "execution": execution,
        "incident": execution.incident,
        "place": place,
        "environment": {"name": place.label, "production": place.is_production},
        "compiled": compiled,
        "step_number": step_run.position + 1,
        "step_url": _step(found),
        "facts": consequences.of(execution, runs, step_run.position, risk=compiled["risk"], touched=acts_on),
        "why_not": "" if standing.may_answer or not standing.waiting else _why_not(found, user),
        "changed": standing.void or (standing.open and not approvals.still_meant(found)),
    }


def _why_not(found: Approval, user: Any) -> str:
    if not access.can(user, "approve_destroy"):
        return f"A {access.roles_with('approve_destroy').lower()} answers this."
    if found.requested_by_id == user.pk:
        return "You asked for it, so somebody else answers."
    return "You wrote or published this text, so somebody else answers."


def _refused(request: HttpRequest, found: Approval, problem: str) -> HttpResponse:
    fresh = get_approval_for(request.user, found.pk)
    typed = {name: request.POST.get(name, "")[:300] for name in ("comment", "reason")}
    context = _context(request, fresh) | {"problem": problem, "typed": typed}
    return render(request, "runbooks/approvals/page.html", context, status=422)


def _told(request: HttpRequest, found: Approval, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect(reverse("approval", args=[found.pk]))


def _step(found: Approval) -> str:
    return addresses.of_walk(found.step_run.execution, "walk_step", position=found.step_run.position)
