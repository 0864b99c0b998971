"""The checklist of a new installation: what is worth doing in the first ten minutes, and whether it is done."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, Subquery
from django.urls import reverse

from erpops import access
from incidents.drill import SOURCE as DRILL_SOURCE
from incidents.models import ContactMethod, Incident, PostMortem, Rung, Source


@dataclass(frozen=True)
class FirstStep:
    """One thing to do. `post` means that the button acts instead of opening a page."""

    title: str
    why: str
    url: str
    action: str
    done: bool
    post: bool = False


def steps(user: Any) -> list[FirstStep]:
    """The five steps for an admin; nothing for others, and nothing once all of it is done."""
    if not access.can(user, "edit_people"):
        return []
    drill, reviewed, called, connected, together = _done(user)
    found = [
        FirstStep(
            "Start a fire drill",
            "A real alert, a real runbook and real commands, against this console itself. About five minutes.",
            reverse("drill"),
            "Start a drill",
            bool(drill),
            post=True,
        ),
        FirstStep(
            "Finish it and read its review",
            "Resolving writes the first draft from the timeline.",
            reverse("review", args=[drill]) if drill and reviewed else reverse("reviews"),
            "Reviews",
            reviewed,
        ),
        FirstStep(
            "Say who is called",
            "Add a way to reach you and send a test to it.",
            reverse("oncall"),
            "On-call",
            called,
        ),
        FirstStep(
            "Connect what sends alerts",
            "Alertmanager, or anything that can post JSON.",
            reverse("sources"),
            "Alert sources",
            connected,
        ),
        FirstStep(
            "Add a colleague",
            "With a second team lead, destructive commands are approved by somebody else.",
            reverse("people"),
            "People",
            together,
        ),
    ]
    return [] if all(step.done for step in found) else found


def _done(user: Any) -> tuple[int | None, bool, bool, bool, bool]:
    """The first drill, and whether each of the other steps is done: one query."""
    senders = Source.objects.filter(last_delivery_at__isnull=False).exclude(name=DRILL_SOURCE).exclude(kind="checks")
    reachable = ContactMethod.objects.filter(enabled=True, verified_at__isnull=False)
    people = get_user_model().objects
    return (
        people.filter(pk=user.pk)
        .values_list(
            Subquery(Incident.objects.filter(is_drill=True).order_by("id").values("pk")[:1]),
            Exists(PostMortem.objects.filter(incident__is_drill=True)),
            Exists(Rung.objects.filter(level=1, contact__methods__in=reachable)),
            Exists(senders),
            Exists(people.filter(is_active=True).exclude(pk=user.pk)),
        )
        .get()
    )
