"""The view model: pure, from rows that are never saved."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from runbooks import page_marks, step_views, walk
from runbooks.answers import Known
from runbooks.models import CommandRun, Execution, StepRun, Version
from runbooks.resolved import pieces
from tests.runbooks.pages.conftest import DISK, PID, command, compiled, phase, step


def walked(document: dict[str, Any], *, production: bool = True) -> tuple[Execution, list[StepRun]]:
    environment = SimpleNamespace(is_production=production, label="Production", folder="")
    execution = Execution(version=Version(compiled=document), values={}, started_at=datetime(2026, 1, 1, tzinfo=UTC))
    execution._state.fields_cache["environment"] = environment
    places = [(p, s) for p, ph in enumerate(document["phases"]) for s in range(len(ph["steps"]) or bool(ph["items"]))]
    runs = [StepRun(position=n, phase=p, step=s, status="pending") for n, (p, s) in enumerate(places)]
    return execution, runs


def shown(document: dict[str, Any], position: int = 0, **more: Any) -> step_views.StepView:
    production = more.pop("production", True)
    execution, runs = walked(document, production=production)
    execution.values = more.pop("given", {})
    return step_views.step_view(
        execution,
        runs,
        position=position,
        attempts=more.pop("attempts", {}),
        known=Known(more.pop("labels", {})),
        **more,
    )


def test_the_rail_numbers_steps_through_all_phases_and_keeps_the_budget() -> None:
    execution, runs = walked(DISK)
    rail = walk.rail(execution, runs, viewed=2, url="/step/{}/", clocks={})
    assert [phase.name for phase in rail] == ["Diagnosis", "Resolution", "Verification"]
    assert rail[0].budget_s == 300
    assert [item.number for phase in rail for item in phase.steps] == list(range(1, 9))
    assert rail[0].steps[0].title == "Look at the disks"
    assert [item.position for phase in rail for item in phase.steps if item.current] == [2]
    assert rail[1].steps[0].url == "/step/2/"


@pytest.mark.parametrize(
    ("status", "reason", "viewed", "state"),
    [
        ("pending", "", False, "pending"),
        ("pending", "", True, "current"),
        ("current", "", False, "incomplete"),
        ("passed", "", True, "passed"),
        ("skipped", "no access", False, "skipped"),
        ("skipped", walk.NOT_TAKEN, False, "not_taken"),
    ],
)
def test_a_step_has_one_state_word(status: str, reason: str, viewed: bool, state: str) -> None:
    assert walk.state_of(StepRun(status=status, reason=reason), viewed=viewed) == state


def test_values_come_from_answers_before_the_alert_before_the_text() -> None:
    parameters = [{**PID, "default": "1"}, {"name": "Host", "notation": "angle", "type": "text", "line": 1}]
    from_text = step_views.answers(parameters, given={}, labels={})
    assert [(a.value, a.source) for a in from_text] == [("1", "text"), ("", "")]
    from_alert = step_views.answers(parameters, given={}, labels={"pid": "42", "host": "db-1"})
    assert [(a.value, a.source) for a in from_alert] == [("42", "alert"), ("db-1", "alert")]
    assert step_views.answers(parameters, given={"pid": "7"}, labels={"pid": "42"})[0].value == "7"


def test_a_command_with_an_unfilled_parameter_is_not_ready() -> None:
    empty = shown(DISK, 1).commands[0]
    assert empty.missing == ["pid"]
    assert not empty.ready
    filled = shown(DISK, 1, given={"pid": "42"}).commands[0]
    assert filled.ready
    assert "".join(piece.text for piece in filled.pieces) == "ps -p 42 -o args"


def test_a_variable_of_the_environment_is_not_asked_for() -> None:
    url = {"name": "DATABASE_URL", "notation": "env", "type": "text", "line": 1}
    document = compiled(phase("diagnosis", step("Ask", command('psql "$DATABASE_URL"', parameters=[url]))))
    assert shown(document).missing == ["DATABASE_URL"]
    assert shown(document, provided=frozenset({"DATABASE_URL"})).parameters == []


@pytest.mark.parametrize(
    ("notation", "text"),
    [
        ("angle", "x <n> y"),
        ("env", "x $n y"),
        ("env", "x ${n:-1} y"),
        ("bracket", "x [n] y"),
        ("template", "x {{ n }} y"),
    ],
)
def test_every_notation_is_filled_and_marked(notation: str, text: str) -> None:
    found = pieces(text, [{"name": "n", "notation": notation}], {"n": "<b>"})
    assert [(piece.text, piece.name) for piece in found] == [("x ", ""), ("<b>", "n"), (" y", "")]
    assert pieces(text, [{"name": "n", "notation": notation}], {})[1].missing


def test_outside_production_a_disruption_asks_like_a_change() -> None:
    assert [shown(DISK, n).commands[0].gate for n in (2, 3, 4)] == ["change", "disrupt", "destroy"]
    assert [shown(DISK, n, production=False).commands[0].gate for n in (2, 3, 4)] == ["change", "change", "destroy"]


def test_what_has_no_executor_is_for_reading() -> None:
    assert [c.gate for c in shown(DISK, 6).commands] == ["blocked", "blocked"]


def test_reads_in_a_row_end_before_the_first_command_that_is_none() -> None:
    document = compiled(
        phase("diagnosis", step("Mix", command("a"), command("b"), command("c", "change"), command("d")))
    )
    assert [c.text for c in shown(document).reads] == ["a", "b"]


def test_the_main_button_belongs_to_the_first_command_without_a_success() -> None:
    done = CommandRun(status="succeeded", command=0)
    assert page_marks.primary(shown(DISK, 0).commands) == 0
    assert page_marks.primary(shown(DISK, 0, attempts={0: [done]}).commands) == 1
    assert page_marks.primary(shown(DISK, 5).commands) is None


def test_a_checklist_shows_the_items_of_its_phase() -> None:
    view = shown(DISK, 7)
    assert view.kind == "verify"
    assert len(view.items) == 2


def test_text_of_a_document_cannot_bring_markup_of_its_own() -> None:
    html = str(shown(DISK, 0).prose[0])
    assert "<em>full</em>" in html
    assert "<script" not in html


def test_the_digest_follows_the_resolved_text() -> None:
    one, other = (shown(DISK, 1, given={"pid": pid}).commands[0] for pid in ("1", "2"))
    assert page_marks.digest(one) != page_marks.digest(other)
    assert page_marks.digest(one) == page_marks.digest(shown(DISK, 1, given={"pid": "1"}).commands[0])
