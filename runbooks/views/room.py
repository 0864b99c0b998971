"""The runbook part of the incident room: what matches, starting it, and the step that is open."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.access import get_incident_for, may_operate
from incidents.models import Incident
from incidents.views import room as incident_room
from incidents.views.answers import refused, sheet, working_on
from runbooks import addresses, beginning, executions, looking, page_queries, suggested
from runbooks.access import visible_runbooks
from runbooks.choices import ExecutionStatus
from runbooks.models import Execution
from runbooks.views import procedures, walking
from runbooks.views.walking import REFUSALS, Walk, act_on, fetch

FOUND = 12


def panel(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Panel context: the execution that the address names, else the one in progress, else what matches."""
    walks = page_queries.walks(incident)
    named = request.resolver_match.kwargs if request.resolver_match else {}
    chosen = _chosen(walks, named.get("execution"))
    if chosen is None or request.GET.get("runbooks"):
        return {"incident": incident, "others": walks, **_finder(request, incident)}
    return walking.context(_open(request, chosen, named.get("position")))


def _chosen(walks: list[Execution], named: int | None) -> Execution | None:
    if named is not None:
        return next((walk for walk in walks if walk.pk == named), None)
    active = [walk for walk in walks if walk.status == ExecutionStatus.ACTIVE]
    return next(iter(active or walks), None)


def _open(request: HttpRequest, execution: Execution, position: int | None) -> Walk:
    at = execution.position if position is None else position
    return Walk(user=walking.user_of(request), execution=execution, position=at)


