"""Each state has one writer, each save names its fields, and time has one source."""

import ast
from pathlib import Path

from tests.rules.tree import Module, calls, modules, planted

# Who may create, update or delete rows of a model. A prefix ends with a dot.
WRITERS: dict[str, tuple[str, ...]] = {
    "AuditEntry": ("erpops.audit",),
    "ProcessBeat": ("erpops.beats",),
    "Environment": ("incidents.environments", "incidents.bootstrap"),
    "TimelineEvent": ("incidents.timeline",),
    "Incident": ("incidents.lifecycle", "incidents.timeline", "incidents.status"),
    "Handover": ("incidents.handover",),
    "IncidentRole": ("incidents.lifecycle",),
    "Delivery": ("incidents.intake",),
    "Alert": ("incidents.intake",),
    "Source": ("incidents.sources", "incidents.intake"),
    "Escalation": ("incidents.escalation",),
    "Message": ("incidents.notify", "incidents.outbox"),
    "Contact": ("incidents.policy",),
    "ContactMethod": ("incidents.policy", "incidents.outbox"),
    "EscalationPolicy": ("incidents.policy",),
    "SeverityRule": ("incidents.policy",),
    "Rung": ("incidents.policy",),
    "StatusUpdate": ("incidents.status",),
    "Picture": ("incidents.pictures",),
    "PostMortem": ("incidents.postmortem",),
    "FollowUp": ("incidents.postmortem",),
    "Result": ("checks.verdicts", "checks.retention"),
    "Runbook": ("runbooks.library",),
    "Version": ("runbooks.library",),
    "Import": ("runbooks.importing",),
    "ImportFile": ("runbooks.importing",),
    "ImportedItem": ("runbooks.importing",),
    "ErrorCode": ("runbooks.importing",),
    "Match": ("runbooks.matching",),
    "Execution": ("runbooks.executions", "runbooks.starts", "runbooks.acts", "runbooks.journal"),
    "BatonRequest": ("runbooks.baton",),
    "JournalEntry": ("runbooks.journal",),
    "Approval": ("runbooks.approvals",),
    "StepRun": ("runbooks.executions", "runbooks.starts", "runbooks.acts", "runbooks.decisions", "runbooks.observing"),
    "Rehearsal": ("runbooks.rehearsal",),
    "RehearsalResult": ("runbooks.rehearsal",),
    "RehearsalPlan": ("runbooks.plans",),
    "Decision": ("runbooks.decisions",),
    "Wait": ("runbooks.waits", "runbooks.clocks"),
    "PhaseClock": ("runbooks.budgets", "runbooks.clocks"),
    "CommandRun": (
        "runbooks.runner",
        "runbooks.supervisor",
        "runbooks.reaper",
        "runbooks.tasks",
        "runbooks.settling",
    ),
    "OutputChunk": ("runbooks.supervisor", "runbooks.output", "runbooks.spool", "runbooks.chunks"),
}
WRITES = {
    "create",
    "bulk_create",
    "bulk_update",
    "update",
    "delete",
    "get_or_create",
    "update_or_create",
}
STATES = {"status", "state", "verdict"}
TIME_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("time", "time"),
    ("timezone", "now"),
    ("date", "today"),
}


def _root_model(node: ast.expr) -> str | None:
    """`Model` of a chain that begins with `Model.objects` or `Model._default_manager`."""
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            if node.attr in {"objects", "_default_manager"} and isinstance(node.value, ast.Name):
                return node.value.id
            node = node.value
        else:
            return None


def foreign_writes(found: list[Module]) -> list[str]:
    """Writes to a model's rows from a module that does not own them."""
    wrong = []
    for module in found:
        for call in calls(module):
            if not isinstance(call.func, ast.Attribute) or call.func.attr not in WRITES:
                continue
            model = _root_model(call.func.value)
            owners = WRITERS.get(model or "")
            if owners and not any(module.name == owner or module.name.startswith(owner + ".") for owner in owners):
                wrong.append(f"{module.path}:{call.lineno} writes {model}")
    return wrong


