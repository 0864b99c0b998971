"""The review of an incident, and the list of reviews."""

from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from erpops import access, clock
from erpops.htmx import HtmxRequest, page
from erpops.transitions import IllegalMove
from incidents import markdown, pictures, postmortem
from incidents.access import get_incident_for, visible_incidents
from incidents.choices import ReviewStatus
from incidents.forms.postmortem import CommentForm, FollowUpForm, ReviewForm
from incidents.models import Incident, PostMortem
from incidents.queries import name_of, review_of, reviews_of
from incidents.views.answers import refused
from incidents.wording import gaps


@dataclass(frozen=True)
class Saved:
    """What the editor shows: the text in it, the revision it belongs to, and what another saved meanwhile."""

    body: str
    revision: int
    theirs: str | None = None
    sentence: str = ""


@require_GET
@access.needs("write_postmortem")
def reviews(request: HtmxRequest) -> HttpResponse:
    """All reviews with their state and due time."""
    wanted = request.GET.get("state", "")
    wanted = wanted if wanted in ReviewStatus.values else ""
    tabs = [("", "All"), *ReviewStatus.choices]
    context = {
        "rows": reviews_of(visible_incidents(request.user), wanted),
        "tabs": [
            {"label": label, "url": f"?state={value}" if value else "?", "active": value == wanted}
            for value, label in tabs
        ],
        "wanted": wanted,
        "now": clock.now(),
        "may_drill": access.can(request.user, "start_drill"),
    }
    return page(request, "incidents/review/list.html", "incidents/review/list_part.html", context)


@require_GET
@access.needs("write_postmortem")
def review(request: HtmxRequest, number: int) -> HttpResponse:
    """The review, to read or to write (`?edit=1`)."""
    incident = get_incident_for(request.user, number)
    return _page(request, incident, editing=request.GET.get("edit") == "1")


def _page(
    request: HtmxRequest,
    incident: Incident,
    *,
    editing: bool = False,
    saved: Saved | None = None,
    action: FollowUpForm | None = None,
    comment: CommentForm | None = None,
    code: int = 200,
) -> HttpResponse:
    document = review_of(incident)
    context = {
        "incident": incident,
        "environment": {"name": incident.environment.label, "production": incident.environment.is_production},
        "document": document,
        "actions": incident.follow_ups.select_related("owner"),
        "action_form": action or FollowUpForm(),
        "comment_form": comment or CommentForm(),
        "may_publish": access.can(request.user, "publish_postmortem"),
        "now": clock.now(),
    }
    if document:
        context |= {
            "html": markdown.render(document.body),
            "gaps": gaps(document.body),
            "author": name_of(document.author),
            "writable": document.status in postmortem.WRITABLE,
            "editing": editing and document.status in postmortem.WRITABLE,
            "saved": saved or Saved(document.body, document.revision),
        }
    return render(request, "incidents/review/page.html", context, status=code)


def _review_for(request: HtmxRequest, number: int) -> PostMortem:
    incident = get_incident_for(request.user, number)
    found = review_of(incident)
    if found is None:
        raise Http404("This incident has no review yet; it is drafted when the incident is resolved.")
    return found


@require_POST
@access.needs("write_postmortem")
def edit(request: HtmxRequest, number: int) -> HttpResponse:
    """Save. Somebody else's save in between answers 409 with both texts."""
    document = _review_for(request, number)
    form = ReviewForm(request.POST)
    there = reverse("review", args=[number])
    if not form.is_valid():
        sentence = " ".join(str(error) for errors in form.errors.values() for error in errors)
        kept = Saved(request.POST.get("body", ""), document.revision, sentence=sentence)
        return _editor(request, document.incident, kept, code=422)
    body, revision = form.cleaned_data["body"], form.cleaned_data["revision"]
    try:
        document = postmortem.edit(review=document, body=body, revision=revision, by=request.user)
    except postmortem.Conflict as conflict:
        both = Saved(body, conflict.current.revision, theirs=conflict.current.body, sentence=str(conflict))
        return _editor(request, document.incident, both, code=409)
    except IllegalMove as error:
        return refused(request, str(error), there)
    if request.POST.get("then") == "read" or not request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": there}) if request.htmx else redirect(there)
    response = _editor(request, document.incident, Saved(document.body, document.revision))
    response.headers["HX-Trigger"] = '{"toast": {"text": "Saved."}}'
    return response


