"""Acts on a step as a whole: values, done, skipped, a pasted result."""

from collections.abc import Mapping
from typing import cast

from django.forms import Form
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import answers, executions, observing, page_marks, parameters, runner
from runbooks.choices import RunStatus
from runbooks.compiler.contract import Parameter
from runbooks.forms import PasteForm, SkipForm
from runbooks.refusals import Refused
from runbooks.views import walking
from runbooks.views.walking import REFUSALS, Walk, act_on


@require_POST
@access.needs("run_commands")
def values(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Keep the values that this step's commands ask for."""
    opened = act_on(request, number, execution, position)
    typed = {name: request.POST.get(f"value:{name}", "").strip() for name in _asked(opened)}
    wrong = {name: sentence for name, sentence in _wrong(opened, typed).items() if sentence}
    if wrong:
        opened.typed, opened.wrong = typed, wrong
        if not request.htmx:
            opened.refused = " ".join(f"{name}: {sentence}" for name, sentence in wrong.items())
        return walking.whole(request, opened, status=422)
    try:
        adopt(opened, typed)
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    known = {answer.name: answer.value for answer in opened.step.parameters}
    changed = {name: value for name, value in typed.items() if value != known[name]}
    origin = {"from": "given", "step": position}
    return settle(
        request, opened, executions.set_values, execution=opened.execution, values=changed, origin=origin, stay=True
    )


def adopt(opened: Walk, values: Mapping[str, str]) -> None:
    """Keep what an alert or the environment filled in and is used now: from here on it is the walk's one value."""
    for source in answers.PASSING:
        found = {
            a.name: a.value for a in opened.step.parameters if a.source == source and values.get(a.name) == a.value
        }
        if found:
            origin = {"from": source, "step": opened.position}
            executions.set_values(execution=opened.execution, values=found, by=opened.user, origin=origin)


def _asked(opened: Walk) -> list[str]:
    return [answer.name for answer in opened.step.parameters]


def _wrong(opened: Walk, typed: dict[str, str]) -> dict[str, str]:
    """A sentence per value that its type refuses; an empty one is allowed, the command just stays shut."""
    asked = executions.parameters_of(opened.execution)
    return {
        name: parameters.validate(cast("Parameter", asked[name]), value) or "" for name, value in typed.items() if value
    }


@require_POST
@access.needs("run_commands")
def done(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """A person says that the step is done; for a list, every item of it must have been ticked."""
    opened = act_on(request, number, execution, position)
    note = request.POST.get("note", "").strip()[:4000]
    return settle(request, opened, executions.mark_done, step_run=opened.step.run, note=note)


@require_POST
@access.needs("run_commands")
def tick(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Tick an item of the step's list, or take the tick away."""
    opened = act_on(request, number, execution, position)
    item = request.POST.get("item", "")
    known = item.isdecimal() and int(item[:6]) < len(opened.step.items)
    try:
        if not known:
            raise Refused("This step has no such item.")
        observing.tick(
            step_run=opened.step.run, item=int(item), ticked=request.POST.get("ticked") == "1", by=request.user
        )
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    return walking.leaves(request, walking.again(opened))


@require_POST
@access.needs("run_commands")
def skip(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Leave the step out, with the reason that stands in the timeline."""
    opened = act_on(request, number, execution, position)
    form = SkipForm(request.POST)
    if not form.is_valid():
        opened.refused = _sentences(form)
        return walking.whole(request, opened, status=422)
    return settle(request, opened, executions.skip, step_run=opened.step.run, reason=form.said)


@require_POST
@access.needs("run_commands")
def reads(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Run the step's reading commands one after the other, as long as each succeeds.

    The page that asked for it asks again with `after`, the command that it waits for. So the chain
    ends when nobody watches it any more. `attempts` are the numbers that the page expects each command to get: two
    pages that ask for the same run nothing twice.
    """
    opened = act_on(request, number, execution, position)
    after = request.POST.get("after", "")
    before = next((c for c in opened.step.commands if str(c.index) == after), None)
    if before is not None and before.live:
        return HttpResponse(status=204)
    batch = walking.unread(opened.step)
    if before is not None and (before.latest is None or before.latest.status != RunStatus.SUCCEEDED):
        return walking.chained(request, opened, None, ended_at=before.index)
    wanted = _attempts(request.POST.get("attempts", "")) or page_marks.attempts(opened.step.reads)
    if not batch or opened.step.busy:
        return walking.chained(request, opened, None)
    following = batch[0].index
    attempt = wanted.get(following, batch[0].following)
    try:
        adopt(opened, chosen(opened))
        runner.request(
            step_run=opened.step.run, command=following, by=request.user, values=chosen(opened), attempt=attempt
        )
    except REFUSALS as error:
        return walking.chained(request, walking.refused(opened, error, at=following), None)
    return walking.chained(request, walking.again(opened), following, attempts=wanted)


def _attempts(told: str) -> dict[int, int]:
    """Attempt by command, as the form says it: `0:1 2:3`. What is not of that shape says nothing."""
    pairs = (pair.partition(":") for pair in told.split()[:100])
    return {int(at[:4]): int(number[:6]) for at, _, number in pairs if at.isdecimal() and number.isdecimal()}


@require_POST
@access.needs("run_commands")
def paste(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """Keep what a command printed that was run somewhere else, as a note."""
    opened = act_on(request, number, execution, position)
    form = PasteForm(request.POST)
    if not form.is_valid():
        opened.refused = _sentences(form)
        return walking.whole(request, opened, status=422)
    text = form.note(step=f"Step {position + 1}, {opened.step.title}", commands=opened.step.commands)
    executions.keep_note(execution=opened.execution, text=text, by=request.user)
    response = walking.whole(request, walking.again(opened))
    response.headers["HX-Trigger"] = '{"toast": {"text": "Kept in the timeline."}}'
    return response


def _sentences(form: Form) -> str:
    return " ".join(str(message) for errors in form.errors.values() for message in errors)


def chosen(opened: Walk) -> dict[str, str]:
    """The values as the page shows them: given ones, else the alert's, else the text's own."""
    return {answer.name: answer.value for answer in opened.step.parameters if answer.value}


def settle(request: HtmxRequest, opened: Walk, act: object, *, stay: bool = False, **given: object) -> HttpResponse:
    """Do `act`; then the step that the holder is pointed at is shown, or the same one if it is to `stay`."""
    assert callable(act)
    try:
        act(by=request.user, **given)
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    fresh = walking.again(opened)
    if stay or fresh.execution.position == opened.position:
        return walking.whole(request, fresh)
    return walking.whole(request, walking.again(opened, fresh.execution.position), moved=True)
