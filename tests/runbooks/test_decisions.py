"""Deciding at forks: evidence speaks, a person chooses, the choice is kept and may be changed."""

import threading
from typing import Any

import pytest
from django.db import connections

from runbooks import branching, decisions, executions, suggesting
from runbooks.models import CommandRun, Decision
from runbooks.refusals import Refused
from runbooks.suggesting import Before, Seen
from tests.runbooks.builders import Walk, command, compiled, phase, step, walk_of
from tests.runbooks.running import run_now

pytestmark = pytest.mark.django_db


def branch(title: str, *commands: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**step(title, *commands), "condition": title, **more}


FULL = compiled(
    "Database is away",
    phase("diagnosis", step("Check the disk", command("printf 'Use%%\\n97%%\\n'", label="Disk usage"))),
    phase(
        "resolution",
        branch("If the disk is full", command("sync", "change")),
        branch("If the pod is not running", command("true", "change")),
        branch("If neither helps"),
        step("Tell the team"),
    ),
)


@pytest.fixture
def place() -> Walk:
    return walk_of(FULL)


def decide(place: Walk, choice: str, reason: str = "", at: int = 1) -> None:
    decisions.decide(step_run=place.step(at), choice=choice, reason=reason, by=place.user)


def decided(place: Walk) -> list[str]:
    return list(place.incident.events.filter(kind="step.decided").values_list("text", flat=True))


def test_neighbouring_conditions_are_one_fork_and_options_another() -> None:
    options = [{**step(f"Option {letter}"), "option_group": "3"} for letter in "AB"]
    text = compiled(
        "Forks", phase("resolution", branch("If a"), branch("If b"), step("Then"), branch("If c")), phase("x", *options)
    )
    found = branching.forks(text)
    assert [(fork.kind, [b.position for b in fork.branches], fork.rejoins) for fork in found] == [
        ("branches", [0, 1], 2),
        ("branches", [3], 4),
        ("options", [4, 5], None),
    ]


@pytest.mark.django_db(transaction=True)
def test_evidence_suggests_a_branch_in_words_and_nothing_is_chosen(place: Walk) -> None:
    run = run_now(place)
    assert run.status == "succeeded"
    fork = branching.fork_at(FULL, 1)
    assert fork is not None
    found = decisions.found_for(place.execution, fork)
    assert [suggesting.suggested(found[at]) for at in (1, 2, 3)] == [True, False, False]
    assert "97 % used" in found[1][0].text and found[1][0].run == run.pk
    assert not Decision.objects.exists()
    assert place.statuses() == ["passed", "pending", "pending", "pending", "pending"]


@pytest.mark.django_db(transaction=True)
def test_a_branch_taken_is_kept_with_its_evidence_and_the_others_are_left_out(place: Walk) -> None:
    run_now(place)
    decide(place, "1")
    assert place.statuses() == ["passed", "current", "skipped", "skipped", "pending"]
    kept = Decision.objects.get()
    assert (kept.choice, kept.by, kept.suggested, kept.implied) == ("1", place.user, [1], False)
    assert kept.evidence[0]["branch"] == 1
    assert decided(place)[0].startswith("decided “If the disk is full” (step 2)")
    assert "97 % used" in decided(place)[0]
    decide(place, "1")
    assert Decision.objects.count() == 1


def test_none_of_these_leaves_all_out_and_goes_on_behind_the_fork(place: Walk) -> None:
    decide(place, "none", at=3)
    assert place.statuses()[1:] == ["skipped", "skipped", "skipped", "current"]
    assert decided(place) == ["decided that none of it applies"]


def test_not_sure_is_written_down_and_keeps_every_way_open(place: Walk) -> None:
    decide(place, "unsure")
    assert place.statuses()[1:4] == ["pending", "pending", "pending"]
    decide(place, "2")
    assert place.statuses()[1:4] == ["skipped", "current", "skipped"]
    assert list(Decision.objects.values_list("choice", flat=True)) == ["unsure", "2"]


def test_a_change_of_mind_needs_a_reason_and_takes_the_other_branch(place: Walk) -> None:
    decide(place, "1")
    with pytest.raises(Refused, match="say why you decide otherwise"):
        decide(place, "2")
    decide(place, "2", "the disk was emptied already")
    assert place.statuses()[1:4] == ["skipped", "current", "skipped"]
    assert "the disk was emptied already" in decided(place)[-1]
    assert Decision.objects.count() == 2


def test_what_was_done_in_a_branch_stays_when_the_mind_changes(place: Walk) -> None:
    decide(place, "1")
    executions.mark_done(step_run=place.step(1), note="freed", by=place.user)
    decide(place, "2", "did not help")
    assert place.statuses()[1:4] == ["passed", "current", "skipped"]


def test_a_branch_whose_command_runs_cannot_be_left(place: Walk) -> None:
    decide(place, "1")
    live = {"command": 0, "kind": "shell", "risk": "change", "queue": "env.test", "status": "running"}
    CommandRun.objects.create(
        step_run=place.step(1), requested_by=place.user, queued_at=place.execution.started_at, **live
    )
    with pytest.raises(Refused, match="still running"):
        decide(place, "2", "other")


