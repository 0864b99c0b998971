"""Which runbooks, executions and runs a person reaches. Views use these querysets and getters only."""

from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import Http404

from erpops import access
from incidents.access import hidden_environments, visible_incidents
from runbooks.models import Approval, CommandRun, Execution, Import, ImportedItem, ImportFile, Runbook, StepRun, Version

M = TypeVar("M", bound=Model)
_GONE = "There is no such {what}, or it is not yours to see."


def visible_runbooks(user: Any) -> QuerySet[Runbook]:
    """The library: all staff read it."""
    if not access.can(user, "see_console"):
        return Runbook.objects.none()
    return Runbook.objects.filter(archived=False)


def visible_executions(user: Any) -> QuerySet[Execution]:
    """Executions for incidents that the person sees; without an incident, the environment decides."""
    if not access.can(user, "see_console"):
        return Execution.objects.none()
    hidden = hidden_environments(user)
    if not hidden:
        return Execution.objects.all()
    alone = Q(incident=None) & ~Q(environment__in=hidden)
    return Execution.objects.filter(Q(incident__in=visible_incidents(user)) | alone)


def in_visible_executions(user: Any, rows: QuerySet[M], path: str) -> QuerySet[M]:
    """Those of `rows` whose execution, found by `path`, the person sees; each of them has one."""
    if not access.can(user, "see_console"):
        return rows.none()
    return rows.filter(**{f"{path}__in": visible_executions(user)}) if hidden_environments(user) else rows


def visible_runs(user: Any) -> QuerySet[CommandRun]:
    """The attempts inside visible executions."""
    return in_visible_executions(user, CommandRun.objects.all(), "step_run__execution")


def get_runbook_for(user: Any, slug: str) -> Runbook:
    """The runbook, or 404 as if it did not exist."""
    found = visible_runbooks(user).select_related("current").filter(slug=slug).first()
    if found is None:
        raise Http404(_GONE.format(what="runbook"))
    return found


def get_version_for(user: Any, slug: str, number: int) -> Version:
    """One version of a runbook that the person reads, or 404. What was walked stays readable when it is archived."""
    versions = Version.objects.all() if access.can(user, "see_console") else Version.objects.none()
    found = versions.select_related("runbook").filter(runbook__slug=slug, number=number).first()
    if found is None:
        raise Http404(_GONE.format(what="version"))
    return found


def get_execution_for(user: Any, execution_id: int) -> Execution:
    """The execution with its version, environment and holder, or 404."""
    related = (
        "version__runbook",
        "environment",
        "incident__environment",
        "incident__service",
        "holder",
        "parent__execution",
    )
    # A walk goes by what was compiled: the text and its findings may be long.
    rows = visible_executions(user).select_related(*related).defer("version__text", "version__findings")
    found = rows.filter(pk=execution_id).first()
    if found is None:
        raise Http404(_GONE.format(what="execution"))
    return found


def get_step_for(user: Any, execution_id: int, position: int) -> StepRun:
    """One step of an execution, or 404."""
    steps = in_visible_executions(user, StepRun.objects.all(), "execution")
    related = ("execution__version__runbook", "execution__environment", "execution__incident", "execution__holder")
    found = steps.select_related(*related).filter(execution_id=execution_id, position=position).first()
    if found is None:
        raise Http404(_GONE.format(what="step"))
    return found


def get_run_for(user: Any, run_id: int) -> CommandRun:
    """One attempt of a command, or 404."""
    related = ("step_run__execution__version__runbook", "step_run__execution__environment", "requested_by")
    found = (
        visible_runs(user)
        .select_related(*related, "step_run__execution__incident", "step_run__execution__holder")
        .filter(pk=run_id)
        .first()
    )
    if found is None:
        raise Http404(_GONE.format(what="run"))
    return found


def get_approval_for(user: Any, number: int) -> Approval:
    """The approval with its walk, or 404."""
    related = (
        "step_run__execution__version__runbook",
        "step_run__execution__environment",
        "requested_by",
        "decided_by",
    )
    found = (
        in_visible_executions(user, Approval.objects.all(), "step_run__execution")
        .select_related(*related, "step_run__execution__incident__environment", "step_run__execution__holder")
        .filter(pk=number)
        .first()
    )
    if found is None:
        raise Http404(_GONE.format(what="approval"))
    return found


def visible_imports(user: Any) -> QuerySet[Import]:
    """Imports: those who publish runbooks bring them in together."""
    return Import.objects.all() if access.can(user, "publish_runbooks") else Import.objects.none()


def visible_items(user: Any) -> QuerySet[ImportedItem]:
    """What documents brought along beside runbooks: all staff read it."""
    return ImportedItem.objects.all() if access.can(user, "see_console") else ImportedItem.objects.none()


def get_import_for(user: Any, number: int) -> Import:
    """The import, or 404."""
    found = visible_imports(user).filter(pk=number).first()
    if found is None:
        raise Http404(_GONE.format(what="import"))
    return found


def get_import_file_for(user: Any, number: int, file: int) -> ImportFile:
    """One document of an import, or 404."""
    found = ImportFile.objects.select_related("batch").filter(batch__in=visible_imports(user), batch=number, pk=file)
    if (one := found.first()) is None:
        raise Http404(_GONE.format(what="document"))
    return one


def get_item_for(user: Any, number: int) -> ImportedItem:
    """One thing that a document brought along, or 404."""
    found = visible_items(user).filter(pk=number).first()
    if found is None:
        raise Http404(_GONE.format(what="item"))
    return found
