"""Documents on their way into the library, and what else stands in them. Written by `runbooks.importing`."""

from django.conf import settings
from django.db import models

from runbooks.choices import ImportState, ItemState


class Import(models.Model):
    """Documents that somebody brings in together. Nothing of it can be executed before it is published."""

    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.OPEN)
    source = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"import {self.pk} of {self.source}"


class ImportFile(models.Model):
    """One document: its bytes as they came, its text as it is now, and what that compiles to.

    `decisions` are a person's: `kinds` by origin (a kind of runbook, or `leave`), `dismissed` findings with
    their reasons by mark, `manual` lines of commands that are kept for a person's hands.
    """

    batch = models.ForeignKey(Import, models.CASCADE, related_name="files")
    path = models.CharField(max_length=300)
    raw = models.BinaryField()
    text = models.TextField()
    compiled = models.JSONField()
    decisions = models.JSONField(default=dict)
    edited = models.BooleanField(default=False)

    class Meta:
        ordering = ["batch", "path"]
        constraints = [models.UniqueConstraint(fields=["batch", "path"], name="import_path_once")]

    def __str__(self) -> str:
        return self.path


class ImportedItem(models.Model):
    """Something in a document that is no runbook: a contact, an escalation rule, a threshold, a schedule, a code.

    It is a proposal until somebody makes the thing itself (`accepted`, with where it is) or dismisses it.
    """

    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    path = models.CharField(max_length=300)
    line = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.PROPOSED)
    made = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["kind", "path", "line"]
        constraints = [models.UniqueConstraint(fields=["path", "kind", "title"], name="imported_item_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.title}"


class ErrorCode(models.Model):
    """What a code in a log or an answer means, as a document says it."""

    code = models.CharField(max_length=60, unique=True)
    facts = models.JSONField(default=dict)
    path = models.CharField(max_length=300)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code
