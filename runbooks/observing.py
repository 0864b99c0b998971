"""What a person saw: items ticked off, and the answer to a verification, which is the observed value, never a tick."""

import re
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops import clock
from erpops.clock import Now
from incidents.queries import name_of
from runbooks import output, walk
from runbooks.acts import STEP, S, commands_of, compiled_step, lock, require_baton, tell_step
from runbooks.choices import RunStatus
from runbooks.compiler.assertions import judge
from runbooks.models import CommandRun, StepRun
from runbooks.refusals import Refused

_ABOUT = re.compile(r"^(?:item:(?P<item>\d{1,4})|command:(?P<command>\d{1,4}):(?P<expected>\d{1,3}))$")
_LONGEST = 500
# How much of an output is compared with what was expected.
JUDGED_BYTES = 65_536


def tick(*, step_run: StepRun, item: int, ticked: bool, by: User) -> None:
    """Tick one item of the step's list, or take the tick away; twice is once. A verification asks what was seen."""
    items = compiled_step(step_run).get("items", [])
    if not 0 <= item < len(items):
        raise Refused("This step has no such item.")
    if ticked and verifies(step_run):
        raise Refused("Say what you saw: the value itself, not that it is right.", code="observation")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        before = set(step_run.ticked)
        after = before | {item} if ticked else before - {item}
        if after == before:
            return
        _keep(step_run, by, ticked=sorted(after))
        said = f"{'ticked' if ticked else 'took the tick from'} “{walk.plain(items[item]['text'])[:160]}”"
        tell_step(step_run, "step.ticked", said, by, noise=True, item=item, ticked=ticked)


def observe(*, step_run: StepRun, about: str, text: str, holds: bool, by: User) -> None:
    """Keep what was seen where `about` is expected: `item:<n>`, or `command:<n>:<expectation>`; twice is once.

    An item that holds is ticked with it. What does not hold fails a step that verifies.
    """
    wanted = _expected(step_run, about)
    text = text.strip()[:_LONGEST]
    if not text:
        raise Refused("Say what you saw: the value itself, not that it is right.", code="observation")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        before = step_run.observed.get(about)
        if before and (before["text"], before["holds"]) == (text, holds):
            return
        who = {"by": by.get_username(), "name": name_of(by)}
        answer = {"text": text, "holds": holds, **who, "at": clock.now().isoformat()}
        _keep(step_run, by, observed={**step_run.observed, about: answer}, ticked=_ticked(step_run, about, holds))
        if verifies(step_run):
            _follow(step_run)
        said = f"saw “{text}” where “{wanted}” is expected" + ("" if holds else ", which does not hold")
        tell_step(step_run, "step.observed", said, by, noise=holds, about=about, holds=holds, observed=text)


def verifies(step_run: StepRun) -> bool:
    """Whether the step belongs to the verification of its runbook."""
    phase = step_run.execution.version.compiled["phases"][step_run.phase]
    return bool(phase["phase"] == "verification")


def require_answers(step_run: StepRun, note: str) -> None:
    """Refuse while the step's list is not dealt with, or a verification says nothing of what was seen."""
    open_items = len(compiled_step(step_run).get("items", [])) - len(step_run.ticked)
    verifying = verifies(step_run)
    if open_items > 0:
        what = "One item is" if open_items == 1 else f"{open_items} items are"
        if verifying:
            raise Refused(f"{what} not verified yet. Say what you saw, or skip the step with a reason.")
        raise Refused(f"{what} not ticked yet. Tick what holds, or skip the step with a reason.")
    for about, answer in step_run.observed.items() if verifying else ():
        if not answer["holds"]:
            raise Refused(f"“{_expected(step_run, about)}” does not hold: try again, or say what you see now.")
    ran = step_run.runs.filter(status=RunStatus.SUCCEEDED).exists()
    if verifying and not (note or ran or step_run.observed):
        raise Refused("Say what you saw: the value itself, not that it is right.", code="observation")


def judge_runs(step_run: StepRun, latest: Mapping[int, CommandRun]) -> bool:
    """Keep what the commands of a verification printed beside what is expected; False if something does not hold.

    Where only a person can tell nothing is kept. Called in the transaction that ended a command, the walk locked.
    """
    found: dict[str, dict[str, Any]] = {}
    for index, command in enumerate(commands_of(step_run)):
        run = latest.get(index)
        if run is None or run.waits or not any(item["assertion"] for item in command["expected"]):
            continue
        printed = output.beginning(run=run, limit=JUDGED_BYTES)
        for at, item in enumerate(command["expected"]):
            verdict = judge(item["assertion"], printed, run.exit_code)
            if verdict.ok is not None:
                answer = {"text": verdict.reason[:_LONGEST], "holds": verdict.ok, "by": "", "run": run.pk}
                found[f"command:{index}:{at}"] = answer
    if found:
        step_run.observed = {**step_run.observed, **found}
        step_run.save(update_fields=["observed"])
    return all(answer["holds"] for answer in step_run.observed.values())


def complete(step_run: StepRun) -> bool:
    """Every item of the step's list holds; True for a step without one."""
    return len(step_run.ticked) >= len(compiled_step(step_run).get("items", []))


def _expected(step_run: StepRun, about: str) -> str:
    """What is expected there, in the words of the text."""
    match = _ABOUT.match(about)
    if match is None:
        raise Refused("This step expects nothing like that.")
    if match["item"]:
        found = compiled_step(step_run).get("items", [])
        index = int(match["item"])
    else:
        commands = commands_of(step_run)
        found = commands[int(match["command"])]["expected"] if int(match["command"]) < len(commands) else []
        index = int(match["expected"])
    if index >= len(found):
        raise Refused("This step expects nothing like that.")
    return walk.plain(found[index]["text"])[:160]


def _ticked(step_run: StepRun, about: str, holds: bool) -> list[int]:
    ticked = set(step_run.ticked)
    if about.startswith("item:"):
        item = int(about.removeprefix("item:"))
        ticked = ticked | {item} if holds else ticked - {item}
    return sorted(ticked)


def _follow(step_run: StepRun) -> None:
    """A verification in which something does not hold has failed, until it holds."""
    if any(not answer["holds"] for answer in step_run.observed.values()):
        STEP.move(step_run, to=S.FAILED, only_from={S.PENDING, S.CURRENT, S.PASSED}, changed_at=Now())
    else:
        STEP.move(step_run, to=S.CURRENT, only_from={S.FAILED, S.PENDING}, changed_at=Now())


def _keep(step_run: StepRun, by: User, **values: Any) -> None:
    for name, value in values.items():
        setattr(step_run, name, value)
    step_run.changed_at, step_run.changed_by = Now(), by
    step_run.save(update_fields=[*values, "changed_at", "changed_by"])