def _editor(request: HtmxRequest, incident: Incident, saved: Saved, *, code: int = 200) -> HttpResponse:
    if not request.htmx:
        return _page(request, incident, editing=True, saved=saved, code=code)
    context = {"incident": incident, "saved": saved, "html": markdown.render(saved.body)}
    return render(request, "incidents/review/editor.html", context, status=code)


@require_POST
@access.needs("write_postmortem")
def preview(request: HtmxRequest, number: int) -> HttpResponse:
    """The text as it will be read."""
    get_incident_for(request.user, number)
    html = markdown.render(request.POST.get("body", "")[: postmortem.MAX_CHARS])
    return render(request, "incidents/review/preview.html", {"html": html})


@require_POST
@access.needs("write_postmortem")
def submit(request: HtmxRequest, number: int) -> HttpResponse:
    """Hand it to a lead."""
    document, there = _review_for(request, number), reverse("review", args=[number])
    try:
        postmortem.submit(review=document, by=request.user)
    except IllegalMove as error:
        return refused(request, str(error), there)
    return _there(request, there)


@require_POST
@access.needs("publish_postmortem")
def decide(request: HtmxRequest, number: int) -> HttpResponse:
    """A lead publishes, or asks for changes with a comment."""
    document, there = _review_for(request, number), reverse("review", args=[number])
    try:
        if request.POST.get("decision") == "publish":
            postmortem.publish(review=document, by=request.user)
        else:
            form = CommentForm(request.POST)
            if not form.is_valid():
                return refused(request, "Say what should change, so that it can be done.", there)
            postmortem.request_changes(review=document, comment=form.cleaned_data["comment"], by=request.user)
    except IllegalMove as error:
        return refused(request, str(error), there)
    return _there(request, there)


@require_POST
@access.needs("write_postmortem")
def follow_up(request: HtmxRequest, number: int) -> HttpResponse:
    """Add an action."""
    incident = get_incident_for(request.user, number)
    form = FollowUpForm(request.POST)
    if not form.is_valid():
        return _page(request, incident, action=form, code=422)
    postmortem.add_follow_up(incident=incident, by=request.user, **form.cleaned_data)
    return _there(request, reverse("review", args=[number]) + "#actions")


@require_POST
@access.needs("write_postmortem")
def follow_up_done(request: HtmxRequest, number: int, action: int) -> HttpResponse:
    """Tick an action, or take the tick away."""
    incident = get_incident_for(request.user, number)
    found = incident.follow_ups.filter(pk=action).first()
    if found is None:
        raise Http404("There is no such action.")
    postmortem.set_follow_up_done(action=found, done=request.POST.get("done") == "1", by=request.user)
    return _there(request, reverse("review", args=[number]) + "#actions")


@require_GET
@access.needs("write_postmortem")
def export(request: HtmxRequest, number: int) -> HttpResponse:
    """The review as a Markdown file, with its actions."""
    document = _review_for(request, number)
    lines = [pictures.with_addresses(document.body.rstrip()), "", "## Actions", ""]
    for action in document.incident.follow_ups.select_related("owner"):
        box = "x" if action.done_at else " "
        words = [markdown.escape(action.title), name_of(action.owner), f"due {action.due_on}" if action.due_on else ""]
        lines.append(f"- [{box}] " + ", ".join(word for word in words if word))
    response = HttpResponse("\n".join(lines) + "\n", content_type="text/markdown; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{document.incident.reference}-review.md"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _there(request: HtmxRequest, url: str) -> HttpResponse:
    return HttpResponse(status=204, headers={"HX-Redirect": url}) if request.htmx else redirect(url)
