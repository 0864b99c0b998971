"""Who is told, when, and what became of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from erpops.claims import Claimable
from erpops.secrets import EncryptedField
from incidents.choices import EscalationState, MessageKind, MessageStatus, Severity


class Contact(models.Model):
    """A person or a team that can be reached. `user` links a person's account."""

    name = models.CharField(max_length=80, unique=True)
    role = models.CharField(max_length=80, blank=True, default="")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="contacts")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ContactMethod(models.Model):
    """One way to reach a contact. `channel` names a module in `incidents.channels`.

    `address` may itself be a secret (a Slack URL), so it is stored encrypted; `secret` signs webhooks.
    """

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="methods")
    channel = models.CharField(max_length=20)
    address = EncryptedField()
    secret = EncryptedField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True, default="")
    verified_at = models.DateTimeField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.channel} of {self.contact_id}"


class EscalationPolicy(models.Model):
    """The severity matrix: for each severity two clocks and a ladder of rungs.

    `version` rises with every edit; a running escalation keeps the snapshot it began with.
    """

    name = models.CharField(max_length=80, unique=True)
    is_default = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "escalation policies"
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="one_default_policy")
        ]

    def __str__(self) -> str:
        return self.name


class SeverityRule(models.Model):
    """The two clocks of one severity, in seconds."""

    policy = models.ForeignKey(EscalationPolicy, models.CASCADE, related_name="rules")
    severity = models.CharField(max_length=4, choices=Severity)
    meaning = models.CharField(max_length=200, blank=True, default="")
    respond_within_s = models.PositiveIntegerField()
    escalate_after_s = models.PositiveIntegerField()

    class Meta:
        ordering = ["policy", "severity"]
        constraints = [models.UniqueConstraint(fields=["policy", "severity"], name="one_rule_per_severity")]

    def __str__(self) -> str:
        return f"{self.severity} of {self.policy_id}"


class Rung(models.Model):
    """Who is called at one level of one severity. Level 1 is called first."""

    policy = models.ForeignKey(EscalationPolicy, models.CASCADE, related_name="rungs")
    severity = models.CharField(max_length=4, choices=Severity)
    level = models.PositiveSmallIntegerField()
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="rungs")

    class Meta:
        ordering = ["policy", "severity", "level", "id"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "severity", "level", "contact"], name="contact_once_per_level")
        ]

    def __str__(self) -> str:
        return f"{self.severity} L{self.level} → {self.contact_id}"


class Escalation(models.Model):
    """The running escalation of one incident. `next_at` is when the engine must look at it.

    `snapshot` is the rule and ladder it began with: {"policy", "version", "severity", "respond_within_s",
    "escalate_after_s", "levels": [[{"id": contact id, "name": name}, …], …]}. `generation` counts starts
    (a new severity, a reopening), `level` and `cycle` say who was called last (level 0: nobody yet).
    `late_calls` counts calls by the second clock since someone acknowledged. `held_until` stays set:
    an escalation is held once.
    """

    incident = models.OneToOneField("incidents.Incident", models.CASCADE, related_name="escalation")
    state = models.CharField(max_length=14, choices=EscalationState, default=EscalationState.ARMED)
    snapshot = models.JSONField()
    level = models.PositiveSmallIntegerField(default=0)
    cycle = models.PositiveSmallIntegerField(default=0)
    generation = models.PositiveSmallIntegerField(default=0)
    late_calls = models.PositiveSmallIntegerField(default=0)
    respond_due_at = models.DateTimeField(null=True, blank=True)
    escalate_due_at = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="escalation_due"),
        ]

    def __str__(self) -> str:
        return f"escalation of {self.incident_id}: level {self.level}, {self.state}"


class Message(Claimable):
    """One outgoing notice in the outbox. `idem_key` makes asking twice the same as asking once.

    `repeats` counts attempts that followed one whose outcome is unknown. `withdrawn` was set while an
    attempt was under way: there must be no other. Written by `incidents.notify`.
    """

    idem_key = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=8, choices=MessageKind)
    status = models.CharField(max_length=10, choices=MessageStatus, default=MessageStatus.QUEUED)
    incident = models.ForeignKey("incidents.Incident", models.CASCADE, null=True, blank=True, related_name="messages")
    method = models.ForeignKey(ContactMethod, models.SET_NULL, null=True, related_name="messages")
    contact_name = models.CharField(max_length=80)
    channel = models.CharField(max_length=20)
    level = models.PositiveSmallIntegerField(default=0)
    subject = models.CharField(max_length=250)
    body = models.TextField()
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    repeats = models.PositiveSmallIntegerField(default=0)
    withdrawn = models.BooleanField(default=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")
    proof = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["channel", "next_at"], condition=Q(next_at__isnull=False), name="message_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.contact_name} by {self.channel}: {self.status}"
