"""What is said during an incident, and what is learned after it."""

from django.conf import settings
from django.db import models

from incidents.choices import Audience, ReviewStatus, UpdatePhase


class StatusUpdate(models.Model):
    """What an audience was told. Stakeholders see headline, body, phase and times; nothing else."""

    incident = models.ForeignKey("incidents.Incident", models.CASCADE, related_name="updates")
    audience = models.CharField(max_length=12, choices=Audience)
    phase = models.CharField(max_length=14, choices=UpdatePhase)
    headline = models.CharField(max_length=120)
    body = models.TextField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    next_update_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return self.headline


class PostMortem(models.Model):
    """The review document of an incident, in Markdown. Status is moved by `incidents.postmortem`.

    `revision` rises with every save, so that two editors notice each other.
    """

    incident = models.OneToOneField("incidents.Incident", models.CASCADE, related_name="postmortem")
    status = models.CharField(max_length=18, choices=ReviewStatus, default=ReviewStatus.DRAFT)
    body = models.TextField()
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return f"post-mortem of {self.incident_id}"


class FollowUp(models.Model):
    """An action that an incident left behind."""

    incident = models.ForeignKey("incidents.Incident", models.CASCADE, related_name="follow_ups")
    title = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["done_at", "due_on", "id"]

    def __str__(self) -> str:
        return self.title
