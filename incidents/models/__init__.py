"""The tables of the incidents layer."""

from incidents.models.alerts import Alert, Delivery, Source
from incidents.models.escalation import (
    Contact,
    ContactMethod,
    Escalation,
    EscalationPolicy,
    Message,
    Rung,
    SeverityRule,
)
from incidents.models.grants import (
    EnvironmentGroupGrant,
    EnvironmentUserGrant,
    IncidentGroupGrant,
    IncidentUserGrant,
)
from incidents.models.handover import Handover
from incidents.models.incident import Incident, IncidentRole, TimelineEvent
from incidents.models.picture import Picture
from incidents.models.places import Environment, Service
from incidents.models.review import FollowUp, PostMortem, StatusUpdate

__all__ = [
    "Alert",
    "Contact",
    "ContactMethod",
    "Delivery",
    "Environment",
    "EnvironmentGroupGrant",
    "EnvironmentUserGrant",
    "Escalation",
    "EscalationPolicy",
    "FollowUp",
    "Handover",
    "Incident",
    "IncidentGroupGrant",
    "IncidentRole",
    "IncidentUserGrant",
    "Message",
    "Picture",
    "PostMortem",
    "Rung",
    "Service",
    "SeverityRule",
    "Source",
    "StatusUpdate",
    "TimelineEvent",
]
