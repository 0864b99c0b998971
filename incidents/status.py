"""What audiences are told: the only writer of status updates, and what stakeholders read.

Stakeholders get six fields and nothing else: a service's public name, phase, headline, body, and two
times. `public_state` reads exactly those columns; an incident's title, number, environment, people
and alerts have no way into it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from erpops import audit, clock
from erpops.clock import Now
from erpops.models import ProcessBeat
from incidents import timeline, wording
from incidents.choices import Audience, UpdatePhase
from incidents.models import Contact, Incident, Service, StatusUpdate
from incidents.queries import CADENCE

HISTORY = timedelta(days=90)
# Practice is yesterday's news sooner.
EXERCISES = timedelta(days=7)
# Longer without a beat of the engine, and the page says that it does not know.
CONFIRM_S = 60
_LABELS = ("instance", "host", "hostname", "node", "pod", "container", "namespace", "job", "cluster", "database")
TEMPLATES = {
    UpdatePhase.INVESTIGATING: (
        "Problems with {service}",
        "Since {began} UTC [what users notice]. We are looking for the cause.",
    ),
    UpdatePhase.IDENTIFIED: (
        "Problems with {service}: cause found",
        "The cause of the problems since {began} UTC is known: [in one plain sentence]. We are working on the repair.",
    ),
    UpdatePhase.MONITORING: (
        "{service} works again, under observation",
        "Since [time] UTC {service} works again. We watch whether it stays that way.",
    ),
    UpdatePhase.RESOLVED: (
        "{service} works normally",
        "The problems that began at {began} UTC are over. [What users should check or repeat, if anything.]",
    ),
}


class Unfit(ValueError):
    """The text cannot go out as it is; `sentences` say why and what to do."""

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = sentences
        super().__init__(" ".join(sentences))


def template(incident: Incident, phase: str) -> tuple[str, str]:
    """Headline and body to start from; what erpops cannot know stands in brackets."""
    service = incident.service.public_name if incident.service else "[the affected service]"
    headline, body = TEMPLATES[UpdatePhase(phase)]
    words = {"service": service, "began": incident.started_at.strftime("%H:%M")}
    return headline.format(**words), body.format(**words)


def cadence(incident: Incident) -> int:
    """After how many minutes the next update is due by severity."""
    return next(minutes for severity, minutes in CADENCE.items() if severity.value == incident.severity)


def objections(*, incident: Incident, audience: str, headline: str, body: str, anyway: bool = False) -> list[str]:
    """Sentences about what must change before this can be posted; empty when it can."""
    text = f"{headline}\n{body}"
    said = [f"Fill in {gap} or take it out." for gap in wording.gaps(text)]
    if audience == Audience.INTERNAL:
        found = [] if anyway else wording.secrets(text)
    else:
        found = wording.findings(text, names=_names(), internals=_internals(incident))
    return said + [f"{finding.sentence} Say it without." for finding in found]


def _names() -> list[str]:
    """Every name by which somebody here is known."""
    names: list[str] = list(Contact.objects.filter(user__isnull=False).values_list("name", flat=True))
    people = get_user_model().objects.values_list("username", "first_name", "last_name")
    return names + [name for person in people for name in person]


def _internals(incident: Incident) -> list[str]:
    """Hosts, pods and the like that the incident's alerts name."""
    labels = incident.alerts.values_list("labels", flat=True)[:50]
    return [str(found[key]) for found in labels for key in _LABELS if found.get(key)]


