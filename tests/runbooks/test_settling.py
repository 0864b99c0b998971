"""After an unknown outcome: people say what they found, and what was declared repeatable is done once more."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from erpops import beats
from runbooks import reaper, runner, settling
from runbooks.models import CommandRun
from tests.clock import Clock
from tests.runbooks.builders import Walk, command, effect, effects, walk
from tests.runbooks.running import begin, now, run_now, supervisor_of, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_left(transactional_db: None) -> Any:
    yield
    wait_all_gone()


def lose(run: CommandRun, ledger: Path, clock: Clock) -> None:
    """Its supervisor dies while the command runs, and its lease runs out."""
    until(ledger.exists)
    os.kill(supervisor_of(run), signal.SIGKILL)

    def over() -> bool:
        clock.advance(seconds=36)
        reaper.tick()
        return now(run).status == "outcome_unknown"

    until(over)


def attempts(place: Walk) -> list[tuple[int, str]]:
    return list(place.step().runs.order_by("attempt").values_list("attempt", "status"))


def test_a_repeatable_command_is_run_once_more_in_a_new_attempt(tmp_path: Path, clock: Clock) -> None:
    place = walk(command(effect(tmp_path / "ledger", "sleep 60"), "change", repeatable="it does no harm"))
    lose(begin(place, confirmation="yes"), tmp_path / "ledger", clock)
    reaper.tick()
    assert attempts(place) == [(1, "outcome_unknown"), (2, "queued")]
    first, second = place.step().runs.order_by("attempt")
    assert (second.digest, second.script, second.values) == (first.digest, first.script, first.values)
    assert second.requested_by == first.requested_by
    assert "command.repeated" in place.events()
    reaper.tick()
    assert len(attempts(place)) == 2


def test_one_that_takes_its_worker_along_is_left_to_a_person_after_three(tmp_path: Path, clock: Clock) -> None:
    place = walk(command(effect(tmp_path / "ledger", "sleep 60"), "change", repeatable="it does no harm"))
    run = runner.request(step_run=place.step(), command=0, by=place.user, confirmation="yes")
    for _ in range(3):
        claimed = runner.claim(run_id=run.pk, host="gone", owner="00000000-0000-0000-0000-000000000001")
        assert claimed is not None
        clock.advance(seconds=60)
        reaper.tick()
        reaper.tick()
        run = place.step().runs.order_by("-attempt").first()  # type: ignore[assignment]
    assert attempts(place) == [(1, "outcome_unknown"), (2, "outcome_unknown"), (3, "outcome_unknown")]


@pytest.mark.parametrize(("risk", "declared"), [("change", ""), ("disrupt", "it does no harm")])
def test_what_is_not_declared_or_disturbs_people_is_never_repeated(
    tmp_path: Path, clock: Clock, risk: str, declared: str
) -> None:
    more: dict[str, Any] = {"repeatable": declared} if declared else {}
    place = walk(command(effect(tmp_path / "ledger", "sleep 60"), risk, **more))
    lose(begin(place, confirmation={"reason": "needed"}), tmp_path / "ledger", clock)
    reaper.tick()
    assert attempts(place) == [(1, "outcome_unknown")]
    assert effects(tmp_path / "ledger") == 1


def test_a_person_may_run_it_again_whatever_happened(tmp_path: Path, clock: Clock) -> None:
    place = walk(command(effect(tmp_path / "ledger", "sleep ${T:-60}")))
    run = begin(place)
    lose(run, tmp_path / "ledger", clock)
    settling.settle_unknown(run=now(run), verdict="again", by=place.user)
    assert now(run).status == "failed"
    assert "to be run again, whatever happened" in now(run).reason
    beats.beat(role="worker", queues=["env.test"])
    again = runner.request(step_run=place.step(), command=0, by=place.user)
    assert again.attempt == 2
    runner.stop(run=again, by=place.user)


def test_a_verdict_that_nobody_knows_is_refused() -> None:
    place = walk(command("true"))
    run = run_now(place)
    with pytest.raises(ValueError, match="done, not_done, again"):
        settling.settle_unknown(run=run, verdict="perhaps", by=place.user)
