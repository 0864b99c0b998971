"""The first page: what needs me now."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from erpops import access, beats, clock, health
from erpops.htmx import HtmxRequest, page
from erpops.needs import Need, needs_of
from incidents import feeds, first_run
from incidents.queries import first_called

# A storm: more of one kind than this is folded, the most urgent stay in sight.
STORM, IN_SIGHT = 10, 5


@dataclass(frozen=True)
class Heap:
    """Needs of one kind that stand together: those in sight, and the rest when there are many."""

    verb: str
    shown: list[Need]
    folded: list[Need]
    first: bool


def heaps(needs: list[Need]) -> list[Heap]:
    """`needs` in their order, neighbours of one verb together."""
    found: list[Heap] = []
    for verb, group in groupby(needs, key=lambda need: need.verb):
        kind = list(group)
        cut = IN_SIGHT if len(kind) > STORM else len(kind)
        found.append(Heap(verb, kind[:cut], kind[cut:], not found))
    return found


@require_POST
@access.needs("see_console")
def hide_first_run(request: HtmxRequest) -> HttpResponse:
    """Put the checklist of a new installation away, in this browser."""
    response = redirect("now")
    response.set_cookie(
        "first_run", "hidden", max_age=31_536_000, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE
    )
    return response


@require_GET
@access.needs("read_status")
def now(request: HtmxRequest) -> HttpResponse:
    """One ranked list. Stakeholders have a page of their own."""
    if not access.can(request.user, "see_console"):
        return redirect("status")
    return page(request, "incidents/now.html", "incidents/now_part.html", _context(request))


def _context(request: HtmxRequest) -> dict[str, Any]:
    position = feeds.version()
    needs, as_of = needs_of(request.user), clock.now()
    return {
        "position": position,
        "needs": needs,
        "needs_count": len(needs),
        "heaps": heaps(needs),
        "urgent": any(need.severity for need in needs),
        "called": first_called(),
        "health": health.parts(),
        # Said where nothing waits.
        "last_beat": None if needs else beats.last_seen(),
        "as_of": as_of,
        "server_time": as_of,
        "steps": [] if request.COOKIES.get("first_run") == "hidden" else first_run.steps(request.user),
        "may_drill": access.can(request.user, "start_drill"),
    }
