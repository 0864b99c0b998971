"""Who looks at an incident right now, as the head of its room shows it."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from erpops import presence
from incidents.models import Incident
from incidents.queries import name_of
from incidents.room import places


@dataclass(frozen=True)
class Onlooker:
    """A person and where in the room they are, in words."""

    user_id: int
    name: str
    where: str


def company(incident: Incident) -> list[Onlooker]:
    """Everybody whose page is open there, by name; nobody if that is not known."""
    entries = presence.who(f"incident:{incident.pk}")
    people = User.objects.in_bulk({entry.user_id for entry in entries}) if entries else {}
    where: dict[int, set[str]] = {user_id: set() for user_id in people}
    for entry in entries:
        if entry.user_id in where:
            where[entry.user_id].add(_in_words(entry.place))
    found = [Onlooker(pk, name_of(user), ", ".join(sorted(filter(None, where[pk])))) for pk, user in people.items()]
    return sorted(found, key=lambda onlooker: onlooker.name)


def _in_words(place: str) -> str:
    return next((word for says in places.values() if (word := says(place))), "")
