"""The other shelves of the library: what waits for a review, conflicts, gaps; and taking it all along."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import comparing, exporting, gaps, page_queries, platforms
from runbooks.access import get_runbook_for, visible_runbooks


@require_GET
@access.needs("see_console")
def waiting(request: HtmxRequest) -> HttpResponse:
    """Drafts and proposals, what was asked for first."""
    found = page_queries.waiting(visible_runbooks(request.user))
    return render(request, "runbooks/library/waiting.html", {"waiting": found, "tab": "waiting"})


@require_GET
@access.needs("see_console")
def conflicts(request: HtmxRequest) -> HttpResponse:
    """Several runbooks for one alert, and what they say differently."""
    found = gaps.conflicts(visible_runbooks(request.user))
    return render(request, "runbooks/library/conflicts.html", {"conflicts": found, "tab": "conflicts"})


@require_GET
@access.needs("see_console")
def compare(request: HtmxRequest, left: str, right: str) -> HttpResponse:
    """Two published runbooks beside each other."""
    pair = [get_runbook_for(request.user, slug) for slug in (left, right)]
    shelf = visible_runbooks(request.user).filter(slug__in=[left, right])
    found = {card.runbook.pk: card for card in page_queries.cards(shelf)}
    if len(found) != 2:
        raise Http404("Only two published runbooks can be compared.")
    sides = [found[runbook.pk] for runbook in pair]
    one, other = (card.runbook.current.compiled for card in sides if card.runbook.current)
    context = {
        "sides": sides,
        "both": sorted(set(one["alerts"]) & set(other["alerts"])),
        "platforms": [", ".join(sorted(platforms.of_compiled(compiled))) or "any place" for compiled in (one, other)],
        "rows": comparing.rows(one, other),
        "differ_at": comparing.first_difference(one, other),
        "sayings": gaps.sayings(pair),
    }
    return render(request, "runbooks/library/compare.html", context)


@access.needs("see_console")
def missing(request: HtmxRequest) -> HttpResponse:
    """Alerts without a runbook: those that fired here, and those of rules that somebody brings."""
    shelf = visible_runbooks(request.user)
    context: dict[str, Any] = {"tab": "gaps", "seen": gaps.seen(shelf), "problem": "", "ruled": None}
    if request.method == "POST":
        file, address = request.FILES.get("rules"), request.POST.get("address", "").strip()
        try:
            rules = gaps.from_file(file.read(gaps.RULES_LIMIT + 1)) if file else gaps.from_prometheus(address)
            context |= {"ruled": gaps.of_rules(shelf, rules), "count": len(rules)}
        except gaps.Unreadable as error:
            context["problem"] = str(error)
    return render(request, "runbooks/library/gaps.html", context, status=422 if context["problem"] else 200)


@require_GET
@access.needs("see_console")
def export(request: HtmxRequest, slug: str) -> HttpResponse:
    """The published text as a file."""
    runbook = get_runbook_for(request.user, slug)
    response = HttpResponse(exporting.markdown(runbook), content_type="text/markdown; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{runbook.slug}.md"'
    return response


@require_GET
@access.needs("see_console")
def export_all(request: HtmxRequest) -> HttpResponse:
    """The whole library as a zip that imports again to the same thing."""
    response = HttpResponse(exporting.archive(visible_runbooks(request.user)), content_type="application/zip")
    response.headers["Content-Disposition"] = 'attachment; filename="runbooks.zip"'
    return response
