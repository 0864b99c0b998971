"""What a person can begin with the same click that acknowledges: the layers above say what there is."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.contrib.auth.models import User

from erpops.registry import Registry
from incidents.models import Incident


@dataclass(frozen=True)
class Beginning:
    """Something to begin: what it is called, and the address that acknowledges and begins it by one POST."""

    title: str
    url: str


beginnings: Registry[Callable[[User, Collection[Incident]], dict[int, Beginning]]] = Registry("beginning")


def beginnings_for(user: User, incidents: Collection[Incident]) -> dict[int, Beginning]:
    """The one thing that `user` would begin for each incident, where there is exactly one."""
    waiting = [incident for incident in incidents if incident.is_open and incident.acknowledged_at is None]
    found: dict[int, Beginning] = {}
    for provider in beginnings.values() if waiting else ():
        found |= provider(user, waiting)
    return found