def post(
    *,
    incident: Incident,
    audience: str,
    phase: str,
    headline: str,
    body: str,
    next_in: int | None,
    by: User,
    anyway: bool = False,
) -> StatusUpdate:
    """Tell `audience`; `next_in` minutes later they hear again (required while it is not resolved).

    Raises `Unfit` with the reasons. The same words twice in a row are one update: a double click.
    """
    said = objections(incident=incident, audience=audience, headline=headline, body=body, anyway=anyway)
    goes_on = phase != UpdatePhase.RESOLVED
    if audience == Audience.STAKEHOLDERS and goes_on and not next_in:
        said.append("Say when the next update comes.")
    if said:
        raise Unfit(said)
    with transaction.atomic():
        Incident.objects.select_for_update().get(pk=incident.pk)
        last = incident.updates.filter(audience=audience).order_by("-id").first()
        if last and (last.phase, last.headline, last.body) == (phase, headline, body):
            return last
        now = clock.now()
        following = now + timedelta(minutes=next_in) if next_in and goes_on else None
        update = StatusUpdate.objects.create(
            incident=incident,
            audience=audience,
            phase=phase,
            headline=headline,
            body=body,
            at=now,
            by=by,
            next_update_at=following,
        )
        if audience == Audience.STAKEHOLDERS and incident.is_open:
            incident.update_due_at = following
            incident.save(update_fields=["update_due_at"])
        timeline.add(
            incident=incident,
            kind="status.posted",
            text=f"told {Audience(audience).label.lower()}: {headline}",
            by=by,
            data={"update": update.pk, "audience": audience, "phase": phase},
        )
        audit.record(
            action="status.post", target=f"incident:{incident.pk}", by=by, audience=audience, headline=headline
        )
    return update


@dataclass(frozen=True)
class PublicUpdate:
    """The six fields."""

    service: str
    phase: str
    headline: str
    body: str
    at: datetime
    next_update_at: datetime | None

    @property
    def phase_label(self) -> str:
        return str(UpdatePhase(self.phase).label)


@dataclass(frozen=True)
class PublicState:
    """The status page. `confirmed` is False when erpops itself cannot vouch for what it shows.

    `exercises` are the stories of drills: they are told as such and disturb no service.
    """

    as_of: datetime
    confirmed: bool
    services: list[tuple[str, bool]]
    active: list[list[PublicUpdate]]
    past: list[list[PublicUpdate]]
    exercises: list[list[PublicUpdate]]


def public_state() -> PublicState:
    """What stakeholders read. Each story is one disturbance, its latest update first."""
    now = clock.now()
    stories = _stories(is_drill=False, since=now - HISTORY)
    active = [story for story in stories if story[0].phase != UpdatePhase.RESOLVED]
    troubled = {story[0].service for story in active}
    names = Service.objects.order_by("position", "name").values_list("public_name", flat=True)
    return PublicState(
        as_of=now,
        confirmed=ProcessBeat.objects.filter(role="engine", seen_at__gt=now - clock.seconds(CONFIRM_S)).exists(),
        services=[(name, name not in troubled) for name in names],
        active=active,
        past=[story for story in stories if story[0].phase == UpdatePhase.RESOLVED],
        exercises=_stories(is_drill=True, since=now - EXERCISES),
    )


def _stories(*, is_drill: bool, since: datetime) -> list[list[PublicUpdate]]:
    """What stakeholders were told since then, a story for each disturbance, the latest first."""
    columns = ("incident__service__public_name", "phase", "headline", "body", "at", "next_update_at")
    rows = (
        StatusUpdate.objects.filter(audience=Audience.STAKEHOLDERS, incident__is_drill=is_drill, at__gt=since)
        .order_by("-incident_id", "-at", "-id")
        .values_list("incident_id", *columns)[:2000]
    )
    stories = [[PublicUpdate(*_six(row[1:])) for row in group] for _, group in groupby(rows, key=lambda row: row[0])]
    return sorted(stories, key=lambda story: story[0].at, reverse=True)


def _six(row: tuple[Any, ...]) -> tuple[Any, ...]:
    service, *rest = row
    return (service or "", *rest)


def unclosed(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """Those of `incidents` that are resolved, and whose stakeholders were never told that it is over."""
    told = StatusUpdate.objects.filter(audience=Audience.STAKEHOLDERS, incident=OuterRef("pk"))
    last = Subquery(told.order_by("-at", "-id").values("phase")[:1])
    # Few were told anything of late: their last word is looked up for these alone.
    of_late = StatusUpdate.objects.filter(audience=Audience.STAKEHOLDERS).exclude(phase=UpdatePhase.RESOLVED)
    pending = incidents.filter(pk__in=of_late.values("incident"), resolved_at__gt=Now() - HISTORY, is_drill=False)
    return pending.annotate(told=last).exclude(told=UpdatePhase.RESOLVED)
