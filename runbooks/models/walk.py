"""What a walk keeps beside its steps: decisions, waits and the clocks of its phases."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from runbooks.models.execution import Execution, StepRun


class Decision(models.Model):
    """What a person decided at a fork; the latest one of a `fork` and `kind` counts, earlier ones stay.

    `fork` is the position of the fork's first step. `kind` and `choice` are words of `runbooks.branching`;
    a choice may also be a step's position. `evidence` is what the walk had found by then, `suggested` the
    positions that it spoke for. `implied` says that nobody was asked: a change in the branch was begun.
    """

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="decisions")
    kind = models.CharField(max_length=8)
    fork = models.PositiveIntegerField()
    choice = models.CharField(max_length=12)
    reason = models.CharField(max_length=300, blank=True, default="")
    evidence = models.JSONField(default=list)
    suggested = models.JSONField(default=list)
    implied = models.BooleanField(default=False)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.choice} at {self.fork} of execution {self.execution_id}"


class Wait(models.Model):
    """A wait that the text asks for, begun by a person. `wait` is its index among those of the step.

    It is over at `due_at`, by the database's clock, or at `ended_at` if somebody ended it early with a `reason`.
    `told_at` is when its end was told.
    """

    step_run = models.ForeignKey(StepRun, models.CASCADE, related_name="waits")
    wait = models.PositiveSmallIntegerField()
    text = models.CharField(max_length=200)
    seconds = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True, default="")
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            # Two clicks: one wait.
            models.UniqueConstraint(fields=["step_run", "wait"], condition=Q(told_at=None), name="one_wait_at_a_time")
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(told_at=None), name="wait_due")]

    def __str__(self) -> str:
        return f"wait {self.wait} of step run {self.step_run_id}"


class PhaseClock(models.Model):
    """The time budget of a phase: it runs from the first look at a step of it. `over_at` is when its end was told."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="clocks")
    phase = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True, blank=True)
    # All of its steps had been dealt with.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["execution", "phase"], name="one_clock_per_phase")]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(over_at=None, ended_at=None), name="phase_due"),
        ]

    def __str__(self) -> str:
        return f"phase {self.phase} of execution {self.execution_id}"
