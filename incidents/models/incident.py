"""What people work on. Status is moved by `incidents.lifecycle`, events by `incidents.timeline`."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.choices import IncidentStatus, RoleName, Severity


class Incident(models.Model):
    """One disturbance, from the first alert to its post-mortem. Its number is its primary key.

    `group_key` ties alerts to it: while it is open, no second incident can carry the same key.
    `event_seq` is the sequence number of its latest timeline event (gapless from 1).
    """

    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=4, choices=Severity)
    status = models.CharField(max_length=14, choices=IncidentStatus, default=IncidentStatus.TRIAGE)
    environment = models.ForeignKey("incidents.Environment", models.PROTECT, related_name="incidents")
    service = models.ForeignKey("incidents.Service", models.PROTECT, null=True, blank=True, related_name="incidents")
    impact = models.TextField(blank=True, default="")
    group_key = models.CharField(max_length=200, blank=True, default="")
    is_drill = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    declared_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    resolution = models.TextField(blank=True, default="")
    update_due_at = models.DateTimeField(null=True, blank=True)
    progress_at = models.DateTimeField()
    event_seq = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group_key"],
                condition=~Q(status="resolved") & ~Q(group_key=""),
                name="one_open_incident_per_group",
            )
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="incident_status"),
            models.Index(fields=["-opened_at", "-id"], name="incident_opened"),
        ]

    def __str__(self) -> str:
        return f"INC-{self.pk} {self.title}"

    @property
    def is_open(self) -> bool:
        return self.status != IncidentStatus.RESOLVED

    @property
    def reference(self) -> str:
        """What people call it."""
        return f"INC-{self.pk}"


class IncidentRole(models.Model):
    """Who has which part in an incident; one person may hold several."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="roles")
    role = models.CharField(max_length=12, choices=RoleName)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "role"], name="one_holder_per_role")]

    def __str__(self) -> str:
        return f"{self.role} of {self.incident_id}"


class TimelineEvent(models.Model):
    """One fact about an incident, append-only. `kind` is dotted (`command.finished`).

    `occurred_at` is when it happened (a person may say earlier than now), `at` when it was written.
    `noise` marks what the timeline hides by default.
    """

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    text = models.TextField()
    data = models.JSONField(default=dict)
    noise = models.BooleanField(default=False)

    class Meta:
        ordering = ["incident_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["incident", "seq"], name="event_seq_once")]

    def __str__(self) -> str:
        return f"{self.incident_id}#{self.seq} {self.kind}"