def test_beginning_a_branch_takes_it_and_is_told_as_such(place: Walk) -> None:
    executions.mark_done(step_run=place.step(2), note="restarted", by=place.user)
    assert place.statuses()[1:4] == ["skipped", "passed", "skipped"]
    assert Decision.objects.get().implied
    assert "by beginning it" in decided(place)[0]


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_decide_at_once_leave_one_decision() -> None:
    for _ in range(5):
        place = walk_of(FULL)
        refused: list[str] = []

        def act(choice: str, place: Walk = place, refused: list[str] = refused) -> None:
            try:
                decide(place, choice)
            except Refused as error:
                refused.append(str(error))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=act, args=(choice,)) for choice in ("1", "2", "none")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        [kept] = Decision.objects.filter(execution=place.execution)
        assert len(refused) == 2 and all("decided already" in sentence for sentence in refused)
        taken = [status for status in place.statuses()[1:4] if status != "skipped"]
        assert len(taken) == (0 if kept.choice == "none" else 1)


def test_what_is_no_branch_of_the_fork_is_refused(place: Walk) -> None:
    for choice in ("0", "4", "x", "", "99999"):
        with pytest.raises(Refused, match="Choose one"):
            decide(place, choice)
    with pytest.raises(Refused, match="nothing to decide"):
        decide(place, "none", at=4)


def test_one_option_is_taken_and_may_be_exchanged_even_after_it_passed() -> None:
    options = [{**step(f"Option {letter}"), "option_group": "1"} for letter in "AB"]
    place = walk_of(compiled("Rollout", phase("resolution", *options)))
    decide(place, "0", at=0)
    executions.mark_done(step_run=place.step(0), note="", by=place.user)
    assert place.statuses() == ["passed", "skipped"]
    with pytest.raises(Refused, match="was taken instead"):
        executions.mark_done(step_run=place.step(1), note="", by=place.user)
    decide(place, "1", "A did not hold", at=0)
    executions.mark_done(step_run=place.step(1), note="", by=place.user)
    assert place.statuses() == ["passed", "passed"]


def seen(text: str = "look", output: str = "", *, status: str = "succeeded", step: str = "Look", **more: Any) -> Seen:
    return Seen(position=0, step=step, run=1, text=text, label="", status=status, exit_code=0, output=output, **more)


@pytest.mark.parametrize(
    ("condition", "evidence", "speaks"),
    [
        ("if > 150", seen(output=" count \n-------\n   187\n(1 row)"), True),
        ("if > 150", seen(output="count\n42\n"), False),
        ("If cache hit rate is low (<70%)", seen("redis-cli info", "hit rate 41 %", step="Check cache"), True),
        ("If the disk is full", seen("df -h", "/dev/sda1 50G 20G 30G 40% /"), False),
        ("If pod/container is not running", seen("kubectl get pods", "api-1 0/1 CrashLoopBackOff 12"), True),
        ("If red, check indices", seen("curl /_cluster/health", '{"status":"red"}'), None),
        ("If red", seen("curl /_cluster/health", '{"status":"red"}'), True),
        ("If database is corrupted", seen("psql", "ERROR: database page is corrupted", step="Logs"), True),
        ("If database is corrupted", seen("psql", "database is not corrupted", step="Logs"), None),
        ("If application bug", seen("df -h", "97%"), None),
    ],
)
def test_findings_are_read_from_what_was_printed(condition: str, evidence: Seen, speaks: bool | None) -> None:
    found = suggesting.findings_for(condition, seen=[evidence], labels={}, before=None)
    strong = [finding.speaks for finding in found if finding.speaks is not None]
    assert strong == ([] if speaks is None else [speaks])


@pytest.mark.parametrize(
    ("condition", "status", "speaks"),
    [("If Restart Fails", "failed", True), ("If Restart Fails", "passed", False), ("If successful", "passed", True)],
)
def test_the_step_before_speaks_where_the_condition_asks_for_its_outcome(
    condition: str, status: str, speaks: bool
) -> None:
    found = suggesting.findings_for(condition, seen=[], labels={}, before=Before(0, "Restart", status))
    assert [finding.speaks for finding in found] == [speaks]


def test_a_label_of_the_alert_speaks_for_a_branch() -> None:
    labels = {"alertname": "HostDiskFull", "severity": "critical"}
    [found] = suggesting.findings_for("If disk is full", seen=[], labels=labels, before=None)
    assert found.speaks and "HostDiskFull" in found.text


ROLLOUT = compiled(
    "Rollout",
    phase("pre_deployment", items=["Backup is there"]),
    phase(
        "deployment",
        step(
            "Deploy", command("true", "change", notes=[{"line": 1, "kind": "wait", "text": "Monitor for 10 minutes"}])
        ),
        step("Finish"),
    ),
    phase("rollback", step("Roll back")),
)


def test_a_rollout_asks_for_go_before_it_begins_after_each_watch_and_at_its_end() -> None:
    gates = [branching.gate_at(ROLLOUT, position) for position in range(4)]
    assert [gate is not None for gate in gates] == [True, True, True, False]
    assert gates[0] is not None and gates[0].back == 3


def test_no_go_needs_a_reason_starts_nothing_and_is_told() -> None:
    place = walk_of(ROLLOUT)
    with pytest.raises(Refused, match="what speaks against"):
        decisions.go(step_run=place.step(1), choice="no_go", reason=" ", by=place.user)
    decisions.go(step_run=place.step(1), choice="no_go", reason="errors at 3 %", by=place.user)
    with pytest.raises(Refused, match="say why you decide otherwise"):
        decisions.go(step_run=place.step(1), choice="go", reason="", by=place.user)
    assert decided(place) == ["said no-go after step 2, Deploy: errors at 3 %"]
    assert not CommandRun.objects.exists()
    with pytest.raises(Refused, match="Nobody is asked"):
        decisions.go(step_run=place.step(3), choice="go", reason="", by=place.user)
