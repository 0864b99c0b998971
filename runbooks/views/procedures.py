"""Procedures: checklists, deployments and routines that are walked without an incident."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest, page
from incidents.access import may_operate, visible_environments
from incidents.images import NotAPicture
from incidents.markdown import without_controls
from incidents.pictures import add_all
from incidents.views import pictures
from runbooks import addresses, executions, procedures
from runbooks.access import get_runbook_for
from runbooks.views import walking
from runbooks.views.walking import REFUSALS, Walk, act_on, fetch

NOTE_LONGEST = 20_000


@require_GET
@access.needs("see_console")
def index(request: HtmxRequest) -> HttpResponse:
    """What goes on, what can be started, what was done."""
    context = {
        "going_on": procedures.going_on(request.user),
        "offers": procedures.offers(request.user),
        "finished": procedures.finished(request.user),
        "places": [place for place in visible_environments(request.user) if may_operate(request.user, place)],
        "feed_position": procedures.version(),
    }
    return page(request, "runbooks/procedures/index.html", "runbooks/procedures/_lists.html", context)


@require_POST
@access.needs("run_commands")
def start(request: HtmxRequest, slug: str) -> HttpResponse:
    """Walk the published version in the environment that was chosen; one that goes on there is opened."""
    runbook = get_runbook_for(request.user, slug)
    chosen = request.POST.get("environment", "")
    known = chosen.isdecimal() and len(chosen) < 10
    if not known:
        messages.error(request, f"Choose the environment in which {runbook.title} is done.")
        return redirect("procedures")
    place = get_object_or_404(visible_environments(request.user), pk=int(chosen))
    try:
        execution = executions.start(runbook=runbook, incident=None, environment=place, by=request.user)
    except REFUSALS as error:
        messages.error(request, str(error))
        return redirect("procedures")
    return redirect(addresses.of_walk(execution, "walk_step", position=execution.position))


@require_GET
@access.needs("see_console")
def room(request: HtmxRequest, execution: int) -> HttpResponse:
    """The procedure, opened where its holder stands."""
    opened = fetch(request, None, execution)
    opened.position = opened.execution.position
    if opened.execution.is_rehearsal:
        return redirect("rehearsal", execution)
    return render_procedure(request, opened)


@require_GET
@access.needs("see_console")
def journal(request: HtmxRequest, execution: int) -> HttpResponse:
    """The acts so far, drawn again whenever there is a new one."""
    opened = fetch(request, None, execution)
    return render(request, "runbooks/procedures/_journal.html", _journal(request, opened))


@require_POST
@access.needs("run_commands")
def picture(request: HtmxRequest, execution: int) -> HttpResponse:
    """Keep a picture that was pasted into a note of the journal."""
    return pictures.taken(request, topic=_topic(act_on(request, None, execution)))


@require_POST
@access.needs("run_commands")
def note(request: HtmxRequest, execution: int) -> HttpResponse:
    """A note in the journal."""
    opened = act_on(request, None, execution)
    text, unwanted = _noted(request, opened)
    if unwanted or not 0 < len(text) <= NOTE_LONGEST:
        problem = unwanted or ("A note has at most 20,000 characters." if text else "Write something first.")
        context = _journal(request, opened) | {"problem": problem, "typed": text}
        return render(request, "runbooks/procedures/_journal.html", context, status=422)
    executions.keep_note(execution=opened.execution, text=text, by=request.user)
    if not request.htmx:
        return redirect(addresses.of_room(opened.execution))
    return render(request, "runbooks/procedures/_journal.html", _journal(request, opened))


def _noted(request: HtmxRequest, opened: Walk) -> tuple[str, str]:
    """What the note says, with its pictures at its end; and why one of them is not taken."""
    text = without_controls(request.POST.get("text", "")).strip()
    try:
        uploads = request.FILES.getlist("pictures")
        shown = add_all(uploads=uploads, topic=_topic(opened), by=request.user)
    except NotAPicture as error:
        return text, str(error)
    return "\n\n".join(part for part in (text, shown) if part), ""


def _topic(opened: Walk) -> str:
    return opened.execution.topic.partition("@")[0]


def render_procedure(request: HttpRequest, opened: Walk) -> HttpResponse:
    """The whole page of a procedure."""
    context = walking.context(opened) | _journal(request, opened)
    return render(request, "runbooks/procedures/room.html", context)


def _journal(request: HttpRequest, opened: Walk) -> dict[str, object]:
    noise = request.GET.get("noise") == "1"
    return {
        "execution": opened.execution,
        "rows": procedures.journal(opened.execution, noise=noise),
        "noise": noise,
        "may_note": opened.operator,
    }
