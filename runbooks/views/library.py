"""The library: finding a runbook, reading it, its versions, and importing documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest, page
from erpops.transitions import IllegalMove
from incidents import markdown
from incidents.access import may_operate, visible_environments
from incidents.views.answers import working_on
from runbooks import executions, library, page_queries, search, standing, walk
from runbooks.access import get_runbook_for, get_version_for, visible_runbooks
from runbooks.models import Version
from runbooks.page_queries import Card
from runbooks.refusals import Refused
from runbooks.resolved import marked, pieces
from runbooks.standing import StepStanding

RISKS = ("read", "change", "disrupt", "destroy", "blocked")
# What may stand against trusting a runbook, by its name in the address.
DOUBTS: dict[str, tuple[str, Callable[[Card], bool]]] = {
    "stale": ("Unverified for long", lambda card: card.standing.stale),
    "failing": ("Rehearsal failed", lambda card: bool(card.standing.rehearsed and card.standing.rehearsed.failed)),
    "unrehearsed": ("Never rehearsed", lambda card: card.standing.rehearsed is None),
}


@require_GET
@access.needs("see_console")
def index(request: HtmxRequest) -> HttpResponse:
    """The shelf, searched by `q` and narrowed by `alert`, `kind` and what there is to trust."""
    asked, alert, kind, trust = (request.GET.get(name, "").strip()[:200] for name in ("q", "alert", "kind", "trust"))
    shelf = page_queries.find(visible_runbooks(request.user), text=asked, alert=alert)
    found = page_queries.cards(shelf)
    kinds = sorted({card.runbook.kind for card in found})
    narrowed = [card for card in found if not kind or card.runbook.kind == kind]
    context = {
        "asked": asked,
        "alert": alert,
        "kind": kind,
        "kinds": kinds,
        "trust": trust,
        "doubts": [(name, label, sum(map(doubted, narrowed))) for name, (label, doubted) in DOUBTS.items()],
        "cards": [card for card in narrowed if trust not in DOUBTS or DOUBTS[trust][1](card)],
        "codes": search.codes(asked),
        "may_import": access.can(request.user, "publish_runbooks"),
        "tab": "all",
    }
    return page(request, "runbooks/library/index.html", "runbooks/library/_shelf.html", context)


@require_GET
@access.needs("see_console")
def reader(request: HtmxRequest, slug: str) -> HttpResponse:
    """The published version, to be read."""
    runbook = get_runbook_for(request.user, slug)
    if runbook.current is not None:
        runbook.current.runbook = runbook
        return _read(request, runbook.current)
    version = page_queries.published_version(runbook) or next(iter(page_queries.versions(runbook)), None)
    if version is None:
        return render(request, "runbooks/library/nothing.html", {"runbook": runbook}, status=404)
    return _read(request, get_version_for(request.user, slug, version.number))


@require_GET
@access.needs("see_console")
def version(request: HtmxRequest, slug: str, number: int) -> HttpResponse:
    """One version as it was, with its source."""
    return _read(request, get_version_for(request.user, slug, number), source=True)


def _read(request: HtmxRequest, version: Version, *, source: bool = False) -> HttpResponse:
    runbook = version.runbook
    commands = page_queries.commands_of(version.compiled)
    incidents = page_queries.open_incidents(request.user) if access.can(request.user, "run_commands") else []
    context = {
        "runbook": runbook,
        "version": version,
        "current": runbook.current_id == version.pk,
        "versions": page_queries.versions(runbook),
        "card": next(iter(page_queries.cards(visible_runbooks(request.user).filter(pk=runbook.pk))), None),
        "phases": reading(version.compiled, standing.of_steps(runbook.pk)),
        "prose": [markdown.render(item["text"]) for item in version.compiled["prose"]],
        "risks": _tally(commands),
        "source": version.text.splitlines() if source else None,
        "incidents": [item for item in incidents if may_operate(request.user, item.environment)],
        "may_publish": access.can(request.user, "review_runbooks"),
        "places": _places(request.user) if access.can(request.user, "run_commands") else [],
        "may_propose": access.can(request.user, "propose_runbooks"),
        "needs_second": library.needs_second(version, request.user),
    }
    return render(request, "runbooks/library/reader.html", context)


def _places(user: Any) -> list[Any]:
    return [place for place in visible_environments(user) if may_operate(user, place)]


@require_POST
@access.needs("run_commands")
def start_in(request: HtmxRequest, slug: str) -> HttpResponse:
    """Start the runbook in the open incident that the reader's picker names."""
    runbook = get_runbook_for(request.user, slug)
    number = request.POST.get("incident", "")
    if not number.isdecimal() or len(number) > 18:
        messages.error(request, "Choose the incident in which to start it.")
        return redirect("runbook", slug)
    incident = working_on(request, int(number))
    try:
        execution = executions.start(
            runbook=runbook, incident=incident, environment=incident.environment, by=request.user
        )
    except (Refused, IllegalMove) as error:
        messages.error(request, str(error))
        return redirect("runbook", slug)
    return redirect("walk_step", incident.pk, execution.pk, execution.position)


