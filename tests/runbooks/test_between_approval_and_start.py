"""Whatever is edited, swapped or hung elsewhere between the approval and the start: nothing of it runs.

Each round approves one command in earnest, changes one to three things at points drawn from a seed (before the
run is asked for, before it is claimed, after it is claimed), and goes on as a worker does. The ledger on disk
counts what was really executed.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from checks.models import Target
from erpops import beats
from incidents import lifecycle
from incidents.models import Environment
from runbooks import approvals, executions, gate, library, runner, tasks
from runbooks.models import CommandRun, Execution, Runbook, StepRun, Version
from runbooks.refusals import Refused
from tests.runbooks.builders import (
    Walk,
    command,
    compiled,
    effect,
    effects,
    person,
    phase,
    publish,
    step,
    walk_of,
)

pytestmark = pytest.mark.django_db(transaction=True)
QUICK, MANY = 40, 200


def document(ledger: Path, title: str, *, note: str = "") -> dict[str, Any]:
    wipe = command(effect(ledger, "echo <what>") + note, "destroy", parameters=[{"name": "what"}])
    return compiled(title, phase("resolution", step("Wipe", wipe), step("Wipe another", dict(wipe))))


class Scene:
    """A walk whose first command another lead has approved."""

    def __init__(self, ledger: Path, number: int, lena: User) -> None:
        self.ledger, self.number, self.lena = ledger, number, lena
        self.place = walk_of(document(ledger, f"Wipe {number}"), production=True)
        self.environment = self.place.execution.environment
        executions.set_values(execution=self.place.execution, values={"what": "old"}, by=self.place.user)
        given = gate.Confirmation(yes=True, reason="beyond repair", target="test")
        self.approval = approvals.ask(step_run=self.place.step(), command=0, by=self.place.user, given=given)
        approvals.approve(approval=self.approval, by=lena, target="test")
        self.run: CommandRun | None = None

    @property
    def version(self) -> Version:
        return Version.objects.get(pk=self.place.execution.version_id)

    def request(self) -> None:
        execution = Execution.objects.get(pk=self.place.execution.pk)
        here = StepRun.objects.filter(pk=self.approval.step_run_id).first()
        if here is not None and execution.status == "active":
            self.run = runner.request(step_run=here, command=0, by=self.place.user, confirmation="yes")


# What may happen in between, each written past the functions that would forbid it where there are such.
def edit(scene: Scene) -> None:
    """A new version is published."""
    runbook = scene.version.runbook
    fresh = document(scene.ledger, scene.version.compiled["title"], note=" # edited")
    shared = {"text": "edited", "sha256": f"{scene.number:064d}", "compiled": fresh}
    number = max(runbook.versions.values_list("number", flat=True)) + 1
    newer = Version.objects.create(runbook=runbook, number=number, created_at=scene.approval.asked_at, **shared)
    library.publish(version=newer, by=None)


def swap_text(scene: Scene) -> None:
    version = scene.version
    version.compiled["phases"][0]["steps"][0]["commands"][0]["text"] = effect(scene.ledger, "echo swapped <what>")
    version.save(update_fields=["compiled"])


def swap_hash(scene: Scene) -> None:
    Version.objects.filter(pk=scene.version.pk).update(sha256="e" * 64)


def swap_version(scene: Scene) -> None:
    [other] = publish(document(scene.ledger, f"Other {scene.number}", note=" # other"), path=f"o{scene.number}.md")
    Execution.objects.filter(pk=scene.place.execution.pk).update(version=other.current)


def swap_current(scene: Scene) -> None:
    [other] = publish(document(scene.ledger, f"Else {scene.number}", note=" # else"), path=f"e{scene.number}.md")
    Runbook.objects.filter(pk=scene.version.runbook_id).update(current=other.current)


def swap_steps(scene: Scene) -> None:
    StepRun.objects.filter(pk=scene.approval.step_run_id).update(step=1)


def elsewhere(scene: Scene) -> Walk:
    return walk_of(document(scene.ledger, f"There {scene.number}"), production=True)


def step_under_another_walk(scene: Scene) -> None:
    other = elsewhere(scene).execution
    StepRun.objects.filter(pk=scene.approval.step_run_id).update(execution=other, position=50)


def walk_under_another_incident(scene: Scene) -> None:
    other = lifecycle.open_incident(title="Other", severity="SEV1", environment=scene.environment)
    Execution.objects.filter(pk=scene.place.execution.pk).update(incident=other)


def walk_in_another_environment(scene: Scene) -> None:
    other, _ = Environment.objects.get_or_create(name="other", defaults={"label": "Other", "is_production": True})
    beats.beat(role="worker", queues=["env.test", "env.other"])
    Execution.objects.filter(pk=scene.place.execution.pk).update(environment=other)


def parameter(scene: Scene) -> None:
    Execution.objects.filter(pk=scene.place.execution.pk).update(values={"what": "everything"})


def parameter_of_the_run(scene: Scene) -> None:
    if scene.run is None:
        parameter(scene)
    else:
        CommandRun.objects.filter(pk=scene.run.pk).update(values={"what": "everything"})


def variable(scene: Scene) -> None:
    Environment.objects.filter(pk=scene.environment.pk).update(variables={"DATABASE_URL": f"//{scene.number}"})


def folder(scene: Scene) -> None:
    Environment.objects.filter(pk=scene.environment.pk).update(folder="/tmp")


def environment_name(scene: Scene) -> None:
    Environment.objects.filter(pk=scene.environment.pk).update(name="renamed")
    beats.beat(role="worker", queues=["env.test", "env.renamed"])


def no_longer_production(scene: Scene) -> None:
    Environment.objects.filter(pk=scene.environment.pk).update(is_production=False)


def target(scene: Scene) -> None:
    base = {"label": "Engine", "kind": "docker", "environment": scene.environment}
    Target.objects.create(name=f"engine-{scene.number}", address=f"tcp://10.0.0.{scene.number % 250}:2375", **base)


CHANGES: tuple[Callable[[Scene], None], ...] = (
    edit,
    swap_text,
    swap_hash,
    swap_version,
    swap_current,
    swap_steps,
    step_under_another_walk,
    walk_under_another_incident,
    walk_in_another_environment,
    parameter,
    parameter_of_the_run,
    variable,
    folder,
    environment_name,
    no_longer_production,
    target,
)


def play(scene: Scene, chosen: random.Random, first: Callable[[Scene], None]) -> list[str]:
    """One round; what happened in it, in order, for whoever reads a failure."""
    others = chosen.sample(CHANGES, chosen.randint(0, 2))
    when: dict[int, list[Callable[[Scene], None]]] = {0: [], 1: [], 2: []}
    for change in dict.fromkeys([first, *others]):
        when[chosen.randrange(3)].append(change)
    told = [f"{point}:{change.__name__}" for point, changes in when.items() for change in changes]
    try:
        _happen(scene, when[0])
        scene.request()
        _happen(scene, when[1])
        run = runner.claim(run_id=scene.run.pk, host="here", owner="test") if scene.run else None
        _happen(scene, when[2])
        if run is not None:
            runner.recheck(run)
            told.append("WOULD RUN")
    except Refused as refusal:
        told.append(f"refused: {refusal}")
    if scene.run is not None:
        # The same through the worker's own door: a claim that is not queued any more, or a start that is refused.
        tasks.run_command(scene.run.pk)
    return told


def _happen(scene: Scene, changes: list[Callable[[Scene], None]]) -> None:
    for change in changes:
        change(scene)


def rounds(tmp_path: Path, count: int, seed: int) -> None:
    chosen, ledger = random.Random(seed), tmp_path / "ledger"
    lena = person("lena", "lead")
    for number in range(count):
        for name in ("test", "renamed"):
            Environment.objects.filter(name=name).update(name=f"{name}-{number}")
        told = play(Scene(ledger, number, lena), chosen, CHANGES[number % len(CHANGES)])
        assert "WOULD RUN" not in told, (number, told)
        assert effects(ledger) == 0, (number, told)
    assert not CommandRun.objects.exclude(started_at=None).exists()


def test_what_was_changed_after_the_approval_does_not_run(tmp_path: Path) -> None:
    rounds(tmp_path, QUICK, seed=20_261)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_interleavings_run_nothing(tmp_path: Path, seed: int) -> None:
    rounds(tmp_path, MANY, seed=seed)


def test_what_nobody_touched_runs_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "ledger", 1, person("lena", "lead"))
    scene.request()
    assert scene.run is not None
    tasks.run_command(scene.run.pk)
    scene.run.refresh_from_db()
    assert (scene.run.status, effects(tmp_path / "ledger")) == ("succeeded", 1)
