"""Plumbing tables: the audit chain and the heartbeats of our own processes."""

from django.db import models


class AuditEntry(models.Model):
    """One act. Written by `erpops.audit.record` only; the database refuses changes.

    `seq`, `prev_hash` and `hash` are set by the database when the act commits.
    """

    seq = models.BigIntegerField(unique=True, null=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=80)
    target = models.CharField(max_length=120)
    details = models.JSONField(default=dict)
    prev_hash = models.CharField(max_length=64, default="")
    hash = models.CharField(max_length=64, default="")

    class Meta:
        ordering = ["-seq"]
        indexes = [models.Index(fields=["target", "-seq"], name="audit_target")]

    def __str__(self) -> str:
        return f"{self.seq} {self.actor} {self.action} {self.target}"


class ProcessBeat(models.Model):
    """A process of ours that was alive at `seen_at`. Written by `erpops.beats`."""

    owner = models.CharField(max_length=64, primary_key=True)
    role = models.CharField(max_length=16)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    queues = models.JSONField(default=list)
    info = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["role", "-seen_at"], name="beat_role")]

    def __str__(self) -> str:
        return f"{self.role} {self.host}:{self.pid}"
