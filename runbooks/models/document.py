"""Runbooks and their immutable versions. Written by `runbooks.library`, matches by `runbooks.matching`."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from runbooks.choices import MatchRank, VersionState


class Runbook(models.Model):
    """A named document that one or more alerts may point at.

    `origin` is where it came from (`library:disk-space.md`, `import:ops.md#heading`); `current` is
    the version that new executions walk.
    """

    slug = models.SlugField(max_length=120, unique=True)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, default="incident")
    alerts = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    origin = models.CharField(max_length=300, unique=True)
    owner = models.CharField(max_length=80, blank=True, default="")
    current = models.ForeignKey("runbooks.Version", models.SET_NULL, null=True, related_name="+")
    archived = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True, blank=True)
    search = SearchVectorField(null=True)

    class Meta:
        ordering = ["title"]
        indexes = [GinIndex(fields=["search"], name="runbook_search")]

    def __str__(self) -> str:
        return self.title


class Version(models.Model):
    """One immutable text of a runbook and what it compiles to.

    The text of one of several runbooks of a document is its slice; `under` says where it stands there (the
    headings above it, its group) and `given` what the rest of the document says of it. `sha256` is over all
    three. A text never changes: an edit makes the next number. `edited` tells a person's from an import's.
    """

    runbook = models.ForeignKey(Runbook, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    under = models.JSONField(null=True)
    given = models.JSONField(default=dict)
    edited = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64)
    compiled = models.JSONField()
    findings = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=VersionState, default=VersionState.DRAFT)
    note = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    # Who looked at it last, and what they said.
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    review = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["runbook", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["runbook", "number"], name="version_number_once"),
            models.UniqueConstraint(fields=["runbook"], condition=Q(state="published"), name="one_published_version"),
        ]

    def __str__(self) -> str:
        return f"{self.runbook_id} v{self.number}"


class Match(models.Model):
    """A runbook suggested for an incident, with the reasons in words."""

    incident = models.ForeignKey("incidents.Incident", models.CASCADE, related_name="matches")
    runbook = models.ForeignKey(Runbook, models.CASCADE, related_name="matches")
    rank = models.CharField(max_length=8, choices=MatchRank)
    reasons = models.JSONField(default=list)
    score = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-score", "runbook__title"]
        constraints = [models.UniqueConstraint(fields=["incident", "runbook"], name="match_once")]

    def __str__(self) -> str:
        return f"{self.rank} {self.runbook_id} for {self.incident_id}"


class Matching(models.Model):
    """That the runbooks for an incident were looked for, when, over how many alerts and on which `basis`.

    The basis is a digest of what the incident itself says: its title, severity, service and environment.
    """

    incident = models.OneToOneField("incidents.Incident", models.CASCADE, related_name="matching")
    alerts = models.PositiveIntegerField(default=0)
    basis = models.CharField(max_length=32, blank=True, default="")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"matching of {self.incident_id}"
