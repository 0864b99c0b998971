"""Executions that no published runbook is walked in: rehearsals, and looking at something without a runbook."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from erpops.clock import Now
from incidents.access import may_operate
from incidents.models import Environment, Incident
from runbooks.acts import E, begin, tell
from runbooks.choices import ExecutionPurpose
from runbooks.executions import EXECUTION
from runbooks.models import Execution, Version
from runbooks.refusals import Refused


def start_looking(*, version: Version, incident: Incident, line: str, by: User) -> Execution:
    """Begin to look at something without a runbook; one that goes on for the same line is answered as it is.

    Part of the transaction that has made `version`.
    """
    _require_operator(incident.environment, by)
    if found := Execution.objects.filter(incident=incident, version=version, status=E.ACTIVE).first():
        return found
    execution = begin(version, incident.environment, by, incident=incident, holder=by)
    tell(execution, "execution.started", f"looks without a runbook: `{line[:200]}`", by, version=version.number)
    return execution


def start_rehearsal(*, version: Version, environment: Environment, values: Mapping[str, Any], by: User) -> Execution:
    """Begin to try what `version` reads in `environment`, in the name of `by` and with what they may do there.

    Nobody holds it, so nobody acts in it by hand. Part of the caller's transaction.
    """
    _require_operator(environment, by)
    execution = begin(version, environment, by, purpose=ExecutionPurpose.REHEARSAL, values=dict(values))
    said = f"started a rehearsal of version {version.number} of {version.runbook.title}"
    tell(execution, "rehearsal.started", said, by, runbook=version.runbook.slug, version=version.number)
    return execution


def end_rehearsal(*, execution: Execution, stopped: bool, counts: Mapping[str, int]) -> None:
    """Write the end of a rehearsal with how many commands ended how. Part of the caller's transaction."""
    if EXECUTION.move(execution, to=E.ABANDONED if stopped else E.COMPLETED, ended_at=Now()):
        told = ", ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in counts.items() if number)
        said = f"The rehearsal {'was stopped' if stopped else 'is over'}: {told}"
        data: dict[str, Any] = dict(counts)
        tell(execution, "rehearsal.ended", said, None, **data)


def require_rehearsing(execution: Execution, by: User) -> None:
    """Refuse unless the rehearsal goes on and `by` may (still) act in its environment."""
    execution.refresh_from_db(fields=["status"])
    if not execution.is_rehearsal or execution.status != E.ACTIVE:
        raise Refused("This rehearsal is over; start another one.")
    # Read anew: what is kept on the object of a person may be older than their rights.
    _require_operator(execution.environment, User.objects.get(pk=by.pk))


def _require_operator(environment: Environment, by: User) -> None:
    if not may_operate(by, environment):
        raise Refused(f"Running commands in {environment.label} is not among your permissions.", code="permission")
