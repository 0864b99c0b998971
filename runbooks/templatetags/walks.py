"""Addresses inside a walk, for templates that serve incidents and procedures alike."""

from django import template

from runbooks import addresses
from runbooks.models import Execution

register = template.Library()


@register.simple_tag
def walk_url(execution: Execution, view: str, position: int | None = None, command: int | None = None) -> str:
    """The address of a view of the walk, of one of its steps, or of a command of that step."""
    where = {"position": position, "command": command}
    return addresses.of_walk(execution, view, **{name: at for name, at in where.items() if at is not None})


@register.simple_tag
def walk_refer(execution: Execution, position: int, slug: str) -> str:
    """The address that starts a runbook which a step of the walk refers to."""
    return addresses.of_walk(execution, "step_refer", position=position, slug=slug)


@register.simple_tag
def run_url(execution: Execution, view: str, run: int) -> str:
    """The address of a view of one attempt."""
    return addresses.of_run(execution, view, run)


@register.filter
def at_step(onlookers: dict[int, list[str]], position: int) -> list[str]:
    """Who looks at the step."""
    return onlookers.get(position, [])


@register.simple_tag
def baton_url(execution: Execution, asked: int) -> str:
    """Where a request for the baton is answered."""
    return addresses.of_walk(execution, "walk_baton", asked=asked)


@register.simple_tag
def room_url(execution: Execution) -> str:
    """The page around the walk."""
    return addresses.of_room(execution)