@require_POST
@access.needs("review_runbooks")
def publish(request: HtmxRequest, slug: str, number: int) -> HttpResponse:
    """Make a version the one that new executions walk."""
    version = get_version_for(request.user, slug, number)
    note = request.POST.get("note", "").strip()[:300]
    try:
        library.publish(version=version, by=request.user, note=note)
    except Refused as error:
        messages.error(request, str(error))
        return redirect("runbook_version", slug, number)
    messages.success(request, f"Version {number} of {version.runbook.title} is published.")
    return redirect("runbook", slug)


def _tally(commands: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """How many commands there are of each risk, the ones that occur."""
    counts = {risk: sum(command["risk"] == risk for command in commands) for risk in RISKS}
    return [(risk, count) for risk, count in counts.items() if count]


@dataclass(frozen=True)
class ReadStep:
    """A step as the reader shows it."""

    anchor: str
    number: int
    title: str
    condition: str
    optional: bool
    prose: list[SafeString]
    blocks: list[dict[str, Any]]
    commands: list[dict[str, Any]]
    standing: StepStanding | None


@dataclass(frozen=True)
class ReadPhase:
    """A phase as the reader shows it."""

    name: str
    time_box_s: int | None
    prose: list[SafeString]
    items: list[SafeString]
    steps: list[ReadStep]


def reading(compiled: dict[str, Any], stood: Mapping[tuple[str, str], StepStanding] | None = None) -> list[ReadPhase]:
    """The phases of a compiled runbook with its steps numbered as an execution numbers them, and how each has stood."""
    phases, number = [], 0
    for phase in compiled["phases"]:
        steps = []
        for step in phase["steps"]:
            number += 1
            steps.append(_read_step(step, number, (stood or {}).get((phase["phase"], step["title"]))))
        if not phase["steps"] and phase["items"]:
            number += 1
        phases.append(
            ReadPhase(
                name=phase["heading"] or walk.PHASES.get(phase["phase"], "Steps"),
                time_box_s=phase["time_box_s"],
                prose=[markdown.render(item["text"]) for item in phase["prose"]],
                items=[markdown.render(item["text"]) for item in phase["items"]],
                steps=steps,
            )
        )
    return phases


def _read_step(step: dict[str, Any], number: int, stood: StepStanding | None) -> ReadStep:
    commands = [
        command | {"html": marked(pieces(command["text"], command["parameters"], {}), reading=True)}
        for command in step["commands"]
    ]
    return ReadStep(
        anchor=f"step-{number}",
        number=number,
        title=walk.plain(step["title"]),
        condition=walk.plain(step["condition"] or ""),
        optional=step["optional"],
        prose=[markdown.render(item["text"]) for item in walk.prose_of(step)],
        blocks=step["blocks"],
        commands=commands,
        standing=stood,
    )
