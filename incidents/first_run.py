"""The checklist of a new installation: what is worth doing in the first ten minutes, and whether it is done."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
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
    drills = Incident.objects.filter(is_drill=True)
    drill = drills.order_by("id").first()
    reachable = ContactMethod.objects.filter(enabled=True, verified_at__isnull=False)
    reviewed = PostMortem.objects.filter(incident__is_drill=True).exists()
    found = [
        FirstStep(
            "Start a fire drill",
            "A real alert, a real runbook and real commands, against this console itself. About five minutes.",
            reverse("drill"),
            "Start a drill",
            drill is not None,
            post=True,
        ),
        FirstStep(
            "Finish it and read its review",
            "Resolving writes the first draft from the timeline.",
            reverse("review", args=[drill.pk]) if drill and reviewed else reverse("reviews"),
            "Reviews",
            reviewed,
        ),
        FirstStep(
            "Say who is called",
            "Add a way to reach you and send a test to it.",
            reverse("oncall"),
            "On-call",
            Rung.objects.filter(level=1, contact__methods__in=reachable).exists(),
        ),
        FirstStep(
            "Connect what sends alerts",
            "Alertmanager, or anything that can post JSON.",
            reverse("sources"),
            "Alert sources",
            Source.objects.filter(last_delivery_at__isnull=False)
            .exclude(name=DRILL_SOURCE)
            .exclude(kind="checks")
            .exists(),
        ),
        FirstStep(
            "Add a colleague",
            "With a second team lead, destructive commands are approved by somebody else.",
            reverse("people"),
            "People",
            get_user_model().objects.filter(is_active=True).count() > 1,
        ),
    ]
    return [] if all(step.done for step in found) else found
