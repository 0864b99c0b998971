"""Which incidents and environments a person reaches. Views use these querysets and getters only.

Who may see what is decided by `hidden_environments` alone. Nearly always nothing is hidden from staff, and then no
queryset carries a condition: nested ones took most of the time of a page.
"""

from typing import Any, TypeVar, cast

from django.db.models import Model, Q, QuerySet
from django.http import Http404

from erpops import access
from incidents.models import Environment, Incident

M = TypeVar("M", bound=Model)


def hidden_environments(user: Any) -> frozenset[int]:
    """The ids of the restricted environments on which `user`, of the staff, holds no grant.

    Kept on the user object as the roles are: it lives as long as a request.
    """
    if not hasattr(user, "_erpops_hidden"):
        hidden = Environment.objects.filter(restricted=True).order_by()
        for permission in ("incidents.view_environment", "incidents.operate_environment"):
            hidden = hidden.exclude(pk__in=access.granted_ids(user, permission, Environment))
        user._erpops_hidden = frozenset(hidden.values_list("pk", flat=True))
    return cast("frozenset[int]", user._erpops_hidden)


def visible_environments(user: Any) -> QuerySet[Environment]:
    """The open ones for staff, and those that the person holds a grant on."""
    return in_visible_environments(user, Environment.objects.all(), "pk")


def in_visible_environments(user: Any, rows: QuerySet[M], path: str = "environment") -> QuerySet[M]:
    """Those of `rows` whose environment, found by `path`, the person sees; each of them has one."""
    if not access.can(user, "see_console"):
        return rows.none()
    hidden = hidden_environments(user)
    return rows.exclude(**{f"{path}__in": hidden}) if hidden else rows


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
    if not access.can(user, "see_console"):
        return Incident.objects.none()
    hidden = hidden_environments(user)
    if not hidden:
        return Incident.objects.all()
    granted = Q(pk__in=access.granted_ids(user, "incidents.view_incident", Incident))
    return Incident.objects.filter(~Q(environment__in=hidden) | granted)


def in_visible_incidents(user: Any, rows: QuerySet[M], path: str = "incident") -> QuerySet[M]:
    """Those of `rows` whose incident, found by `path`, the person sees; each of them has one."""
    if not access.can(user, "see_console"):
        return rows.none()
    return rows.filter(**{f"{path}__in": visible_incidents(user)}) if hidden_environments(user) else rows


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
