"""Status moves by compare-and-set against a table of legal moves.

Each status field has one `Machine`, owned by the one module that may move it. Losing a race is an
ordinary answer (False); asking for a move that the table does not have is an error in the caller.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model

M = TypeVar("M", bound=Model)


class IllegalMove(Exception):
    """The thing stands where this move cannot start; the message says so to a person."""


class Machine:
    """The legal moves of one status field: {from: {to, …}}."""

    def __init__(self, moves: Mapping[str, set[str]], *, field: str = "status") -> None:
        self.moves = moves
        self.field = field

    def sources(self, to: str) -> list[str]:
        """The states from which `to` may be reached."""
        return [state for state, targets in self.moves.items() if to in targets]

    def move(self, thing: M, *, to: str, only_from: set[str] | None = None, **values: Any) -> bool:
        """Move `thing` and write `values` in the same UPDATE; False when its row is elsewhere by now.

        `values` may hold field values or expressions. On success the instance carries the new
        state and the database's values.
        """
        legal = [s for s in self.sources(to) if only_from is None or s in only_from]
        if not legal:
            raise ValueError(f"No legal move leads to {to!r}.")
        changed = (
            type(thing)
            ._default_manager.filter(pk=thing.pk, **{f"{self.field}__in": legal})
            .update(**{self.field: to}, **values)
        )
        if changed:
            thing.refresh_from_db(fields=[self.field, *values])
        return bool(changed)

    def require(self, thing: M, *, to: str, **values: Any) -> None:
        """`move`, but a thing that cannot move is an error with a sentence."""
        if not self.move(thing, to=to, **values):
            thing.refresh_from_db(fields=[self.field])
            state = getattr(thing, self.field)
            raise IllegalMove(f"It is {state.replace('_', ' ')} by now, so it cannot become {to.replace('_', ' ')}.")
