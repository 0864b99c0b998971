"""What came in: sources, deliveries, alerts. Written by `incidents.intake`."""

from django.db import models

from erpops.secrets import EncryptedField
from incidents.choices import AlertStatus, Severity


class Source(models.Model):
    """Someone who sends alerts, with a token of its own.

    `kind` names a parser in `incidents.sources`. `severities` maps words of this sender to
    SEV1–SEV4, over the built-in aliases.
    """

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=40)
    token = EncryptedField()
    token_sha256 = models.CharField(max_length=64, unique=True)
    environment = models.ForeignKey("incidents.Environment", models.PROTECT, null=True, blank=True)
    severities = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    last_delivery_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One webhook body, exactly as received and accepted."""

    source = models.ForeignKey(Source, models.PROTECT, related_name="deliveries")
    received_at = models.DateTimeField()
    body = models.BinaryField()
    alert_count = models.IntegerField()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"delivery {self.pk} from {self.source_id}"


class Alert(models.Model):
    """One deduplicated condition of one source, by fingerprint; fires and resolves many times."""

    source = models.ForeignKey(Source, models.PROTECT, related_name="alerts")
    fingerprint = models.CharField(max_length=80)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=AlertStatus)
    severity = models.CharField(max_length=4, choices=Severity)
    labels = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    generator_url = models.TextField(blank=True, default="")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    deliveries = models.BigIntegerField(default=1)
    incident = models.ForeignKey("incidents.Incident", models.SET_NULL, null=True, blank=True, related_name="alerts")

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [models.UniqueConstraint(fields=["source", "fingerprint"], name="alert_once_per_source")]

    def __str__(self) -> str:
        return self.name
