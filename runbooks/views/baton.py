"""The baton of a walk: taking it or asking for it, answering, and leaving."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import baton, executions
from runbooks.views import walking
from runbooks.views.walking import REFUSALS, act_on, sent_position


@require_POST
@access.needs("run_commands")
def take(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """Take the baton if nobody uses it, else ask its holder."""
    opened = act_on(request, number, execution, sent_position(request))
    try:
        baton.take_over(execution=opened.execution, by=request.user)
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    return walking.whole(request, walking.again(opened))


@require_POST
@access.needs("run_commands")
def answer(request: HtmxRequest, execution: int, asked: int, number: int | None = None) -> HttpResponse:
    """The holder's word to whoever asked (`give` or `keep`), or theirs that they `withdraw`."""
    opened = act_on(request, number, execution, sent_position(request))
    found = opened.execution.baton_requests.select_related("by", "execution").filter(pk=asked).first()
    if found is None:
        raise Http404("Nobody asked for the baton here.")
    said = request.POST.get("answer", "")
    try:
        if said == "give":
            baton.give(request=found, by=request.user)
        elif said == "keep":
            baton.keep(request=found, word=request.POST.get("word", ""), by=request.user)
        elif said == "withdraw":
            baton.withdraw(request=found, by=request.user)
        else:
            return HttpResponse("The answer is give, keep or withdraw.", status=400, content_type="text/plain")
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    fresh = walking.again(opened)
    # Only the baton moving changes every button; whatever is typed in the step stays otherwise.
    return walking.whole(request, fresh) if said == "give" else walking.leaves(request, fresh)


@require_POST
@access.needs("run_commands")
def pause(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """The holder leaves; a bookmark stays."""
    opened = act_on(request, number, execution, sent_position(request))
    try:
        executions.pause(execution=opened.execution, by=request.user)
    except REFUSALS as error:
        return walking.whole(request, walking.refused(opened, error), status=409)
    return walking.whole(request, walking.again(opened))
