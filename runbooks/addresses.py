"""Where the pages of a walk are: below its incident, or, for a procedure, below itself."""

from django.urls import reverse

from runbooks.models import Execution


def of_walk(execution: Execution, view: str, **where: int | str) -> str:
    """The address of `view` of a walk; `where` names the step and the command, or a request."""
    named = {**where, "execution": execution.pk}
    return reverse(view, kwargs=named if execution.incident_id is None else {**named, "number": execution.incident_id})


def of_run(execution: Execution, view: str, run: int) -> str:
    """The address of `view` of one attempt of a command."""
    if execution.incident_id is None:
        return reverse(view, kwargs={"execution": execution.pk, "run": run})
    return reverse(view, kwargs={"number": execution.incident_id, "run": run})


def of_room(execution: Execution) -> str:
    """The page around the walk."""
    if execution.is_rehearsal:
        return reverse("rehearsal", args=[execution.pk])
    if execution.incident_id is None:
        return reverse("procedure", args=[execution.pk])
    return reverse("room", args=[execution.incident_id])