def assigned_states(found: list[Module]) -> list[str]:
    """`thing.status = …` outside of a class of its own: states move by compare-and-set."""
    wrong = []
    for module in found:
        for node in module.nodes:
            if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                own = (
                    isinstance(target, ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id == "self"
                )
                if isinstance(target, ast.Attribute) and target.attr in STATES and not own:
                    wrong.append(f"{module.path}:{node.lineno} assigns .{target.attr}")
    return wrong


def whole_saves(found: list[Module]) -> list[str]:
    """`save()` that writes columns it does not name (a new row is created, not saved)."""
    wrong = []
    for module in found:
        for call in calls(module):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "save":
                named = {keyword.arg for keyword in call.keywords}
                receiver = call.func.value
                is_form = isinstance(receiver, ast.Name) and "form" in receiver.id
                is_super = isinstance(receiver, ast.Call) and getattr(receiver.func, "id", "") == "super"
                if not named & {"update_fields", "force_insert"} and not is_super and not is_form:
                    wrong.append(f"{module.path}:{call.lineno}")
    return wrong


# Runs in a pipeline that has no database; it reads the day to tell which reviews are over.
WITHOUT_DATABASE = {"runbooks/management/commands/lint_runbooks.py"}


def other_clocks(found: list[Module]) -> list[str]:
    """The time of this machine where the database's counts."""
    wrong = []
    for module in found:
        if str(module.path) in WITHOUT_DATABASE:
            continue
        for call in calls(module):
            function = call.func
            if isinstance(function, ast.Attribute):
                owner = function.value
                name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                if (name, function.attr) in TIME_CALLS:
                    wrong.append(f"{module.path}:{call.lineno} calls {name}.{function.attr}")
    return wrong


def managers_in_views(found: list[Module]) -> list[str]:
    """Views that reach rows past the scoped querysets."""
    wrong = []
    for module in found:
        if ".views." in module.name:
            for node in module.nodes:
                if isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager"}:
                    wrong.append(f"{module.path}:{node.lineno}")
    return wrong


def test_rows_are_written_by_their_one_writer() -> None:
    assert foreign_writes(modules()) == []


def test_a_foreign_write_is_seen(tmp_path: Path) -> None:
    text = "def f(i):\n    Incident.objects.filter(pk=i).update(status='resolved')\n"
    assert foreign_writes(planted(tmp_path, "checks/bad.py", text)) == ["checks/bad.py:2 writes Incident"]


def test_states_are_not_assigned() -> None:
    assert assigned_states(modules()) == []


def test_an_assigned_state_is_seen(tmp_path: Path) -> None:
    found = planted(tmp_path, "checks/bad.py", "def f(run):\n    run.status = 'failed'\n")
    assert assigned_states(found) == ["checks/bad.py:2 assigns .status"]


def test_every_save_names_its_fields() -> None:
    assert whole_saves(modules()) == []


def test_a_whole_save_is_seen(tmp_path: Path) -> None:
    assert whole_saves(planted(tmp_path, "checks/bad.py", "def f(x):\n    x.save()\n")) == ["checks/bad.py:2"]


def test_time_comes_from_the_database() -> None:
    assert other_clocks(modules()) == []


def test_another_clock_is_seen(tmp_path: Path) -> None:
    found = planted(tmp_path, "checks/bad.py", "from datetime import datetime\nx = datetime.now()\n")
    assert other_clocks(found) == ["checks/bad.py:2 calls datetime.now"]


def test_views_reach_objects_through_access_only() -> None:
    assert managers_in_views(modules()) == []


def test_a_manager_in_a_view_is_seen(tmp_path: Path) -> None:
    found = planted(tmp_path, "checks/views/bad.py", "def v(r):\n    return Check.objects.get(pk=1)\n")
    assert managers_in_views(found) == ["checks/views/bad.py:2"]
