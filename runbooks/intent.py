"""What is about to run, derived from the immutable version: script, values, queue, and the digest that binds them.

Asked for, approved, inserted and started: each time it is derived anew, and whatever differs is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks import targets
from incidents.models import Environment
from runbooks import by_hand, executions, needed, secret_values, targeted, units, variables
from runbooks.choices import Risk
from runbooks.executors import executors
from runbooks.models import StepRun
from runbooks.parameters import Bound, MissingValues, Unbindable, bind, leads_elsewhere, validate
from runbooks.refusals import Refused
from runbooks.touched import Touched
from runbooks.touched import of as touched_by


@dataclass(frozen=True)
class Intent:
    """One command with its values in its place; `digest` is SHA-256 over all that decides what it does."""

    compiled: dict[str, Any]
    bound: Bound
    values: dict[str, str]
    given: variables.Variables
    queue: str
    waits: bool
    digest: str

    @property
    def touched(self) -> Touched:
        return touched_by(self.compiled, self.values)


def of(*, step_run: StepRun, command: int, values: Mapping[str, str] | None = None, waits: bool = False) -> Intent:
    """The command as it would run now. Without `values` those of the execution count; Refused with a sentence."""
    execution = step_run.execution
    compiled = command_of(step_run, command)
    wanted = secret_values.restored(execution.values if values is None else values, execution.values)
    given = variables.of(execution.environment)
    bound, used = _bind(compiled, wanted, given)
    queue = queue_of(execution.environment)
    body = [
        execution.version.sha256,
        step_run.phase,
        step_run.step,
        command,
        bound.script,
        dict(used),
        execution.environment.name,
        queue,
        *(["until it holds"] if waits else []),
        *_surroundings(step_run, compiled["risk"]),
    ]
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return Intent(compiled, bound, used, given, queue, waits, digest)


def queue_of(environment: Environment) -> str:
    """The queue that workers which can reach `environment` listen to."""
    return f"env.{environment.name}"


def command_of(step_run: StepRun, command: int) -> dict[str, Any]:
    """The compiled command as it is run."""
    commands = executions.commands_of(step_run)
    if not 0 <= command < len(commands):
        raise Refused("This step has no such command.")
    return units.as_run(step_run.execution.version.compiled, commands[command])


def asked(compiled: Mapping[str, Any], provided: set[str]) -> list[dict[str, Any]]:
    """The parameters that a person has to fill: all but those that the environment gives."""
    return [p for p in compiled["parameters"] if not (p["notation"] == "env" and p["name"] in provided)]


def require_runnable(meant: Intent) -> None:
    """Refuse what nothing here can run: its kind, its target, its worker, its programs."""
    compiled, given, queue = meant.compiled, meant.given, meant.queue
    if executors.get(compiled["kind"]) is None:
        raise Refused(f"{by_hand.why(compiled, runnable=False)} Nothing was started.", code="risk")
    if missing := targeted.lacking(compiled, given.places, given.values):
        raise Refused(missing, code="risk")
    if not (there := needed.told_there(queue)):
        raise Refused(
            f"No worker serves {queue}, so nothing was started. Start one with `manage.py worker --queues {queue}`.",
            code="worker",
        )
    if lacking := needed.lacking(compiled, needed.together(there), given.folder):
        raise Refused(lacking, code="worker")


def _surroundings(step_run: StepRun, risk: str) -> list[Any]:
    """What else decides the effect of a command that changes something: whose walk it is, and what it will find.

    Read from rows, so that every process finds the same; credentials may rotate. What destroys is bound to the
    newest text, too: whoever approved may not have seen why it was changed.
    """
    if risk == Risk.READ:
        return []
    execution = step_run.execution
    place = execution.environment
    reached = [
        [target.name, target.kind, target.address, target.setting, target.carries_shell]
        for target in targets.enabled_in(place)
    ]
    newest = [execution.version.runbook.current_id] if risk == Risk.DESTROY else []
    around = [place.folder] if place.folder else []
    return [execution.pk, execution.incident_id, place.is_production, place.variables, reached, newest, *around]


def _bind(
    compiled: dict[str, Any], values: Mapping[str, str], given: variables.Variables
) -> tuple[Bound, dict[str, str]]:
    wanted = asked(compiled, set(given.values))
    values = secret_values.opened(values)
    used = {p["name"]: str(values[p["name"]]) for p in wanted if values.get(p["name"])}
    for parameter in wanted:
        if parameter["name"] in used and (fault := validate(parameter, used[parameter["name"]])):  # type: ignore[arg-type]
            raise Refused(f"{parameter['name']}: {fault}", code="parameters", names=(parameter["name"],))
    if secret_values.referred(used) and (name := leads_elsewhere(compiled["text"], wanted, used)):
        raise Refused(
            f"{name} says where the command goes, so no secret of the environment is sent there: type the secret.",
            code="parameters",
            names=(name,),
        )
    real = secret_values.looked_up(used, given.secrets)
    try:
        return bind({**compiled, "parameters": wanted}, real), used  # type: ignore[typeddict-item]
    except MissingValues as missing:
        names = tuple(missing.names)
        raise Refused(f"Fill in {', '.join(names)} first.", code="parameters", names=names) from missing
    except Unbindable as error:
        raise Refused(str(error), code="risk") from error
