"""Who may do what: four roles, named capabilities, one decorator, and the wrapper around per-object grants.

Roles are Django groups. Objects are reached through the scoped querysets of each app's `access`
module, which build on `granted_ids` here; nothing else asks django-guardian.
"""

from collections.abc import Callable, Hashable
from functools import cache, wraps
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from erpops.registry import Registry

OPERATOR, LEAD, ADMIN, STAKEHOLDER = "operator", "lead", "admin", "stakeholder"
ROLES = (OPERATOR, LEAD, ADMIN, STAKEHOLDER)
ROLE_LABELS = {OPERATOR: "Operator", LEAD: "Team lead", ADMIN: "Admin", STAKEHOLDER: "Stakeholder"}

_STAFF = frozenset({OPERATOR, LEAD, ADMIN})
_WORKING = frozenset({OPERATOR, LEAD})
CAPABILITIES: dict[str, frozenset[str]] = {
    "see_console": _STAFF,
    "declare_incident": _STAFF,
    "work_incidents": _WORKING,
    "run_commands": _WORKING,
    "approve_destroy": frozenset({LEAD}),
    "post_status": _STAFF,
    "write_postmortem": _STAFF,
    "publish_postmortem": frozenset({LEAD}),
    "start_drill": _STAFF,
    "edit_escalation": frozenset({ADMIN}),
    "edit_contacts": frozenset({ADMIN}),
    "edit_people": frozenset({ADMIN}),
    "edit_sources": frozenset({ADMIN}),
    "edit_environments": frozenset({ADMIN}),
    "edit_checks": frozenset({ADMIN}),
    "mute_checks": _WORKING,
    "propose_runbooks": _STAFF,
    "review_runbooks": frozenset({LEAD, ADMIN}),
    "publish_runbooks": frozenset({ADMIN}),
    "see_audit": frozenset({ADMIN, LEAD}),
    "read_status": frozenset(ROLES),
}


class NotAllowed(PermissionDenied):
    """The person lacks `capability`; the page that answers says who has it."""

    def __init__(self, capability: str) -> None:
        self.capability = capability
        super().__init__(f"This needs the role {roles_with(capability)}.")


def roles_of(user: Any) -> frozenset[str]:
    """The roles of an active account; none for anyone else. Kept on the user object."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset()
    if not hasattr(user, "_erpops_roles"):
        user._erpops_roles = frozenset(user.groups.values_list("name", flat=True)) & frozenset(ROLES)
    return cast("frozenset[str]", user._erpops_roles)


# What beside roles decides which rows somebody of the staff reaches; each layer answers for its own.
bounds: Registry[Callable[[Any], Hashable]] = Registry("bounds")


def reach_of(user: Any) -> Hashable:
    """All that decides which rows `user` reaches, as one value; grants are looked up by the queries themselves."""
    return roles_of(user), tuple(bound(user) for bound in bounds.values()) if can(user, "see_console") else ()


def can(user: Any, capability: str) -> bool:
    """Whether `user` has `capability` through a role. Being a superuser gives nothing by itself."""
    return bool(CAPABILITIES[capability] & roles_of(user))


def check(user: Any, capability: str) -> None:
    """Raise `NotAllowed` unless `user` has `capability`."""
    if not can(user, capability):
        raise NotAllowed(capability)


def needs(capability: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Guard a view by a capability."""
    assert capability in CAPABILITIES, capability

    def guard(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            check(request.user, capability)
            return view(request, *args, **kwargs)

        guarded.capability = capability  # type: ignore[attr-defined]
        return guarded

    return guard


def roles_with(capability: str) -> str:
    """The roles that have `capability`, as people say it."""
    return " or ".join(ROLE_LABELS[role] for role in ROLES if role in CAPABILITIES[capability])


def people_with_role(role: str) -> list[User]:
    """Active accounts in `role`, by name."""
    return list(get_user_model().objects.filter(is_active=True, groups__name=role).order_by("username"))


def people_with(capability: str) -> QuerySet[User]:
    """Active accounts that have `capability` through a role, by name."""
    found = User.objects.filter(is_active=True, groups__name__in=CAPABILITIES[capability])
    return found.distinct().order_by("username")


def staff() -> QuerySet[User]:
    """Active accounts that see the console, by name."""
    found = User.objects.filter(is_active=True, groups__name__in=_STAFF)
    return found.distinct().order_by("username")


def solo_mode() -> bool:
    """Whether exactly one active person could approve; ends by itself when a second appears."""
    leads = User.objects.filter(is_active=True, groups__name=LEAD).order_by()
    return len(leads.values_list("pk", flat=True)[:2]) == 1


def solo_reviewer(user: Any) -> bool:
    """Whether nobody else is there who could review a runbook; ends by itself when somebody is."""
    others = get_user_model().objects.filter(is_active=True, groups__name__in=CAPABILITIES["review_runbooks"])
    return not others.exclude(pk=user.pk).exists()


_GRANTED = """
SELECT own.content_object_id FROM {own} own
JOIN auth_permission p ON p.id = own.permission_id JOIN django_content_type t ON t.id = p.content_type_id
WHERE own.user_id = %s AND p.codename = %s AND t.app_label = %s AND t.model = %s
UNION ALL
SELECT shared.content_object_id FROM {shared} shared
JOIN auth_permission p ON p.id = shared.permission_id JOIN django_content_type t ON t.id = p.content_type_id
JOIN auth_user_groups member ON member.group_id = shared.group_id
WHERE member.user_id = %s AND p.codename = %s AND t.app_label = %s AND t.model = %s
"""


def granted_ids(user: Any, permission: str, model: Any) -> RawSQL:
    """The ids of `model` on which `user` holds `permission` (`app.codename`) by a grant of their own or of a group.

    For `pk__in`. Global permissions and superuser rights do not count: a grant is about one object. Written in
    SQL because every page and every live stream asks it, several times over: django-guardian's own queryset
    took a third of the time of a click.
    """
    app, _, codename = permission.partition(".")
    query = _GRANTED.format(
        own=_table_of(model, UserObjectPermissionBase), shared=_table_of(model, GroupObjectPermissionBase)
    )
    asked = [user.pk, codename, app, model._meta.model_name]
    return RawSQL(query, [*asked, *asked])  # noqa: S611  (table names are our own, values are parameters)


@cache
def _table_of(model: Any, kind: type) -> str:
    """The table with the grants of that kind on `model`."""
    grants = (relation.related_model for relation in model._meta.related_objects)
    return str(next(grant for grant in grants if issubclass(grant, kind))._meta.db_table)
