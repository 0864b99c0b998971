"""The vocabularies of incidents: what a column may hold, and how it is said."""

from django.db.models import TextChoices


class Severity(TextChoices):
    SEV1 = "SEV1", "SEV1 Critical"
    SEV2 = "SEV2", "SEV2 High"
    SEV3 = "SEV3", "SEV3 Medium"
    SEV4 = "SEV4", "SEV4 Low"


class IncidentStatus(TextChoices):
    TRIAGE = "triage", "Triage"
    INVESTIGATING = "investigating", "Investigating"
    IDENTIFIED = "identified", "Identified"
    MONITORING = "monitoring", "Monitoring"
    RESOLVED = "resolved", "Resolved"


# Named one by one: an index finds these among a hundred thousand, it does not find what is not resolved.
OPEN_STATUSES = tuple(status.value for status in IncidentStatus if status != IncidentStatus.RESOLVED)


class AlertStatus(TextChoices):
    FIRING = "firing", "Firing"
    RESOLVED = "resolved", "Resolved"


class RoleName(TextChoices):
    COMMANDER = "commander", "Commander"
    OPERATIONS = "operations", "Operations"
    COMMS = "comms", "Comms"
    SCRIBE = "scribe", "Scribe"


class HandoverStatus(TextChoices):
    OFFERED = "offered", "Waiting for an answer"
    ACCEPTED = "accepted", "Accepted"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"


class EscalationState(TextChoices):
    ARMED = "armed", "Waiting for someone"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    EXHAUSTED = "exhausted", "Nobody left to call"
    DORMANT = "dormant", "Stopped: it fell due long ago"
    DONE = "done", "Done"


class MessageStatus(TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class MessageKind(TextChoices):
    PAGE = "page", "Page"
    NOTICE = "notice", "Notice"
    UPDATE = "update", "Status update"
    TEST = "test", "Test"


class Audience(TextChoices):
    STAKEHOLDERS = "stakeholders", "Stakeholders"
    INTERNAL = "internal", "Internal"


class UpdatePhase(TextChoices):
    INVESTIGATING = "investigating", "Investigating"
    IDENTIFIED = "identified", "Identified"
    MONITORING = "monitoring", "Monitoring"
    RESOLVED = "resolved", "Resolved"


class ReviewStatus(TextChoices):
    DRAFT = "draft", "Draft"
    IN_REVIEW = "in_review", "In review"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    PUBLISHED = "published", "Published"
