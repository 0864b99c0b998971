"""Walking a runbook: the baton, the steps, the gate, the end."""

import threading

import pytest
from django.db import connections

from erpops import audit
from erpops.transitions import IllegalMove
from runbooks import executions, gate, runner
from runbooks.choices import ExecutionStatus
from runbooks.models import CommandRun, Execution
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, compiled, person, phase, publish, step, walk, walk_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Walk:
    return walk_of(
        compiled(
            "Disk full",
            phase("diagnosis", step("Look", command("df -h")), step("Ask")),
            phase("verification", items=["Disk below 80 %", "No errors"]),
        )
    )


def request(place: Walk, **given: object) -> CommandRun:
    return runner.request(step_run=place.step(), command=0, by=place.user, **given)  # type: ignore[arg-type]


def test_a_walk_has_a_step_per_step_and_one_per_list_of_items(place: Walk) -> None:
    steps = list(place.execution.steps.order_by("position").values_list("phase", "step", "status"))
    assert steps == [(0, 0, "current"), (0, 1, "pending"), (1, 0, "pending")]
    assert executions.step_title(place.step(2)) == "Verification"
    assert len(executions.compiled_step(place.step(2))["items"]) == 2


def test_starting_the_same_runbook_again_gives_the_same_walk(place: Walk) -> None:
    again = executions.start(
        runbook=place.execution.version.runbook,
        incident=place.incident,
        environment=place.execution.environment,
        by=place.user,
    )
    assert again == place.execution
    assert place.events().count("execution.started") == 1


def test_a_walk_stays_on_its_version_when_a_newer_one_is_published(place: Walk) -> None:
    publish(compiled("Disk full", phase("diagnosis", step("Other"))), text="changed")
    execution = Execution.objects.get(pk=place.execution.pk)
    assert execution.version.number == 1
    assert execution.version.runbook.current is not None
    assert execution.version.runbook.current.number == 2


def test_done_and_skipped_move_on_and_are_told(place: Walk) -> None:
    executions.mark_done(step_run=place.step(0), note="looked by hand", by=place.user)
    assert place.statuses() == ["passed", "current", "pending"]
    executions.skip(step_run=place.step(1), reason="not applicable", by=place.user)
    assert place.statuses() == ["passed", "skipped", "current"]
    place.execution.refresh_from_db()
    assert place.execution.position == 2
    assert place.events()[-2:] == ["step.done", "step.skipped"]
    executions.skip(step_run=place.step(1), reason="twice", by=place.user)
    assert place.events().count("step.skipped") == 1


def test_a_skip_needs_a_reason(place: Walk) -> None:
    with pytest.raises(Refused, match="Say why"):
        executions.skip(step_run=place.step(0), reason="  ", by=place.user)


def test_only_the_holder_acts_and_the_baton_can_be_taken(place: Walk) -> None:
    other = person("other", "operator")
    with pytest.raises(Refused, match="op has the baton") as refused:
        executions.mark_done(step_run=place.step(0), note="", by=other)
    assert refused.value.code == "baton"
    executions.take_over(execution=place.execution, by=other)
    executions.mark_done(step_run=place.step(0), note="", by=other)
    with pytest.raises(Refused, match="other has the baton"):
        request(place)
    assert "execution.taken_over" in place.events()


def test_who_may_not_operate_takes_no_baton(place: Walk) -> None:
    for name, role in (("admin", "admin"), ("boss", "stakeholder")):
        with pytest.raises(Refused) as refused:
            executions.take_over(execution=place.execution, by=person(name, role))
        assert refused.value.code == "permission"


def test_completing_lists_what_was_left_out(place: Walk) -> None:
    executions.mark_done(step_run=place.step(0), note="", by=place.user)
    executions.skip(step_run=place.step(1), reason="no access", by=place.user)
    executions.complete(execution=place.execution, by=place.user)
    event = place.incident.events.get(kind="execution.completed")
    assert (event.data["skipped"], event.data["not_done"], event.data["failed"]) == ([2], [3], [])
    with pytest.raises(Refused, match="completed"):
        executions.mark_done(step_run=place.step(2), note="", by=place.user)
    assert Execution.objects.get(pk=place.execution.pk).status == ExecutionStatus.COMPLETED


def test_a_walk_with_a_live_command_cannot_end(place: Walk) -> None:
    request(place)
    for end in (
        lambda: executions.complete(execution=place.execution, by=place.user),
        lambda: executions.abandon(execution=place.execution, reason="x", by=place.user),
        lambda: executions.mark_done(step_run=place.step(0), note="", by=place.user),
    ):
        with pytest.raises(Refused, match="still running"):
            end()


def test_a_runbook_without_steps_cannot_be_walked() -> None:
    with pytest.raises(Refused, match="no steps"):
        walk_of(compiled("Empty", phase("other")))


