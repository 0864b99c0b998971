"""Several people at one opened walk: who has the baton and may act, who asks for it, who else looks at it."""

from functools import cached_property

from django.contrib.auth.models import User

from incidents.access import may_operate
from runbooks import acts, baton, onlookers
from runbooks.choices import ExecutionStatus
from runbooks.models import Execution


class Together:
    """The part of an opened walk that depends on who else is there."""

    user: User
    execution: Execution
    position: int

    @property
    def active(self) -> bool:
        return self.execution.status == ExecutionStatus.ACTIVE

    @property
    def holds(self) -> bool:
        return self.execution.holder_id == self.user.pk

    @cached_property
    def operator(self) -> bool:
        return may_operate(self.user, self.execution.environment)

    @property
    def may_act(self) -> bool:
        return self.active and self.holds and self.operator

    @property
    def closed(self) -> str:
        """Why nobody runs commands here now, though its steps may still be dealt with."""
        return acts.closed(self.execution)

    @property
    def why_not(self) -> str:
        """Why this person cannot act now, as the tooltip of each button says it."""
        if not self.active:
            return "This runbook is finished."
        if not self.operator:
            return f"You may read here, but not run commands on {self.execution.environment.label}."
        if not self.holds:
            return f"{self.holder_name} works this runbook. Take over to act."
        return ""

    @property
    def holder_name(self) -> str:
        holder = self.execution.holder
        return (holder.get_full_name() or holder.get_username()) if holder else "Nobody"

    @property
    def place(self) -> str:
        """Where this person is, for others who look at the same incident or procedure."""
        return onlookers.place_of(self.execution, self.position)

    @cached_property
    def onlookers(self) -> dict[int, list[str]]:
        """Who else looks at which step."""
        return onlookers.of(self.execution, self.user)

    @cached_property
    def baton(self) -> baton.Standing:
        """Who has the baton, and who asks for it."""
        return baton.standing(self.execution, self.user)
