"""One call of a ladder: whom it pages, and what the timeline and the audit say of it."""

from django.conf import settings

from erpops import audit
from incidents import ladder, notify, oncall, timeline
from incidents.choices import MessageKind
from incidents.models import Contact, Escalation, Handover, Incident
from incidents.oncall import Ladder, Outcome, Person

_WHY = {
    "opened": "",
    "respond": "nobody acknowledged in time; ",
    "escalate": "not resolved in time; ",
    "asked": "",
}


def tell_of_handover(handover: Handover) -> None:
    """A quiet notice to the receiver by the first method of each contact that is theirs; the page is for later."""
    incident = handover.incident
    context = {"incident": incident, "title": " ".join(incident.title.split()), "link": notify.link_to(incident)}
    context["giver"] = handover.giver.get_full_name() or handover.giver.get_username()
    for contact in Contact.objects.filter(user=handover.receiver, active=True).prefetch_related("methods"):
        if method := ladder.first_method(contact):
            subject, body = notify.render(method.channel, "handover", context)
            key = notify.key_of("handover", handover.pk, method.pk)
            notify.queue(
                kind=MessageKind.NOTICE, method=method, idem_key=key, subject=subject, body=body, incident=incident
            )


def page_level(*, incident: Incident, escalation: Escalation, outcome: Outcome, people: dict[int, Person]) -> None:
    """Queue a page for everybody at the level that was reached, and say who was passed over and why."""
    kept = Ladder.of(escalation.snapshot)
    level = outcome.stand.level
    _say_skipped(incident, kept, outcome, people)
    reached = oncall.reachable(kept, level, people)
    for pk in kept.levels[level - 1]:
        if people[pk].trouble:
            text = f"did not call {people[pk].name} at level {level}: {people[pk].trouble}"
            timeline.add(incident=incident, kind="escalation.passed_over", text=text)
    _queue_pages(incident, escalation, outcome, reached, people)
    names = ", ".join(f"{person.name} by {person.channel}" for person in reached)
    timeline.add(
        incident=incident,
        kind="escalation.called",
        text=f"{_WHY[outcome.clock]}called level {level}: {names}",
        data={"level": level, "cycle": outcome.stand.cycle, "clock": outcome.clock},
    )
    audit.record(
        action="escalation.call",
        target=f"incident:{incident.pk}",
        level=level,
        cycle=outcome.stand.cycle,
        clock=outcome.clock,
        contacts=[person.name for person in reached],
    )


def nobody_left(*, incident: Incident, escalation: Escalation, outcome: Outcome, people: dict[int, Person]) -> None:
    """Say loudly that nobody else will be called."""
    kept = Ladder.of(escalation.snapshot)
    _say_skipped(incident, kept, outcome, people)
    severity = escalation.snapshot["severity"]
    if not kept.levels:
        text = f"nobody was called: no one is on call for {severity}. An admin sets that up under On-call."
    elif escalation.level == 0:
        text = f"nobody was called: no level of {severity} has anyone who can be reached"
    elif outcome.stand.acknowledged:
        text = "every level was called and the incident is still open; nobody else will be called"
    else:
        text = f"the whole ladder was called {oncall.CYCLES} times and nobody acknowledged; nobody else will be called"
    timeline.add(incident=incident, kind="escalation.exhausted", text=text)
    audit.record(action="escalation.exhausted", target=f"incident:{incident.pk}")


def _say_skipped(incident: Incident, kept: Ladder, outcome: Outcome, people: dict[int, Person]) -> None:
    for level in outcome.skipped:
        why = ", ".join(f"{people[pk].name} {_as_said(people[pk].trouble)}" for pk in kept.levels[level - 1])
        text = f"skipped level {level}, where nobody can be reached: {why}"
        timeline.add(incident=incident, kind="escalation.skipped", text=text, data={"level": level})


def _as_said(trouble: str) -> str:
    return f"has {trouble}" if trouble == ladder.NO_METHOD else trouble


def _queue_pages(
    incident: Incident,
    escalation: Escalation,
    outcome: Outcome,
    reached: tuple[Person, ...],
    people: dict[int, Person],
) -> None:
    stand = outcome.stand
    context = {
        "incident": incident,
        # One line, whatever a sender put into it: the first line of a message is its subject.
        "title": " ".join(incident.title.split()),
        "called": ", ".join(person.name for person in reached),
        "level": stand.level,
        "late": stand.acknowledged,
        "zone": settings.TIME_ZONE,
        "upcoming": None,
    }
    if upcoming := oncall.upcoming(Ladder.of(escalation.snapshot), stand, people):
        due, level, names = upcoming
        context |= {"upcoming": True, "upcoming_at": due, "upcoming_level": level}
        context["upcoming_names"] = ", ".join(person.name for person in names)
    version = escalation.snapshot["version"]
    contacts = Contact.objects.filter(pk__in=[person.pk for person in reached]).prefetch_related("methods")
    for contact in contacts:
        if method := ladder.first_method(contact):
            notify.queue_page(
                incident=incident,
                method=method,
                step=(version, escalation.generation, stand.level, stand.cycle),
                level=stand.level,
                context=context,
            )
