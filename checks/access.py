"""Which checks and targets a person reaches: those of the environments that the person sees."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from checks.models import Check, Target
from incidents.access import in_visible_environments


def visible_checks(user: Any) -> QuerySet[Check]:
    """The checks that `user` may see, with target, service and environment at hand."""
    found = in_visible_environments(user, Check.objects.all(), "target__environment")
    return found.select_related("target__service", "target__environment")


def visible_targets(user: Any) -> QuerySet[Target]:
    """The targets that `user` may see."""
    return in_visible_environments(user, Target.objects.all()).select_related("service", "environment")


def get_check_for(user: Any, name: str) -> Check:
    """The check, or 404 as if it did not exist."""
    check = visible_checks(user).filter(name=name).first()
    if check is None:
        raise Http404("There is no such check, or it is not yours to see.")
    return check


def get_target_for(user: Any, name: str) -> Target:
    """The target, or 404 as if it did not exist."""
    target = visible_targets(user).filter(name=name).first()
    if target is None:
        raise Http404("There is no such target, or it is not yours to see.")
    return target
