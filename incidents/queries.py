"""Reads of incidents for pages: rows prepared in Python, a constant number of queries each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Prefetch, Q, QuerySet
from django.http import Http404

from erpops import clock
from incidents.access import visible_incidents
from incidents.choices import OPEN_STATUSES, IncidentStatus, RoleName, Severity
from incidents.models import Alert, EscalationPolicy, Incident, IncidentRole, PostMortem, Rung, SeverityRule, Source

PAGE = 50
MAX_ROWS = 5000
VIEWS = {
    "open": "Open",
    "mine": "Mine",
    "triage": "Triage",
    "week": "Resolved this week",
    "all": "All",
}
# How long stakeholders may wait for the next word, in minutes.
CADENCE = {Severity.SEV1: 15, Severity.SEV2: 30, Severity.SEV3: 60, Severity.SEV4: 60}
_ROLES = Prefetch("roles", IncidentRole.objects.select_related("user"))


def name_of(user: Any) -> str:
    """How a person is called on pages; empty for erpops itself."""
    return (user.get_full_name() or user.get_username()) if user else ""


def update_due(incident: Incident) -> datetime | None:
    """When stakeholders are to hear next. A SEV1 or SEV2 that nobody announced is due by its cadence too."""
    if not incident.is_open or incident.is_drill:
        return None
    if incident.update_due_at:
        return incident.update_due_at
    if incident.severity in {Severity.SEV1, Severity.SEV2}:
        return incident.opened_at + timedelta(minutes=CADENCE[Severity(incident.severity)])
    return None


@dataclass(frozen=True)
class IncidentFilter:
    """What the list shows; lives in the query string. `before` is the id that the page ended with."""

    view: str = "open"
    text: str = ""
    severity: str = ""
    environment: str = ""
    before: int | None = None

    @classmethod
    def of(cls, query: Any) -> "IncidentFilter":
        """From a request's query; anything unknown counts as not asked."""
        view, severity, before = query.get("view", "open"), query.get("severity", ""), query.get("before", "")
        return cls(
            view=view if view in VIEWS else "open",
            text=query.get("q", "").replace("\x00", "").strip()[:100],
            severity=severity if severity in Severity.values else "",
            environment=query.get("environment", "").replace("\x00", "")[:40],
            before=int(before) if before.isdecimal() and len(before) < 19 else None,
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the saved view narrows the list."""
        return bool(self.text or self.severity or self.environment)


@dataclass(frozen=True)
class IncidentRow:
    """One line of the list, ready to print."""

    incident: Incident
    commander: str
    due: datetime | None
    overdue: bool


def filtered(user: User, wanted: IncidentFilter) -> QuerySet[Incident]:
    """The incidents that `user` sees and `wanted` asks for, newest first, without a page limit."""
    found = visible_incidents(user)
    match wanted.view:
        case "open":
            found = found.filter(status__in=OPEN_STATUSES)
        case "mine":
            found = found.filter(status__in=OPEN_STATUSES).filter(pk__in=_held_by(user))
        case "triage":
            found = found.filter(status=IncidentStatus.TRIAGE)
        case "week":
            found = found.filter(resolved_at__gt=clock.now() - timedelta(days=7))
    if wanted.severity:
        found = found.filter(severity=wanted.severity)
    if wanted.environment:
        found = found.filter(environment__name=wanted.environment)
    if wanted.text:
        found = found.filter(_matches(wanted.text))
    return found.order_by("-id")


def _held_by(user: User) -> Any:
    return IncidentRole.objects.filter(user=user).values("incident")


def _matches(text: str) -> Q:
    number = text.upper().removeprefix("INC-").removeprefix("#")
    words = Q(title__icontains=text) | Q(service__label__icontains=text) | Q(alerts__name__iexact=text)
    matching = Q(pk__in=Incident.objects.filter(words).values("pk"))
    return matching | Q(pk=int(number)) if number.isdecimal() and len(number) < 19 else matching


def incident_page(user: User, wanted: IncidentFilter) -> tuple[list[IncidentRow], int | None]:
    """One page of rows, and the id to go on from (None at the end)."""
    found = filtered(user, wanted)
    if wanted.before is not None:
        found = found.filter(pk__lt=wanted.before)
    rows = prepared(found, limit=PAGE + 1)
    more = rows[PAGE - 1].incident.pk if len(rows) > PAGE else None
    return rows[:PAGE], more


def prepared(found: QuerySet[Incident], *, limit: int) -> list[IncidentRow]:
    """Rows of `found` with everything that a line shows."""
    now = clock.now()
    rows = []
    for incident in found.select_related("environment", "service").prefetch_related(_ROLES)[:limit]:
        due = update_due(incident)
        holders = {role.role: name_of(role.user) for role in incident.roles.all()}
        rows.append(IncidentRow(incident, holders.get(RoleName.COMMANDER, ""), due, bool(due and due < now)))
    return rows


def similar_open(user: User, title: str, environment: str = "") -> list[Incident]:
    """Open incidents whose title shares a word of four letters or more with `title`, newest first."""
    words = {word for word in title.replace("\x00", "").split() if len(word) > 3}
    if not words:
        return []
    shared = Q()
    for word in sorted(words)[:8]:
        shared |= Q(title__icontains=word) | Q(service__label__icontains=word)
    found = visible_incidents(user).filter(status__in=OPEN_STATUSES).filter(shared)
    if environment.isdecimal() and len(environment) < 19:
        found = found.filter(environment_id=int(environment))
    return list(found.select_related("environment").order_by("-id")[:5])


@dataclass(frozen=True)
class SeverityMeaning:
    """What a severity means here: a definition and its two clocks (seconds, None if no policy says)."""

    severity: str
    label: str
    meaning: str
    respond_within_s: int | None
    escalate_after_s: int | None


_MEANINGS = {
    Severity.SEV1: "Users cannot work, or data is at risk.",
    Severity.SEV2: "A main function is broken or very slow for many users.",
    Severity.SEV3: "Something is degraded; there is a way around it.",
    Severity.SEV4: "A small fault, or a question to look into.",
}


def severity_meanings() -> list[SeverityMeaning]:
    """The four severities by the default policy, worst first."""
    policy = EscalationPolicy.objects.filter(is_default=True).values("pk")
    rules = {rule.severity: rule for rule in SeverityRule.objects.filter(policy__in=policy)}
    shown = []
    for severity in Severity:
        rule = rules.get(severity)
        shown.append(
            SeverityMeaning(
                severity=severity.value,
                label=str(severity.label),
                meaning=(rule.meaning if rule else "") or _MEANINGS[severity],
                respond_within_s=rule.respond_within_s if rule else None,
                escalate_after_s=rule.escalate_after_s if rule else None,
            )
        )
    return shown


@dataclass(frozen=True)
class AlertRow:
    """An alert behind an incident. `link` is its sender's address if it is one that a browser may open."""

    alert: Alert
    link: str


def alert_rows(incident: Incident) -> list[AlertRow]:
    """The alerts of `incident`, latest first, at most fifty."""
    found = Alert.objects.filter(incident=incident).select_related("source").order_by("-last_seen_at")[:50]
    return [
        AlertRow(alert, alert.generator_url if alert.generator_url.startswith(("https://", "http://")) else "")
        for alert in found
    ]


@dataclass(frozen=True)
class Called:
    """Who is called first, and who after them, at one severity."""

    severity: str
    first: list[str]
    then: list[str]


def first_called() -> list[Called]:
    """The first two levels of the default policy's ladders, worst severity first."""
    rungs = Rung.objects.filter(policy__is_default=True, level__lte=2, contact__active=True).select_related("contact")
    found: dict[str, dict[int, list[str]]] = {severity.value: {1: [], 2: []} for severity in Severity}
    for rung in rungs:
        found[rung.severity][rung.level].append(rung.contact.name)
    return [Called(severity, levels[1], levels[2]) for severity, levels in found.items()]


def review_of(incident: Incident) -> PostMortem | None:
    """The review of an incident that the caller may see, with its people."""
    found = PostMortem.objects.select_related("author", "published_by", "incident__environment")
    return found.filter(incident=incident).first()


def reviews_of(incidents: QuerySet[Incident], state: str = "") -> list[PostMortem]:
    """The reviews of `incidents`, unpublished and oldest due first, at most two hundred."""
    found = PostMortem.objects.filter(incident__in=incidents).select_related("incident__environment", "author")
    if state:
        found = found.filter(status=state)
    return list(found.order_by(F("published_at").desc(nulls_first=True), "due_at")[:200])


def all_sources() -> list[Source]:
    """Every sender of alerts, by name."""
    return list(Source.objects.select_related("environment").order_by("name"))


def source_called(pk: int) -> Source:
    """The sender, or 404."""
    source = Source.objects.filter(pk=pk).first()
    if source is None:
        raise Http404("There is no such alert source.")
    return source
