"""What other layers put into the incident room: panels, in the order of their registration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from erpops.registry import Registry
from incidents.models import Incident


@dataclass(frozen=True)
class Panel:
    """A part of the room. `place` is `main` (the work) or `context` (the drawer beside it).

    `template` is rendered with what `context(request, incident)` returns, plus `incident`.
    """

    place: str
    label: str
    template: str
    context: Callable[[HttpRequest, Incident], dict[str, Any]]


panels: Registry[Panel] = Registry("room panel")
# What other layers call a place of the room (`run/3/step/7`); nothing for one that is not theirs.
places: Registry[Callable[[str], str]] = Registry("room place")