def test_values_are_kept_and_checked() -> None:
    asked = [{"name": "pid", "type": "pid"}, {"name": "who", "type": "text"}]
    place = walk(command("kill <pid> <who>", "read", parameters=asked))
    executions.set_values(execution=place.execution, values={"pid": "12", "who": "x"}, by=place.user)
    executions.set_values(execution=place.execution, values={"who": ""}, by=place.user)
    assert Execution.objects.get(pk=place.execution.pk).values == {"pid": "12"}
    with pytest.raises(Refused) as refused:
        executions.set_values(execution=place.execution, values={"pid": "12; rm"}, by=place.user)
    assert refused.value.code == "parameters"
    with pytest.raises(Refused, match="asks for"):
        executions.set_values(execution=place.execution, values={"else": "1"}, by=place.user)


def test_a_missing_value_is_named_and_nothing_is_queued() -> None:
    place = walk(command("echo <pod>", parameters=[{"name": "pod"}]))
    with pytest.raises(Refused, match="Fill in pod") as refused:
        request(place)
    assert refused.value.names == ("pod",)
    assert CommandRun.objects.count() == 0
    run = request(place, values={"pod": "a b"})
    assert run.values == {"pod": "a b"}
    assert "a b" not in run.script


def test_what_the_environment_gives_is_not_asked_for() -> None:
    asked = [{"name": "REGION", "notation": "env"}]
    place = walk(command("echo $REGION", parameters=asked))
    assert runner.missing_names(step_run=place.step(), command=0, values={}) == ["REGION"]
    environment = place.execution.environment
    environment.variables = {"REGION": "eu"}
    environment.save(update_fields=["variables"])
    assert runner.missing_names(step_run=place.step(), command=0, values={}) == []
    assert request(place).values == {}


def test_without_a_worker_nothing_is_queued() -> None:
    place = walk(command("true"), worker=False)
    with pytest.raises(Refused, match=r"No worker serves env\.test") as refused:
        request(place)
    assert refused.value.code == "worker"


def test_kinds_that_nothing_runs_are_refused() -> None:
    place = walk(command("POOL=20", kind="env"))
    with pytest.raises(Refused, match="only sets a variable"):
        request(place)


YES = "yes"
REASON = {"reason": "users are down"}
TYPED = {"reason": "users are down", "target": "test"}


@pytest.mark.parametrize(
    ("risk", "production", "enough", "too_little"),
    [
        ("read", True, None, []),
        ("change", True, YES, [None]),
        ("disrupt", True, REASON, [None, YES]),
        ("change", False, YES, [None]),
        ("disrupt", False, YES, [None]),
        ("destroy", False, TYPED, [None, YES, REASON]),
    ],
)
def test_the_gate_asks_for_what_the_risk_needs(
    risk: str, production: bool, enough: object, too_little: list[object]
) -> None:
    place = walk(command("true", risk), production=production)
    place.user = person("lead", "lead")
    executions.take_over(execution=place.execution, by=place.user)
    for given in too_little:
        with pytest.raises(Refused) as refused:
            request(place, confirmation=given)
        assert refused.value.code == "confirmation"
    assert CommandRun.objects.count() == 0
    assert request(place, confirmation=enough).risk == risk


def test_destroying_in_production_needs_the_approval_of_a_lead() -> None:
    place = walk(command("true", "destroy"), production=True)
    with pytest.raises(Refused, match="ask another team lead") as refused:
        request(place, confirmation=TYPED)
    assert refused.value.code == "approval"


def test_destroying_elsewhere_is_an_operators_to_type() -> None:
    assert request(walk(command("true", "destroy")), confirmation=TYPED).risk == "destroy"


@pytest.mark.parametrize("production", [True, False])
def test_a_blocked_command_never_runs(production: bool) -> None:
    place = walk(command("htop", "blocked"), production=production)
    with pytest.raises(Refused, match="by hand"):
        request(place, confirmation=TYPED)


def test_a_reason_stands_on_the_timeline_and_in_the_audit() -> None:
    place = walk(command("true", "disrupt"), production=True)
    request(place, confirmation=gate.Confirmation(yes=True, reason="users are down"))
    event = place.incident.events.get(kind="command.requested")
    assert "users are down" in event.text
    assert not event.noise


@pytest.mark.django_db(transaction=True)
def test_many_hands_on_one_walk_neither_deadlock_nor_break_the_audit_chain() -> None:
    place = walk_of(compiled("Many", phase("diagnosis", *[step(f"S{n}", command("true")) for n in range(6)])))
    failures: list[BaseException] = []

    def act(number: int) -> None:
        try:
            for turn in range(6):
                one = place.step((number + turn) % 6)
                try:
                    if turn % 3 == 0:
                        executions.mark_done(step_run=one, note="n", by=place.user)
                    elif turn % 3 == 1:
                        run = runner.request(step_run=one, command=0, by=place.user)
                        runner.stop(run=run, by=place.user)
                    else:
                        executions.skip(step_run=one, reason="r", by=place.user)
                        executions.go_to(step_run=one, by=place.user)
                except (Refused, IllegalMove):
                    continue
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert not list(audit.faults())
    sequence = list(place.incident.events.order_by("seq").values_list("seq", flat=True))
    assert sequence == list(range(1, len(sequence) + 1))
