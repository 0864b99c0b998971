"""Handing an incident to somebody else; written by `incidents.handover`."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.choices import HandoverStatus


class Handover(models.Model):
    """What one person tells another who is to go on. `parts` are its sections by name, as Markdown.

    `due_at` is when the engine calls somebody else because nobody answered; `escalated_at` when it did.
    """

    incident = models.ForeignKey("incidents.Incident", models.CASCADE, related_name="handovers")
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    receiver = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    status = models.CharField(max_length=10, choices=HandoverStatus, default=HandoverStatus.OFFERED)
    parts = models.JSONField(default=dict)
    offered_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    word = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["incident"], condition=Q(status="offered"), name="one_offered_handover")
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="handover_due")]

    def __str__(self) -> str:
        return f"handover of {self.incident_id} to {self.receiver_id} ({self.status})"
