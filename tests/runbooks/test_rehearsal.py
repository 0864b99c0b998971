"""Rehearsals prove that what reads still works, and start nothing else."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from guardian.shortcuts import assign_perm

from erpops import beats
from erpops.models import AuditEntry
from incidents.models import Environment
from runbooks import executions, plans, rehearsal, rehearsed, runner, standing, tasks
from runbooks.models import CommandRun, Execution, Rehearsal, RehearsalPlan, RehearsalResult, Runbook
from runbooks.refusals import Refused
from tests.clock import Clock
from tests.runbooks.builders import command, compiled, effect, effects, person, phase, publish, step, walk_of
from tests.runbooks.running import run_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place() -> Environment:
    beats.beat(role="worker", queues=["env.test"])
    return Environment.objects.create(name="test", label="Test")


@pytest.fixture
def op(place: Environment) -> User:
    return person("op", "operator")


def shelved(*commands: dict[str, Any]) -> Runbook:
    return publish(compiled("Test", phase("diagnosis", step("Look", *commands))))[0]


def carry_out() -> None:
    """Engine and worker, until no rehearsal goes on."""
    for _ in range(200):
        if not Rehearsal.objects.exclude(due_at=None).exists():
            return
        Rehearsal.objects.exclude(due_at=None).update(due_at="2020-01-01T00:00Z")
        rehearsal.tick()
        for run in CommandRun.objects.filter(status="queued"):
            tasks.run_command(run.pk)
    raise AssertionError("the rehearsal came to no end")


def verdicts(found: Rehearsal) -> list[tuple[str, str]]:
    return list(found.results.values_list("verdict", "reason"))


def test_every_command_gets_its_verdict_and_only_what_reads_is_started(
    place: Environment, op: User, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    runbook = shelved(
        command("echo fine"),
        command("echo no >&2; exit 3"),
        command("echo PONG", expected=[{"text": "OK", "assertion": {"op": "contains", "value": "OK"}}]),
        command("cat <file>", parameters=[{"name": "file"}]),
        command("echo <x>", parameters=[{"name": "x", "default": "hello"}]),
        command(effect(ran), "change"),
        command(effect(ran), "disrupt"),
        command(effect(ran), "destroy"),
        command(effect(ran), "blocked"),
        command(effect(ran), flags=["interactive"]),
        command(effect(ran), flags=["secret"]),
        command("SELECT 1", kind="sql"),
    )
    found = rehearsal.start(runbook=runbook, environment=place, by=op)
    carry_out()
    assert verdicts(found) == [
        ("passed", ""),
        ("failed", "It failed with exit status 3: no"),
        ("failed", "It ran, but not as expected: OK is not in the output."),
        ("needs_value", "Nobody has given a value for file here yet."),
        ("passed", ""),
        ("not_read", ""),
        ("not_read", ""),
        ("not_read", ""),
        ("not_here", "It cannot run as it is written."),
        ("not_here", "It asks questions while it runs."),
        ("not_here", "It may print a secret, so it is left to a person."),
        ("not_here", "This environment has no PostgreSQL target, so this cannot run here: an admin can register one."),
    ]
    assert effects(ran) == 0
    assert set(CommandRun.objects.values_list("risk", flat=True)) == {"read"}
    found.execution.refresh_from_db()
    assert found.execution.status == "completed"
    ended = AuditEntry.objects.get(action="rehearsal.ended")
    assert ended.details | {"passed": 2, "failed": 2, "needs_value": 1, "not_here": 4, "not_read": 3} == ended.details
    asked = AuditEntry.objects.filter(action="command.requested")
    assert {entry.actor for entry in asked} == {"op"}


def test_a_value_that_was_given_last_there_is_used_and_a_secret_is_not(place: Environment) -> None:
    walk = walk_of(
        compiled(
            "Test",
            phase(
                "diagnosis",
                step(
                    "Look",
                    command("echo <pod>", parameters=[{"name": "pod"}]),
                    command("echo <api-token>", parameters=[{"name": "api-token"}]),
                ),
            ),
        )
    )
    executions.set_values(execution=walk.execution, values={"pod": "db-1", "api-token": "s3cr3t-value"}, by=walk.user)
    runbook = walk.execution.version.runbook
    found = rehearsal.start(runbook=runbook, environment=place, by=walk.user)
    carry_out()
    assert verdicts(found) == [
        ("passed", "With pod = db-1."),
        ("needs_value", "Nobody has given a value for api-token here yet."),
    ]
    other = Environment.objects.create(name="other", label="Other")
    assert rehearsal.last_values(runbook, other) == {}


def test_all_of_several_options_are_tried_and_nobody_acts_in_a_rehearsal(place: Environment, op: User) -> None:
    one, two = step("A", command("true")) | {"option_group": "g"}, step("B", command("true")) | {"option_group": "g"}
    [runbook] = publish(compiled("Test", phase("resolution", one, two)))
    found = rehearsal.start(runbook=runbook, environment=place, by=op)
    walk = found.execution
    for act in (
        lambda: executions.take_over(execution=walk, by=op),
        lambda: executions.complete(execution=walk, by=op),
        lambda: executions.set_values(execution=walk, values={}, by=op),
        lambda: executions.skip(step_run=walk.steps.get(position=0), reason="x", by=op),
        lambda: runner.request(step_run=walk.steps.get(position=0), command=0, by=op),
    ):
        with pytest.raises(Refused, match="by itself"):
            act()
    carry_out()
    assert [verdict for verdict, _ in verdicts(found)] == ["passed", "passed"]
    assert list(walk.steps.values_list("status", flat=True)) == ["passed", "passed"]


def test_a_procedure_and_a_rehearsal_of_it_go_on_beside_each_other(place: Environment, op: User) -> None:
    runbook = shelved(command("true"))
    procedure = executions.start(runbook=runbook, incident=None, environment=place, by=op)
    first = rehearsal.start(runbook=runbook, environment=place, by=op)
    assert rehearsal.start(runbook=runbook, environment=place, by=op) == first
    assert executions.start(runbook=runbook, incident=None, environment=place, by=op) == procedure
    carry_out()
    assert rehearsal.start(runbook=runbook, environment=place, by=op) != first


def test_a_rehearsal_without_a_fault_verifies_the_runbook_and_one_that_left_something_out_does_not(
    place: Environment, op: User
) -> None:
    whole, partial = shelved(command("true"), command("rm x", "destroy")), None
    [partial] = publish(
        compiled(
            "Other", phase("diagnosis", step("Look", command("true"), command("<x>", parameters=[{"name": "x"}])))
        ),
        path="other.md",
    )
    for runbook in (whole, partial):
        rehearsal.start(runbook=runbook, environment=place, by=op)
    carry_out()
    whole.refresh_from_db()
    partial.refresh_from_db()
    assert whole.verified_at is not None
    assert partial.verified_at is None
    stood = standing.of_runbooks([whole.pk, partial.pk])
    last = stood[partial.pk].rehearsed
    assert last is not None
    assert (last.works, last.failed, last.reads, last.place, last.version) == (1, 0, 2, "Test", 1)
    assert stood[whole.pk].runs == 0, "a rehearsal is no walk"


def test_stopping_ends_it_and_says_what_was_not_tried(place: Environment, op: User) -> None:
    found = rehearsal.start(runbook=shelved(command("sleep 60"), command("true")), environment=place, by=op)
    rehearsal.tick()
    rehearsal.stop(rehearsal=found, by=op)
    carry_out()
    assert [verdict for verdict, _ in verdicts(found)] == ["not_here", "not_here"]
    assert CommandRun.objects.get().status == "stopped"
    found.execution.refresh_from_db()
    assert found.execution.status == "abandoned"


def test_without_anything_that_reads_there_is_nothing_to_rehearse(place: Environment, op: User) -> None:
    with pytest.raises(Refused, match="only reads"):
        rehearsal.start(runbook=shelved(command("rm -r /tmp/x", "destroy")), environment=place, by=op)


def test_a_worker_refuses_whatever_does_not_read_in_a_rehearsal(place: Environment, op: User, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    runbook = shelved(command("true"), command(effect(ran), "change"))
    found = rehearsal.start(runbook=runbook, environment=place, by=op)
    with pytest.raises(Refused, match="only what reads"):
        runner.rehearse(step_run=found.execution.steps.get(), command=1, by=op, values={})
    rehearsal.tick()
    run = CommandRun.objects.get()
    # As somebody who owns the tables would.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE runbooks_commandrun DISABLE TRIGGER USER")
        cursor.execute("UPDATE runbooks_commandrun SET command = 1")
        cursor.execute("ALTER TABLE runbooks_commandrun ENABLE TRIGGER USER")
    tasks.run_command(run.pk)
    run.refresh_from_db()
    assert run.status == "not_started"
    assert effects(ran) == 0


def test_a_plan_starts_rehearsals_when_they_are_due(place: Environment, op: User, clock: Clock) -> None:
    runbook = shelved(command("true"))
    assert plans.tick() == 0, "nothing is rehearsed unless somebody plans it"
    plan = plans.plan(runbook=runbook, environment=place, every_h=24, by=op)
    assert plans.tick() == 1
    carry_out()
    assert plans.tick() == 0
    clock.advance(hours=23)
    assert plans.tick() == 0
    clock.advance(hours=2)
    beats.beat(role="worker", queues=["env.test"])
    assert plans.tick() == 1
    carry_out()
    begun = Rehearsal.objects.filter(plan=plan)
    assert begun.count() == 2
    assert {one.execution.started_by for one in begun} == {op}
    plans.cancel(plan=plan, by=op)
    clock.advance(days=30)
    assert plans.tick() == 0


def test_a_plan_whose_owner_may_not_run_there_any_more_starts_nothing_and_says_why(
    place: Environment, op: User, clock: Clock
) -> None:
    plan = plans.plan(runbook=shelved(command("true")), environment=place, every_h=6, by=op)
    op.groups.clear()
    assert plans.tick() == 1
    plan.refresh_from_db()
    assert "not among your permissions" in plan.refused
    assert not Execution.objects.exists()
    assert plans.tick() == 0


def test_rights_that_end_in_the_middle_end_the_rest(place: Environment, op: User) -> None:
    found = rehearsal.start(runbook=shelved(command("true"), command("true")), environment=place, by=op)
    rehearsal.tick()
    op.is_active = False
    op.save(update_fields=["is_active"])
    carry_out()
    assert [verdict for verdict, _ in verdicts(found)] == ["passed", "not_here"]
    assert CommandRun.objects.count() == 1


ROLES = [("operator",), ("lead",), ("admin",), ("stakeholder",), ("admin", "operator"), ()]
PLACES = ["open", "restricted", "seen", "granted"]


@pytest.mark.parametrize("trigger", ["hand", "plan"])
def test_who_starts_it_never_gets_more_than_their_own_rights(trigger: str, place: Environment, tmp_path: Path) -> None:
    """Six kinds of people, four kinds of environments, two triggers: 48 combinations."""
    ran = tmp_path / "ran"
    runbook = shelved(command("true"), command(effect(ran), "change"), command(effect(ran), "destroy"))
    wrong = []
    for number, (roles, kind) in enumerate(product(ROLES, PLACES)):
        who = person(f"p{number}", *roles)
        where = Environment.objects.create(name=f"e{number}", label=f"E{number}", restricted=kind != "open")
        beats.beat(role="worker", queues=[f"env.e{number}"])
        if kind in {"seen", "granted"}:
            assign_perm("view_environment" if kind == "seen" else "operate_environment", who, where)
        allowed = bool({"operator", "lead"} & set(roles)) and kind in {"open", "granted"}
        try:
            if trigger == "hand":
                rehearsal.start(runbook=runbook, environment=where, by=who)
            else:
                # The plan was made with rights that its owner has lost since.
                RehearsalPlan.objects.create(
                    runbook=runbook, environment=where, owner=who, due_at="2020-01-01T00:00Z", every_h=24
                )
        except Refused:
            assert not allowed
        while plans.tick():
            pass
        carry_out()
        begun = Execution.objects.filter(environment=where)
        if begun.exists() != allowed or begun.exclude(started_by=who).exists():
            wrong.append((roles, kind))
    assert wrong == []
    assert effects(ran) == 0
    assert RehearsalResult.objects.filter(verdict="passed").count() == 6


def test_the_page_shows_the_worst_of_a_steps_commands(place: Environment, op: User) -> None:
    [runbook] = publish(
        compiled(
            "Test",
            phase(
                "diagnosis", step("Look", command("true"), command("false")), step("Talk"), step("See", command("true"))
            ),
        )
    )
    found = rehearsal.start(runbook=runbook, environment=place, by=op)
    carry_out()
    shown = rehearsed.steps(found)
    assert [(one.number, one.title, one.verdict) for one in shown] == [(1, "Look", "failed"), (3, "See", "passed")]
    assert rehearsed.tally(shown) == [("passed", "Works", 2), ("failed", "Failed", 1)]
    [listed] = rehearsed.history(op, runbook)
    assert (listed.works, listed.failed, listed.reads) == (2, 1, 3)  # type: ignore[attr-defined]


def test_steps_and_commands_have_a_history_that_survives_a_new_version() -> None:
    old = compiled("Test", phase("diagnosis", step("Look", command("sleep 0.2")), step("Call")))
    walk = walk_of(old)
    run_now(walk)
    executions.skip(step_run=walk.step(1), reason="no access", by=walk.user)
    executions.complete(execution=walk.execution, by=walk.user)
    [runbook] = publish(compiled("Test", phase("diagnosis", step("First"), step("Look", command("sleep 0.2")))))
    stood = standing.of_steps(runbook.pk)
    look, call = stood["diagnosis", "Look"], stood["diagnosis", "Call"]
    assert (look.reached, look.passed, look.skipped, look.few) == (1, 1, 0, True)
    assert look.took is not None
    assert 0.1 < look.took.median_s < 5
    assert (call.skipped_percent, call.took) == (100, None)
    taken = standing.of_commands(runbook.pk, ["sleep 0.2"])["sleep 0.2"]
    assert taken.n == 1
    assert str(taken) == "under 1 s so far (1 run)"
    [whole] = standing.of_runbooks([runbook.pk]).values()
    assert (whole.runs, whole.completed, whole.given_up, whole.going_on) == (1, 1, 0, 0)
    assert whole.changed_since, "it was verified before its present version"


def test_a_typical_duration_is_a_median_and_says_when_it_is_of_few() -> None:
    assert str(standing.Typical(40, 120, 12)) == "usually 40 s, p90 2 min"
    assert str(standing.Typical(40, 120, 4)) == "40 s so far (4 runs)"


def test_what_nobody_has_verified_for_long_is_told(place: Environment, op: User, clock: Clock) -> None:
    runbook = shelved(command("true"))
    assert not standing.of_runbooks([runbook.pk])[runbook.pk].stale
    clock.advance(days=120)
    stood = standing.of_runbooks([runbook.pk])[runbook.pk]
    assert (stood.stale, stood.days) == (True, 120)
