"""Which incidents and environments a person reaches. Views use these querysets and getters only."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404

from erpops import access
from incidents.models import Environment, Incident


def visible_environments(user: Any) -> QuerySet[Environment]:
    """The open ones for staff, and those that the person holds a grant on."""
    if not access.can(user, "see_console"):
        return Environment.objects.none()
    granted = Q(pk__in=access.granted_ids(user, "incidents.view_environment", Environment)) | Q(
        pk__in=access.granted_ids(user, "incidents.operate_environment", Environment)
    )
    return Environment.objects.filter(Q(restricted=False) | granted)


def may_operate(user: Any, environment: Environment) -> bool:
    """Whether `user` may run commands there: the role, and in a restricted environment the grant too."""
    if not access.can(user, "run_commands"):
        return False
    if not environment.restricted:
        return True
    granted = access.granted_ids(user, "incidents.operate_environment", Environment)
    return Environment.objects.filter(Q(pk=environment.pk), pk__in=granted).exists()


def visible_incidents(user: Any) -> QuerySet[Incident]:
    """Incidents in environments that the person sees, and single ones granted to them."""
    granted = Q(pk__in=access.granted_ids(user, "incidents.view_incident", Incident))
    if not access.can(user, "see_console"):
        return Incident.objects.none()
    return Incident.objects.filter(Q(environment__in=visible_environments(user)) | granted)


def get_environment_for(user: Any, name: str) -> Environment:
    """The environment, or 404 as if it did not exist."""
    environment = visible_environments(user).filter(name=name).first()
    if environment is None:
        raise Http404("There is no such environment, or it is not yours to see.")
    return environment


def get_incident_for(user: Any, number: int) -> Incident:
    """The incident, or 404 as if it did not exist."""
    incident = visible_incidents(user).select_related("environment", "service").filter(pk=number).first()
    if incident is None:
        raise Http404("There is no such incident, or it is not yours to see.")
    return incident
