"""A version being walked: executions and steps by `runbooks.executions`, commands by `runbooks.runner`."""

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from erpops.claims import Claimable
from runbooks.choices import ExecutionPurpose, ExecutionStatus, Risk, RunStatus, StepStatus
from runbooks.secret_values import ValuesField


class Execution(models.Model):
    """One walk through one frozen version, usually for an incident.

    `holder` has the baton: only they run commands, others read along. `position` is the step that
    the holder looks at. `values` are the parameters' values, one per name for the whole walk, `origins` where
    each was taken from (`runbooks.answers`). Without an incident it is a procedure, whose acts stand in its own
    journal; `event_seq` is the latest entry's number. A rehearsal is held by nobody: the engine carries it out in
    the name of who started it. `parent` is the step of another walk that referred to this runbook. `acted_at` is the
    holder's latest act after the start; `paused_at` is set while the holder has left (the bookmark).
    """

    version = models.ForeignKey("runbooks.Version", models.PROTECT, related_name="executions")
    incident = models.ForeignKey("incidents.Incident", models.CASCADE, null=True, blank=True, related_name="executions")
    environment = models.ForeignKey("incidents.Environment", models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=10, choices=ExecutionPurpose, default=ExecutionPurpose.WALK)
    status = models.CharField(max_length=10, choices=ExecutionStatus, default=ExecutionStatus.ACTIVE)
    values = ValuesField(default=dict)
    origins = models.JSONField(default=dict)
    position = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    acted_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    event_seq = models.PositiveIntegerField(default=0)
    parent = models.ForeignKey("runbooks.StepRun", models.SET_NULL, null=True, blank=True, related_name="children")

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Two people, two clicks: one walk of a version is going on for an incident at a time.
            models.UniqueConstraint(
                fields=["incident", "version"], condition=Q(status="active"), name="one_active_execution"
            ),
            models.UniqueConstraint(
                fields=["environment", "version"],
                condition=Q(status="active", incident=None, purpose="walk"),
                name="one_active_procedure",
            ),
            models.UniqueConstraint(
                fields=["environment", "version"],
                condition=Q(status="active", purpose="rehearsal"),
                name="one_active_rehearsal",
            ),
        ]

    @property
    def reference(self) -> str:
        """What people call it: the incident that it is for, or the procedure or rehearsal itself."""
        if self.incident:
            return self.incident.reference
        return f"{'REH' if self.is_rehearsal else 'PROC'}-{self.pk}"

    @property
    def is_rehearsal(self) -> bool:
        """True if it only reads, in nobody's hands."""
        return self.purpose == ExecutionPurpose.REHEARSAL

    @property
    def topic(self) -> str:
        """The live topic that rings when something happens in it, with where it stands now."""
        if self.incident:
            return f"incident:{self.incident.pk}@{self.incident.event_seq}"
        return f"execution:{self.pk}@{self.event_seq}"

    def __str__(self) -> str:
        return f"execution {self.pk} of version {self.version_id}"


class JournalEntry(models.Model):
    """One act of a procedure, numbered without gaps. Walks for an incident use its timeline instead."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="journal")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    text = models.TextField()
    data = models.JSONField(default=dict)
    noise = models.BooleanField(default=False)

    class Meta:
        ordering = ["execution", "seq"]
        constraints = [models.UniqueConstraint(fields=["execution", "seq"], name="journal_seq_once")]

    @property
    def occurred_at(self) -> datetime:
        """Acts are written down as they happen."""
        return self.at

    def __str__(self) -> str:
        return f"{self.execution_id}#{self.seq} {self.kind}"


class StepRun(models.Model):
    """One step of an execution. `phase` and `step` are its indexes in the compiled runbook (from 0).

    A phase that has items but no steps is one step of its own: a checklist, with `step` 0.
    """

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    phase = models.PositiveSmallIntegerField()
    step = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=8, choices=StepStatus, default=StepStatus.PENDING)
    # Which items of the step's list hold, by their indexes.
    ticked = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    # What was seen, by what it answers (`item:0`, `command:1:0`): text, whether it holds, who, when.
    observed = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["execution", "position"]
        constraints = [models.UniqueConstraint(fields=["execution", "position"], name="step_position_once")]

    def __str__(self) -> str:
        return f"step {self.position + 1} of execution {self.execution_id}"


class CommandRun(Claimable):
    """One attempt of one command: at most one process is ever started for it.

    `script` and `env` are what runs (values only in `env`); `digest` is SHA-256 over version,
    script, values and target, recomputed before the start. `output_seq` is the last chunk's number,
    `output_bytes` what the command wrote, `dropped_bytes` what was not kept. `nudged_at` is when a
    worker was last told. With `waits` the command is tried again until its expected result holds. `touches` are
    the things it acts on, `approval` what allowed it; the database refuses one that needs it and has none.
    """

    step_run = models.ForeignKey(StepRun, models.CASCADE, related_name="runs")
    command = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=12)
    text = models.TextField()
    script = models.TextField()
    values = ValuesField(default=dict)
    risk = models.CharField(max_length=8, choices=Risk)
    digest = models.CharField(max_length=64)
    queue = models.CharField(max_length=80)
    timeout_s = models.PositiveIntegerField(default=60)
    # Its document says why doing it twice does no harm: after an unknown outcome it is run once more by itself.
    repeatable = models.BooleanField(default=False)
    waits = models.BooleanField(default=False)
    touches = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    approval = models.OneToOneField("runbooks.Approval", models.PROTECT, null=True, blank=True, related_name="run")
    status = models.CharField(max_length=16, choices=RunStatus, default=RunStatus.QUEUED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    queued_at = models.DateTimeField()
    nudged_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    host = models.CharField(max_length=200, blank=True, default="")
    containment = models.CharField(max_length=20, blank=True, default="")
    output_seq = models.BigIntegerField(default=0)
    output_bytes = models.BigIntegerField(default=0)
    dropped_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["step_run", "command", "attempt"], name="attempt_once"),
            # Two tabs, two clicks: only one attempt of a command is alive at a time.
            models.UniqueConstraint(
                fields=["step_run", "command"],
                condition=Q(status__in=["queued", "claimed", "running"]),
                name="one_live_attempt",
            ),
        ]
        indexes = [
            models.Index(fields=["queued_at"], condition=Q(status="queued"), name="run_queued"),
            models.Index(fields=["lease_until"], condition=Q(status__in=["claimed", "running"]), name="run_leased"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.status})"


class OutputChunk(models.Model):
    """Bytes that a command wrote, after masking. `seq` counts from 1 without gaps per run.

    A chunk can be shown by itself: `line` is the number of its first line, `cont` says that this
    line began in the chunk before, `style` is the SGR state that it begins with. Stream `note`
    holds a line by erpops about what was not kept.
    """

    run = models.ForeignKey(CommandRun, models.CASCADE, related_name="chunks")
    seq = models.BigIntegerField()
    stream = models.CharField(max_length=6)
    at = models.DateTimeField()
    line = models.BigIntegerField(default=1)
    cont = models.BooleanField(default=False)
    style = models.CharField(max_length=40, blank=True, default="")
    data = models.BinaryField()

    class Meta:
        ordering = ["run", "seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="chunk_seq_once")]
        indexes = [models.Index(fields=["run", "line"], name="chunk_line")]

    def __str__(self) -> str:
        return f"chunk {self.seq} of run {self.run_id}"
