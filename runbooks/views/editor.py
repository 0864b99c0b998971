"""Writing runbooks: a text beside what it becomes, drafts, reviews, differences, older versions."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from erpops.transitions import IllegalMove
from runbooks import differences, editing, library, page_queries, staging
from runbooks.access import get_runbook_for, get_version_for
from runbooks.models import Runbook, Version
from runbooks.refusals import Refused
from runbooks.views.library import reading

TEXT_LIMIT = 2 * 1024 * 1024
TEMPLATE = """# {title}

**Alert**: `{alert}`
**Severity**: Warning
**Response Time**: 15 minutes

What has happened, in two sentences, for somebody who was asleep a minute ago.

## Symptoms

- What people or graphs show

## Immediate Actions (5 minutes)

1. **See whether it answers**
   ```bash
   curl -fsS --max-time 10 "$APP_URL/healthz"
   ```

## Diagnosis

1. **Look at the log**
   ```bash
   journalctl -u <service> --since '15 min ago' --no-pager
   ```

## Resolution

1. **If it hangs**
   ```bash
   systemctl restart <service>
   ```

## Verification

- What proves that it is over

## Escalation

- After 30 minutes, whom to call

## Prevention

- What would have kept it from happening
"""


@access.needs("propose_runbooks")
def new(request: HtmxRequest) -> HttpResponse:
    """A runbook from an empty page, or from a template for an alert."""
    alert = request.GET.get("alert", "").strip()[:200]
    text = request.POST.get("text", "") or TEMPLATE.format(title=alert or "A new runbook", alert=alert or "AlertName")
    problem = ""
    if request.method == "POST":
        try:
            version = library.create(text=_short(text), note=request.POST.get("note", ""), by=request.user)
        except Refused as error:
            problem = str(error)
        else:
            messages.success(request, "Kept as a draft. Ask for a review when it is ready.")
            return redirect("runbook_version", version.runbook.slug, version.number)
    context = _editor(text, None, None) | {"problem": problem, "note": request.POST.get("note", "")}
    return render(request, "runbooks/library/edit.html", context, status=422 if problem else 200)


@access.needs("propose_runbooks")
def edit(request: HtmxRequest, slug: str) -> HttpResponse:
    """The newest version as a text to be changed. Saving makes the next version; nothing is overwritten."""
    runbook = get_runbook_for(request.user, slug)
    latest = page_queries.versions(runbook)[0]
    source = get_version_for(request.user, slug, latest.number)
    if request.method != "POST":
        return render(request, "runbooks/library/edit.html", _editor(source.text, runbook, source))
    text, base = request.POST.get("text", "").replace("\r\n", "\n"), _number(request.POST.get("base"))
    way, _, position = request.POST.get("act", "").partition(":")
    if way in {"up", "down"}:
        return _moved(request, runbook, source, text, position=_number(position), down=way == "down")
    try:
        version = library.draft(
            runbook=runbook, base=base, text=_short(text), note=request.POST.get("note", ""), by=request.user
        )
    except library.Outdated as error:
        context = _editor(text, runbook, error.latest) | {
            "problem": f"{error} Below is your text; what is different from theirs is shown beside it.",
            "hunks": differences.textual(error.latest.text, text),
            "note": request.POST.get("note", ""),
        }
        return render(request, "runbooks/library/edit.html", context, status=409)
    except Refused as error:
        context = _editor(text, runbook, source) | {"problem": str(error), "note": request.POST.get("note", "")}
        return render(request, "runbooks/library/edit.html", context, status=422)
    messages.success(request, f"Kept as version {version.number}, a draft. Ask for a review when it is ready.")
    return redirect("runbook_version", slug, version.number)


def _moved(
    request: HtmxRequest, runbook: Runbook, source: Version, text: str, *, position: int, down: bool
) -> HttpResponse:
    content = _content(text, source)
    if content is not None:
        text = editing.move(text, content.compiled, position, down=down)
    context = _editor(text, runbook, source) | {"note": request.POST.get("note", "")}
    return render(request, "runbooks/library/edit.html", context)


@require_POST
@access.needs("propose_runbooks")
def preview(request: HtmxRequest, slug: str = "") -> HttpResponse:
    """What a text becomes, while it is being written."""
    runbook = get_runbook_for(request.user, slug) if slug else None
    source = None
    if runbook is not None:
        source = get_version_for(request.user, slug, page_queries.versions(runbook)[0].number)
    return render(request, "runbooks/library/_preview.html", _preview(request.POST.get("text", ""), source))


@require_GET
@access.needs("see_console")
def difference(request: HtmxRequest, slug: str, old: int, new: int) -> HttpResponse:
    """What changed from one version to another: in words first, then line by line."""
    before, after = get_version_for(request.user, slug, old), get_version_for(request.user, slug, new)
    context = {
        "runbook": after.runbook,
        "before": before,
        "after": after,
        "changes": differences.semantic(before.compiled, after.compiled),
        "hunks": differences.textual(before.text, after.text),
    }
    return render(request, "runbooks/library/diff.html", context)


@require_POST
@access.needs("propose_runbooks")
def propose(request: HtmxRequest, slug: str, number: int) -> HttpResponse:
    """Ask for a review."""
    version = get_version_for(request.user, slug, number)
    return _act(request, version, library.propose, "It waits for a review.", note=request.POST.get("note", ""))


@require_POST
@access.needs("review_runbooks")
def reject(request: HtmxRequest, slug: str, number: int) -> HttpResponse:
    """Send a version back."""
    version = get_version_for(request.user, slug, number)
    return _act(request, version, library.reject, "It was sent back.", reason=request.POST.get("reason", ""))


@require_POST
@access.needs("propose_runbooks")
def restore(request: HtmxRequest, slug: str, number: int) -> HttpResponse:
    """The text of this version as the next draft."""
    version = library.restore(version=get_version_for(request.user, slug, number), by=request.user)
    messages.success(request, f"Version {number} is version {version.number} now, as a draft.")
    return redirect("runbook_version", slug, version.number)


def _act(request: HtmxRequest, version: Version, act: Any, said: str, **given: str) -> HttpResponse:
    try:
        act(version=version, by=request.user, **given)
    except (Refused, IllegalMove) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
    return redirect("runbook_version", version.runbook.slug, version.number)


def _editor(text: str, runbook: Runbook | None, source: Version | None) -> dict[str, Any]:
    return {"runbook": runbook, "source": source, "text": text, **_preview(text, source)}


def _preview(text: str, source: Version | None) -> dict[str, Any]:
    content = _content(text, source)
    if content is None:
        return {"nothing": True, "long": len(text) > TEXT_LIMIT}
    order = {"error": 0, "warning": 1, "info": 2}
    return {
        "phases": reading(content.compiled),
        "findings": sorted(content.findings, key=lambda f: (order[f["level"]], f["line"])),
        "blocks": editing.blocks(content.text, content.compiled),
        "changes": differences.semantic(source.compiled, content.compiled) if source else [],
    }


def _content(text: str, source: Version | None) -> staging.Content | None:
    if len(text) > TEXT_LIMIT:
        return None
    under, given = (source.under, source.given) if source else (None, {})
    try:
        return staging.compiled_alone(text.replace("\r\n", "\n"), path="edited.md", under=under, given=given)
    except ValueError:
        return None


def _short(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise Refused("The text is longer than 2 MB. Split it, one runbook a situation.")
    return text


def _number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 9 else 0
