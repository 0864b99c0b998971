"""Scheduled probes, their measurements and what they add up to."""

from django.db import models
from django.db.models import Q

from checks.choices import Verdict
from erpops.claims import Claimable
from incidents.choices import Severity


class Check(Claimable):
    """A probe of a target on a schedule.

    `probe` names a module in `checks.probes`, `options` are its own. A value beyond `warning_at` or
    `critical_at` (in `unit`; `rising` says which side is bad) is a bad measurement, and so is a
    failed probe; `bad_needed` bad ones in a row turn the verdict, `good_needed` good ones turn it back.
    """

    name = models.SlugField(max_length=60, unique=True)
    label = models.CharField(max_length=80)
    target = models.ForeignKey("checks.Target", models.CASCADE, related_name="checks")
    probe = models.CharField(max_length=30)
    options = models.JSONField(default=dict, blank=True)
    unit = models.CharField(max_length=12, blank=True, default="")
    warning_at = models.FloatField(null=True, blank=True)
    critical_at = models.FloatField(null=True, blank=True)
    rising = models.BooleanField(default=True)
    bad_needed = models.PositiveSmallIntegerField(default=2)
    good_needed = models.PositiveSmallIntegerField(default=2)
    interval_s = models.PositiveIntegerField(default=30)
    timeout_s = models.PositiveSmallIntegerField(default=10)
    alert_name = models.CharField(max_length=100)
    severity = models.CharField(max_length=4, choices=Severity, default=Severity.SEV3)
    enabled = models.BooleanField(default=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)

    verdict = models.CharField(max_length=8, choices=Verdict, default=Verdict.NEW)
    verdict_since = models.DateTimeField(null=True, blank=True)
    # Measurements in a row, up to the newest, that speak against the verdict.
    streak = models.PositiveSmallIntegerField(default=0)
    # The severity of the alert that stands raised by this check; empty while none does.
    firing = models.CharField(max_length=4, blank=True, default="")
    last_at = models.DateTimeField(null=True, blank=True)
    last_value = models.FloatField(null=True, blank=True)
    last_message = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["target__service__position", "name"]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(enabled=True), name="check_due"),
        ]

    def __str__(self) -> str:
        return self.label


class Result(models.Model):
    """One measurement, with the verdict it gives by itself.

    `value` is in the check's unit; `ok` says whether the probe got through at all. A gap in the
    measurements is a row too, with the verdict `unknown`.
    """

    checked = models.ForeignKey(Check, models.CASCADE, related_name="results")
    at = models.DateTimeField()
    ok = models.BooleanField()
    verdict = models.CharField(max_length=8, choices=Verdict)
    value = models.FloatField(null=True, blank=True)
    duration_ms = models.FloatField()
    message = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["checked", "-at"], name="result_latest")]

    def __str__(self) -> str:
        return f"{self.checked_id} {self.verdict} {self.value}"
