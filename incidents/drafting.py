"""The first draft of a review, written from the timeline. Reads only; every claim links to its event."""

from datetime import datetime, timedelta

from erpops.templatetags.words import duration
from incidents import chronicle
from incidents.choices import RoleName
from incidents.markdown import escape, fenced
from incidents.models import Incident, TimelineEvent
from incidents.pictures import REFERENCE, in_words
from incidents.queries import name_of

# Longer timelines are cut in the draft's table; the room keeps all of it.
TABLE_ROWS = 200
_ALONE = ("approval.break_glass", "approval.solo")
_RUNBOOK_KINDS = ("runbook.", "execution.", "step.")


def draft(incident: Incident) -> str:
    """Markdown with what is known, and `[…]` where a person has to write."""
    events = list(
        TimelineEvent.objects.filter(incident=incident, noise=False)
        .select_related("actor")
        .order_by("occurred_at", "seq")[: TABLE_ROWS + 1]
    )
    parts = [
        f"# {incident.reference}: {escape(incident.title)}",
        _summary(incident),
        _impact(incident),
        "## Times\n\n" + _times(incident),
        "## What happened\n\n" + _table(incident, events[:TABLE_ROWS], cut=len(events) > TABLE_ROWS),
        "## Commands that were run\n\n" + _commands(incident, events),
        *_alone(incident),
        *_evidence(incident),
        *_pictures(incident),
        "## What helped\n\n[What made the way out shorter: people, tools, runbooks, luck]",
        "## What made it hard\n\n[What was missing, misleading or slow]",
        "## Contributing factors\n\n[More than one: what had to come together for this to happen]",
        "## The runbooks\n\n" + _runbooks(incident, events),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(incident: Incident) -> str:
    where = f"{incident.service.label} in " if incident.service else ""
    ended = f" It was resolved: {escape(incident.resolution)}" if incident.resolution else ""
    return (
        f"## Summary\n\n{incident.severity}: {escape(where + incident.environment.label)}, "
        f"{duration(_span(incident.started_at, incident.resolved_at)) or 'still open'}.{ended}\n\n"
        "[In two or three sentences: what broke, who noticed, what ended it]"
    )


def _impact(incident: Incident) -> str:
    known = escape(incident.impact) if incident.impact else "[Who could not do what, and for how long]"
    return f"## Impact\n\n{known}"


def _times(incident: Incident) -> str:
    command = chronicle.first_of(incident, "command.")
    marks = [
        ("Began", incident.started_at, None),
        ("Detected", incident.opened_at, None),
        ("Acknowledged", incident.acknowledged_at, chronicle.first_of(incident, "incident.acknowledged")),
        ("First command", command.occurred_at if command else None, command),
        ("Resolved", incident.resolved_at, None),
    ]
    lines = ["| Moment | UTC | After the beginning |", "|---|---|---|"]
    for label, at, event in marks:
        if at is None:
            lines.append(f"| {label} | never | |")
            continue
        name = f"[{label}]({_link(incident, event)})" if event else label
        lines.append(f"| {name} | {at:%Y-%m-%d %H:%M:%S} | {_after(incident.started_at, at)} |")
    return "\n".join(lines)


def _table(incident: Incident, events: list[TimelineEvent], *, cut: bool) -> str:
    lines = ["| UTC | What | Event |", "|---|---|---|"]
    for event in events:
        who = f"{_role_or_name(incident, event)}: " if event.actor_id else ""
        what, link = escape(who + in_words(event.text)[:300]), f"[e{event.seq}]({_link(incident, event)})"
        lines.append(f"| {event.occurred_at:%H:%M:%S} | {what} | {link} |")
    if cut:
        lines.append(f"| | The first {TABLE_ROWS} events; the room has all of them. | |")
    return "\n".join(lines)


def _role_or_name(incident: Incident, event: TimelineEvent) -> str:
    """Roles keep a review about the work; a name stands only where there is no role."""
    for role in incident.roles.all():
        if role.user_id == event.actor_id:
            return str(RoleName(role.role).label)
    return name_of(event.actor)


def _commands(incident: Incident, events: list[TimelineEvent]) -> str:
    found = [event for event in events if event.kind.startswith("command.")]
    if not found:
        return "None."
    return "\n".join(
        f"- {event.occurred_at:%H:%M:%S} {escape(event.text[:300])} ([e{event.seq}]({_link(incident, event)}))"
        for event in found
    )


def _alone(incident: Incident) -> list[str]:
    """What was destroyed without another lead's approval; the review says whether that was right."""
    told = TimelineEvent.objects.filter(incident=incident, kind__in=_ALONE).select_related("actor").order_by("seq")
    lines = [
        f"- {event.occurred_at:%H:%M:%S} {_role_or_name(incident, event)} {escape(event.text[:600])} "
        f"([e{event.seq}]({_link(incident, event)}))"
        for event in told
    ]
    asked = "[Was it right to go ahead alone? Why was nobody there to answer, and what changes that?]"
    return ["## Without a second pair of eyes\n\n" + "\n".join(lines) + f"\n\n{asked}"] if lines else []


def _evidence(incident: Incident) -> list[str]:
    """What was pinned and stands, quoted, with the way to the whole output."""
    whole = TimelineEvent.objects.filter(incident=incident)
    gone = chronicle.withdrawn(whole)
    found = [event for event in whole.filter(kind=chronicle.PINNED).order_by("seq") if event.seq not in gone]
    if not found:
        return []
    quotes = [
        f"- {event.occurred_at:%H:%M:%S} {_role_or_name(incident, event)} {escape(event.text[:300])} "
        f"([output]({event.data['url']}), [e{event.seq}]({_link(incident, event)}))\n\n"
        + fenced(str(event.data["quote"]), indent="  ")
        for event in found
    ]
    return ["## Evidence\n\n" + "\n\n".join(quotes)]


def _pictures(incident: Incident) -> list[str]:
    """What people pasted into their notes, each with the note's event."""
    noted = TimelineEvent.objects.filter(incident=incident, kind="note", text__contains="](picture:")
    lines = [
        f"{event.occurred_at:%H:%M:%S} {_role_or_name(incident, event)} ([e{event.seq}]({_link(incident, event)})):"
        f"\n\n![{shows}](picture:{key})"
        for event in noted.select_related("actor").order_by("occurred_at", "seq")
        for shows, key in REFERENCE.findall(event.text)
    ]
    return ["## Pictures\n\n" + "\n\n".join(lines)] if lines else []


def _runbooks(incident: Incident, events: list[TimelineEvent]) -> str:
    found = [event for event in events if event.kind.startswith(_RUNBOOK_KINDS)]
    told = "\n".join(f"- {escape(event.text[:200])} ([e{event.seq}]({_link(incident, event)}))" for event in found[:40])
    asked = "[Step by step: where did the runbook help, where did it mislead, what was missing]"
    return f"{told}\n\n{asked}" if told else f"No runbook was used.\n\n{asked}"


def _link(incident: Incident, event: TimelineEvent | None) -> str:
    return f"/i/{incident.pk}/#e{event.seq}" if event else f"/i/{incident.pk}/"


def _span(begin: datetime, end: datetime | None) -> timedelta | None:
    return end - begin if end else None


def _after(begin: datetime, at: datetime) -> str:
    return str(duration(at - begin)) if at > begin else ""
