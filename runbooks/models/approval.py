"""What somebody else has to allow first. Written by `runbooks.approvals`; who may is checked by the database, too."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from runbooks.choices import ApprovalState, ApprovalWay
from runbooks.secret_values import ValuesField


class Approval(models.Model):
    """One question whether exactly these bytes may run, and its answer; used once, by the run that names it.

    `digest` is that of the command with its values, version and target. `authors` are the people behind the
    text (writers and publishers), filled in by the database, as are the times: an answer is awaited until
    `expires_at`, 15 minutes after the question; an approval is good until 15 minutes after it was given.
    `doing` and `target` are what the asker confirmed: the act in words and the typed name.
    """

    step_run = models.ForeignKey("runbooks.StepRun", models.PROTECT, related_name="approvals")
    command = models.PositiveSmallIntegerField()
    digest = models.CharField(max_length=64)
    values = ValuesField(default=dict)
    text = models.TextField()
    doing = models.CharField(max_length=300)
    target = models.CharField(max_length=300)
    reason = models.CharField(max_length=300)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    authors = ArrayField(models.BigIntegerField(), default=list, blank=True)
    status = models.CharField(max_length=10, choices=ApprovalState, default=ApprovalState.ASKED)
    way = models.CharField(max_length=12, choices=ApprovalWay, blank=True, default="")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    comment = models.CharField(max_length=300, blank=True, default="")
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["step_run", "command"],
                condition=Q(status__in=["asked", "approved"]),
                name="one_open_approval",
            ),
            models.CheckConstraint(
                condition=Q(way__in=["", "break_glass", "solo"]) | ~Q(decided_by=models.F("requested_by")),
                name="approver_is_not_requester",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(status__in=["asked", "approved"]), name="approval_open")
        ]

    def __str__(self) -> str:
        return f"approval {self.pk} ({self.status})"
