"""Who looks at which step of a walk, from what their live streams say."""

import re

from django.contrib.auth.models import User

from erpops import presence
from incidents.queries import name_of
from runbooks.models import Execution

_STEP = re.compile(r"(?:run/(\d+)/)?step/(\d+)")


def place_of(execution: Execution, position: int) -> str:
    """The place of somebody who looks at a step, on the page of its incident or procedure."""
    step = f"step/{position}"
    return step if execution.incident_id is None else f"run/{execution.pk}/{step}"


def in_words(place: str) -> str:
    """What such a place is called; nothing for another one."""
    found = _STEP.fullmatch(place)
    return f"step {int(found[2]) + 1}" if found else ""


def of(execution: Execution, user: User) -> dict[int, list[str]]:
    """Names of the others by the position of the step that they look at."""
    topic = execution.topic.partition("@")[0]
    walked = None if execution.incident_id is None else str(execution.pk)
    places = {
        (entry.user_id, int(found[2]))
        for entry in presence.who(topic)
        if (found := _STEP.fullmatch(entry.place)) and found[1] == walked and entry.user_id != user.pk
    }
    people = User.objects.in_bulk({user_id for user_id, _ in places}) if places else {}
    marks: dict[int, list[str]] = {}
    for user_id, position in sorted(places):
        if user_id in people:
            marks.setdefault(position, []).append(name_of(people[user_id]))
    return marks