def _finder(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Matches, or what a search finds; `asked` is what was searched for."""
    asked = request.GET.get("q", "").strip()[:200]
    suggestions = suggested.of(incident)
    visible = visible_runbooks(request.user)
    shelf = page_queries.find(visible, text=asked) if asked else None
    # What only looks around is not offered while the right one may be found in a moment.
    looking = not suggestions and suggested.looking(incident)
    return {
        "looking": looking,
        "suggestions": suggestions,
        "mark": suggested.mark(suggestions),
        "diagnostics": [] if suggestions or looking else suggested.diagnostics(visible, incident),
        "asked": asked,
        "found": page_queries.cards(shelf, limit=FOUND) if shelf is not None else [],
        "may_start": incident.is_open and may_operate(request.user, incident.environment),
    }


@require_GET
@access.needs("see_console")
def finder(request: HtmxRequest, number: int) -> HttpResponse:
    """The matching runbooks and the search; the room itself without scripts."""
    incident = get_incident_for(request.user, number)
    if not request.htmx:
        return incident_room.render_room(request, incident)
    if known := request.GET.get("mark"):
        return _news(request, incident, known)
    walks = page_queries.walks(incident)
    context = {"incident": incident, "others": walks, **_finder(request, incident)}
    return render(request, "runbooks/room/_finder.html", context)


def _news(request: HtmxRequest, incident: Incident, known: str) -> HttpResponse:
    """Whether other runbooks match by now than the page shows: said in a line, so that nothing moves by itself."""
    mark = suggested.mark(suggested.of(incident))
    context = {"incident": incident, "mark": known, "changed": mark != known}
    return render(request, "runbooks/room/_finder_news.html", context)


@require_POST
@access.needs("run_commands")
def start(request: HtmxRequest, number: int, slug: str) -> HttpResponse:
    """Walk the published version of a runbook in this incident; twice is once."""
    incident = working_on(request, number)
    runbook = get_object_or_404(visible_runbooks(request.user), slug=slug)
    room = reverse("room", args=[number])
    if not incident.is_open:
        return refused(request, f"{incident.reference} is resolved. Reopen it to start a runbook.", room)
    try:
        execution = executions.start(
            runbook=runbook, incident=incident, environment=incident.environment, by=request.user
        )
    except REFUSALS as error:
        return refused(request, str(error), room)
    opened = _open(request, execution, None)
    return walking.whole(request, opened, moved=True)


@require_POST
@access.needs("run_commands")
def begin(request: HtmxRequest, number: int) -> HttpResponse:
    """Acknowledge and start the runbook that matches, with one click; twice is once."""
    incident = working_on(request, number)
    room = reverse("room", args=[number])
    try:
        execution = beginning.begin(incident=incident, by=request.user)
    except REFUSALS as error:
        messages.error(request, str(error))
        to = room
    else:
        to = addresses.of_walk(execution, "walk_step", position=execution.position)
    return HttpResponse(status=204, headers={"HX-Redirect": to}) if request.htmx else redirect(to)


@require_POST
@access.needs("run_commands")
def look(request: HtmxRequest, number: int) -> HttpResponse:
    """Run a typed line that only reads, without a runbook."""
    incident = working_on(request, number)
    line = request.POST.get("line", "")
    room = reverse("room", args=[number])
    if not incident.is_open:
        return refused(request, f"{incident.reference} is resolved. Reopen it to look at something.", room)
    try:
        run = looking.look(incident=incident, line=line, by=request.user)
    except REFUSALS as error:
        return _not_looked(request, incident, line, str(error))
    return walking.whole(request, _open(request, run.step_run.execution, 0), moved=True)


def _not_looked(request: HtmxRequest, incident: Incident, line: str, problem: str) -> HttpResponse:
    """The finder with the line as it was typed, and why it did not run."""
    if not request.htmx:
        messages.error(request, problem)
        return redirect(reverse("walk_finder", args=[incident.pk]) + "?runbooks=1")
    walks = page_queries.walks(incident)
    context = {"incident": incident, "others": walks, "line": line, "problem": problem, **_finder(request, incident)}
    return render(request, "runbooks/room/_finder.html", context, status=422)


@require_GET
@access.needs("see_console")
def step(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """A step: the fragment for htmx, the room opened at it otherwise."""
    opened = fetch(request, number, execution, position)
    if opened.execution.is_rehearsal:
        return redirect("rehearsal", execution)
    if not request.htmx:
        return _around(request, opened)
    response = render(request, "runbooks/room/_walk.html", walking.context(opened))
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def _around(request: HtmxRequest, opened: Walk) -> HttpResponse:
    """The whole page around the opened step."""
    if opened.incident is not None:
        return incident_room.render_room(request, opened.incident)
    return procedures.render_procedure(request, opened)


@require_GET
@access.needs("see_console")
def pulse(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """What changed on an open step since the page was drawn; nothing (204) if nothing did."""
    opened = fetch(request, number, execution, position)
    if opened.page.holder == str(opened.execution.holder_id or "") and opened.active:
        return walking.leaves(request, opened) if any(opened.changed.values()) else HttpResponse(status=204)
    # Who may act changed, so every button does: the step is drawn again as a whole.
    response = render(request, "runbooks/room/_walk.html", walking.context(opened))
    response.headers["HX-Retarget"] = "#walk"
    response.headers["HX-Reswap"] = "outerHTML"
    return response


@require_GET
@access.needs("see_console")
def here(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """The marks on the rail: who else looks at which step."""
    opened = fetch(request, number, execution)
    return render(request, "runbooks/room/_here.html", {"walk": opened})


@require_POST
@access.needs("run_commands")
def viewed(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """The holder of the baton looks at a step: it counts as viewed from now on."""
    opened = fetch(request, number, execution, position)
    if opened.may_act:
        executions.go_to(step_run=opened.runs[position], by=request.user)
    return walking.leaves(request, walking.again(opened))


@access.needs("run_commands")
def complete(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """The sheet that lists what would be left, and the end of the runbook."""
    opened = act_on(request, number, execution, walking.sent_position(request))
    problem, status = "", 200
    if request.method == "POST":
        note = request.POST.get("note", "").strip()
        if not note and (opened.turns.left.get("failed") or opened.turns.left.get("not_done")):
            problem, status = "Say what becomes of what failed or was not done.", 422
        else:
            try:
                executions.complete(execution=opened.execution, by=request.user, note=note)
            except REFUSALS as error:
                problem, status = str(error), 409
            else:
                return _completed(request, opened)
    context = walking.context(opened) | {"problem": problem, "note": request.POST.get("note", "")}
    return sheet(request, "runbooks/room/complete_sheet.html", context, status=status)


def _completed(request: HtmxRequest, opened: Walk) -> HttpResponse:
    """The summary; a runbook that another one referred to goes back to the step that it came from."""
    url = opened.turns.parent_url or walking.step_url(opened)
    if not request.htmx:
        return redirect(url)
    return HttpResponse(status=204, headers={"HX-Redirect": url})


@require_POST
@access.needs("run_commands")
def refer(request: HtmxRequest, execution: int, position: int, slug: str, number: int | None = None) -> HttpResponse:
    """Start the runbook that a step refers to, as a part of this walk; twice is once."""
    opened = act_on(request, number, execution, position)
    runbook = get_object_or_404(visible_runbooks(request.user), slug=slug)
    walked = opened.execution
    try:
        child = executions.start(
            runbook=runbook,
            incident=walked.incident,
            environment=walked.environment,
            by=request.user,
            parent=opened.step.run,
        )
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    return walking.whole(request, _open(request, child, None), moved=True)


@access.needs("run_commands")
def abandon(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """The sheet that asks why the runbook is given up, and the giving up."""
    opened = act_on(request, number, execution)
    problem = ""
    if request.method == "POST":
        try:
            executions.abandon(execution=opened.execution, reason=request.POST.get("reason", "")[:300], by=request.user)
        except REFUSALS as error:
            problem = str(error)
        else:
            return _reload(request, opened)
    context = walking.context(opened) | {"problem": problem}
    return sheet(request, "runbooks/room/abandon_sheet.html", context, status=422 if problem else 200)


def _reload(request: HtmxRequest, opened: Walk) -> HttpResponse:
    url = addresses.of_room(opened.execution) + ("?runbooks=1" if opened.incident else "")
    if not request.htmx:
        return redirect(url)
    return HttpResponse(status=204, headers={"HX-Redirect": url})
