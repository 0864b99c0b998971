"""Trying what a runbook reads, by hand or on a schedule. Written by `runbooks.rehearsal` and `runbooks.plans`."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from runbooks.choices import RehearsalVerdict


class RehearsalPlan(models.Model):
    """That a runbook is rehearsed in an environment every so many hours, in its owner's name and with their rights.

    `due_at` is when the engine starts the next one; None while the plan is off. `refused` says why the last
    one did not start.
    """

    runbook = models.ForeignKey("runbooks.Runbook", models.CASCADE, related_name="rehearsal_plans")
    environment = models.ForeignKey("incidents.Environment", models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    every_h = models.PositiveIntegerField(default=24)
    due_at = models.DateTimeField(null=True, blank=True)
    refused = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["runbook", "environment__position"]
        constraints = [models.UniqueConstraint(fields=["runbook", "environment"], name="rehearsal_planned_once")]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="rehearsal_plan_due")]

    def __str__(self) -> str:
        return f"rehearsals of {self.runbook_id} in {self.environment_id}"


class Rehearsal(models.Model):
    """One rehearsal; its execution says which version, where, by whom and when.

    `due_at` is when the engine looks at it next; None once it is over. `stopped_by` ended it early.
    """

    execution = models.OneToOneField("runbooks.Execution", models.CASCADE, related_name="rehearsal")
    plan = models.ForeignKey(RehearsalPlan, models.SET_NULL, null=True, related_name="rehearsals")
    due_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="rehearsal_due")]

    def __str__(self) -> str:
        return f"rehearsal {self.execution_id}"


class RehearsalResult(models.Model):
    """Whether one command still works. `command` is its index in the step at `position`; `run` the attempt, if any."""

    rehearsal = models.ForeignKey(Rehearsal, models.CASCADE, related_name="results")
    position = models.PositiveIntegerField()
    command = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=12, choices=RehearsalVerdict, default=RehearsalVerdict.WAITING)
    reason = models.CharField(max_length=300, blank=True, default="")
    run = models.OneToOneField("runbooks.CommandRun", models.CASCADE, null=True, related_name="rehearsed")

    class Meta:
        ordering = ["rehearsal", "position", "command"]
        constraints = [models.UniqueConstraint(fields=["rehearsal", "position", "command"], name="rehearsed_once")]

    def __str__(self) -> str:
        return f"{self.verdict} of command {self.command} in step {self.position}"
