"""Asking the holder of a walk for the baton; written by `runbooks.baton`."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from runbooks.choices import BatonStatus
from runbooks.models.execution import Execution


class BatonRequest(models.Model):
    """Somebody would like to act. `asked_of` held the baton then; `word` is what they said when they kept it."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="baton_requests")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_of = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    status = models.CharField(max_length=10, choices=BatonStatus, default=BatonStatus.WAITING)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    word = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["execution"], condition=Q(status="waiting"), name="one_waiting_baton_request"
            )
        ]

    def __str__(self) -> str:
        return f"{self.by_id} asks for the baton of execution {self.execution_id} ({self.status})"
