"""The vocabularies of runbooks and their execution."""

from django.db.models import TextChoices


class Risk(TextChoices):
    READ = "read", "Read"
    CHANGE = "change", "Change"
    DISRUPT = "disrupt", "Disrupt"
    DESTROY = "destroy", "Destroy"
    BLOCKED = "blocked", "Blocked"


class VersionState(TextChoices):
    DRAFT = "draft", "Draft"
    IN_REVIEW = "in_review", "In review"
    PUBLISHED = "published", "Published"
    SUPERSEDED = "superseded", "Superseded"
    REJECTED = "rejected", "Rejected"


class ImportState(TextChoices):
    OPEN = "open", "In work"
    PUBLISHED = "published", "Finished"
    DISCARDED = "discarded", "Given up"


class ItemState(TextChoices):
    PROPOSED = "proposed", "Proposed"
    ACCEPTED = "accepted", "Set up"
    DISMISSED = "dismissed", "Dismissed"


class MatchRank(TextChoices):
    EXACT = "exact", "Exact"
    LIKELY = "likely", "Likely"
    RELATED = "related", "Related"


class ExecutionStatus(TextChoices):
    ACTIVE = "active", "In progress"
    COMPLETED = "completed", "Completed"
    ABANDONED = "abandoned", "Abandoned"


class ExecutionPurpose(TextChoices):
    WALK = "walk", "Walk"
    REHEARSAL = "rehearsal", "Rehearsal"


class RehearsalVerdict(TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    PASSED = "passed", "Works"
    FAILED = "failed", "Failed"
    NEEDS_VALUE = "needs_value", "Needs a value"
    NOT_HERE = "not_here", "Not possible here"
    NOT_READ = "not_read", "Not read-only"


class BatonStatus(TextChoices):
    WAITING = "waiting", "Waiting for an answer"
    GIVEN = "given", "Handed over"
    KEPT = "kept", "Kept"
    WITHDRAWN = "withdrawn", "Withdrawn"
    LAPSED = "lapsed", "Overtaken"


class StepStatus(TextChoices):
    PENDING = "pending", "Not viewed"
    CURRENT = "current", "Current"
    RUNNING = "running", "Running"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


class RunStatus(TextChoices):
    QUEUED = "queued", "Queued"
    CLAIMED = "claimed", "Starting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Timed out"
    STOPPED = "stopped", "Stopped"
    STOP_UNCONFIRMED = "stop_unconfirmed", "Stop unconfirmed"
    NOT_STARTED = "not_started", "Not started"
    OUTCOME_UNKNOWN = "outcome_unknown", "Outcome unknown"


class ApprovalState(TextChoices):
    ASKED = "asked", "Asked"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"
    USED = "used", "Used"


class ApprovalWay(TextChoices):
    SECOND = "second", "Another lead"
    BREAK_GLASS = "break_glass", "Break-glass"
    SOLO = "solo", "Cool-down alone"


TERMINAL_RUNS = {
    RunStatus.SUCCEEDED,
    RunStatus.FAILED,
    RunStatus.TIMED_OUT,
    RunStatus.STOPPED,
    RunStatus.STOP_UNCONFIRMED,
    RunStatus.NOT_STARTED,
    RunStatus.OUTCOME_UNKNOWN,
}
