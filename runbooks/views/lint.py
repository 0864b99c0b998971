"""The rules of lint: a page for all, and one for each."""

from itertools import groupby

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks.compiler.lint import RULES, versions


@require_GET
@access.needs("see_console")
def index(request: HtmxRequest) -> HttpResponse:
    """Every rule, by what it is about."""
    rules = sorted(RULES.values(), key=lambda rule: rule.id)
    families = [(family, list(members)) for family, members in groupby(rules, key=lambda rule: rule.family)]
    return render(request, "runbooks/lint/index.html", {"families": families})


@require_GET
@access.needs("see_console")
def rule(request: HtmxRequest, name: str) -> HttpResponse:
    """One rule: why it matters, what to do, and an example of each kind."""
    found = RULES.get(name)
    if found is None:
        raise Http404("There is no such rule.")
    shown = {
        "bad": "" if ":" in found.bad[:5] else found.bad.strip(),
        "good": "" if ":" in found.good[:5] else found.good.strip(),
    }
    known = [gone for gone in versions.table() if gone.rule == name]
    return render(request, "runbooks/lint/rule.html", {"rule": found, "known": known, **shown})
