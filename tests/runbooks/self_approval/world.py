"""An open question about what destroys, and hands that write past every function of ours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from incidents.models import Incident
from runbooks import approvals, executions, gate
from runbooks.models import Approval, CommandRun, Execution
from tests.clock import Clock, in_this_transaction
from tests.runbooks.builders import Walk, command, compiled, person, phase, step, walk_of

GIVEN = gate.Confirmation(yes=True, reason="beyond repair", target="erpgo-api")
DESTROYS = [command("docker rm -f erpgo-api", "destroy"), command("docker rm -f erpgo-api # again", "destroy")]


@dataclass
class World:
    """An operator's question about what Ada wrote and Pia published; Lena and Lars are the leads."""

    place: Walk
    asked: Approval
    lena: User
    lars: User
    clock: Clock

    def as_it_is(self) -> "World":
        """Read anew, so that no path sees what another had in memory."""
        execution = Execution.objects.get(pk=self.place.execution.pk)
        user, lena, lars = (User.objects.get(pk=each.pk) for each in (self.place.user, self.lena, self.lars))
        place = Walk(execution, user, Incident.objects.get(pk=self.place.incident.pk))
        return World(place, Approval.objects.get(pk=self.asked.pk), lena, lars, self.clock)

    def write(self, how: str = "orm", **values: Any) -> None:
        """Change the approval past every function of ours: by the ORM, or by SQL alone."""
        rows = Approval.objects.filter(pk=self.asked.pk)
        if how == "orm":
            rows.update(**values)
            return
        columns = {name + "_id" * (name.endswith("_by")): value for name, value in values.items()}
        given = [value.pk if isinstance(value, User) else value for value in columns.values()]
        names = ", ".join(f"{name} = %s" for name in columns)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE runbooks_approval SET {names} WHERE id = %s", [*given, self.asked.pk])

    def approve(self, by: User | None, how: str = "orm", way: str = "second", comment: str = "fine") -> None:
        self.write(how, status="approved", way=way, decided_by=by, comment=comment)

    def use(self) -> None:
        self.write(status="used")

    def insert_run(self, **other: Any) -> None:
        """A run as it would be inserted, with whatever differs."""
        asked = self.asked
        base = {"step_run": asked.step_run, "command": asked.command, "kind": "shell", "text": asked.text}
        rest = {"script": "true", "risk": "destroy", "digest": asked.digest, "queue": "env.test"}
        whose = {"requested_by": asked.requested_by, "queued_at": asked.asked_at, "approval": asked}
        CommandRun.objects.create(**{**base, **rest, **whose, **other})

    def asks_again(self, by: User) -> None:
        """The question, asked by `by`, who took over for it."""
        executions.take_over(execution=self.place.execution, by=by)
        self.asked = approvals.ask(step_run=self.place.step(), command=0, by=by, given=GIVEN)


def made() -> World:
    """The question of an operator, in the transaction of a test."""
    runbook = compiled("Wipe", phase("resolution", step("Wipe", *DESTROYS), step("Other", command("true"))))
    place = walk_of(runbook, production=True)
    lena, lars = person("lena", "lead"), person("lars", "lead")
    ada, pia = person("ada", "admin", "lead"), person("pia", "admin", "lead")
    version = place.execution.version
    version.created_by, version.reviewed_by = ada, pia
    version.save(update_fields=["created_by", "reviewed_by"])
    for user in (lena, lars, ada, pia, place.user):
        User.objects.filter(pk=user.pk).update(email=f"{user.username}@example.test")
    clock = in_this_transaction()
    asked = approvals.ask(step_run=place.step(), command=0, by=place.user, given=GIVEN)
    return World(place, asked, lena, lars, clock)


Path = Callable[[World], Iterator[None]]


class Paths(dict[str, Path]):
    """Ways by their names. What comes before the `yield` of each is legal and prepares, what comes after is refused."""

    def add(self, make: Path) -> Path:
        self[make.__name__] = make
        return make
