"""How an incident stands right now: who holds what, who is called next, what is due."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from erpops import access, clock
from incidents import handover
from incidents.access import may_operate
from incidents.beginnings import Beginning, beginnings_for
from incidents.choices import EscalationState, HandoverStatus, IncidentStatus, RoleName
from incidents.escalation import step_of
from incidents.matrix import next_call
from incidents.models import Escalation, Handover, Incident, IncidentRole
from incidents.queries import name_of, update_due

WORKING_STATES = (IncidentStatus.INVESTIGATING, IncidentStatus.IDENTIFIED, IncidentStatus.MONITORING)


@dataclass(frozen=True)
class RoleHolder:
    """A role in the incident and who has it (empty: nobody)."""

    role: str
    label: str
    name: str
    own: bool


@dataclass(frozen=True)
class NextCall:
    """What the escalation does next. `names` are called `at`; no `at` means that nothing is planned.

    `step` names where it stands, for buttons that must not act on what has moved since.
    """

    state: str
    label: str
    at: datetime | None
    names: list[str]
    step: str


@dataclass(frozen=True)
class Standing:
    """The header of the room."""

    roles: list[RoleHolder]
    call: NextCall | None
    due: datetime | None
    overdue: bool
    may_work: bool
    may_post: bool
    states: list[tuple[str, str]]
    handover: Handover | None
    # The answer to what this person offered, while it is news.
    declined: Handover | None
    # What acknowledging can begin.
    beginning: Beginning | None = None

    @property
    def holds(self) -> bool:
        """Whether the person has a role here."""
        return any(role.own for role in self.roles)

    @property
    def free(self) -> list[RoleHolder]:
        """Roles that nobody has, apart from the first one, which the header offers by itself."""
        return [role for role in self.roles[1:] if not role.name]


def standing(incident: Incident, user: User) -> Standing:
    """Read it, for the eyes of `user`."""
    due, last = update_due(incident), handover.latest(incident)
    return Standing(
        roles=_roles(incident, user),
        call=_next_call(incident) if incident.is_open else None,
        due=due,
        overdue=bool(due and due < clock.now()),
        may_work=access.can(user, "work_incidents") and may_operate(user, incident.environment),
        may_post=access.can(user, "post_status"),
        beginning=beginnings_for(user, [incident]).get(incident.pk),
        states=[(state.value, str(state.label)) for state in WORKING_STATES if state != incident.status],
        handover=last if last and last.status == HandoverStatus.OFFERED else None,
        declined=last if last and handover.is_refusal(last, user) else None,
    )


def _roles(incident: Incident, user: User) -> list[RoleHolder]:
    held = {role.role: role.user for role in IncidentRole.objects.filter(incident=incident).select_related("user")}
    return [
        RoleHolder(role.value, str(role.label), name_of(held.get(role.value)), held.get(role.value) == user)
        for role in RoleName
    ]


def _next_call(incident: Incident) -> NextCall | None:
    escalation = Escalation.objects.filter(incident=incident).first()
    if escalation is None:
        return None
    state = EscalationState(escalation.state)
    upcoming = next_call(incident, escalation)
    names = [person.name for person in upcoming[2]] if upcoming else []
    return NextCall(state.value, str(state.label), upcoming[0] if upcoming else None, names, step_of(escalation))
