"""The import wizard: Upload → Clean → Split → Review → Publish. Each stage has an address and can be left."""

from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import differences, fixes, import_queries, importing, page_queries, uploads
from runbooks.access import get_import_file_for, get_import_for, get_item_for, visible_items
from runbooks.compiler.encoding import decode
from runbooks.models import ImportFile
from runbooks.refusals import Refused
from runbooks.uploads import Brought, Upload
from runbooks.views.library import reading

STAGES = (("clean", "Clean"), ("split", "Split"), ("review", "Review"), ("publish", "Publish"))
_CHANGED_LINES = 200


@access.needs("publish_runbooks")
def start(request: HtmxRequest) -> HttpResponse:
    """Upload files, a folder or a zip; paste a text; or take a folder of the server. Unfinished imports go on here."""
    problem = ""
    if request.method == "POST":
        try:
            brought, source = _brought(request)
            batch = importing.begin(brought=brought, source=source, by=request.user)
        except (Refused, ValueError) as error:
            problem = str(error)
        else:
            for sentence in brought.problems[:5]:
                messages.warning(request, sentence)
            return redirect("import_clean", batch.pk)
    context = {
        "problem": problem,
        "unfinished": import_queries.unfinished(),
        "folders": bool(settings.RUNBOOKS_DIR),
        "open_items": visible_items(request.user).filter(state="proposed").count(),
        "name": request.POST.get("name", ""),
        "text": request.POST.get("text", "") if problem else "",
    }
    return render(request, "runbooks/import/start.html", context, status=422 if problem else 200)


def _brought(request: HtmxRequest) -> tuple[Brought, str]:
    files = cast("list[Upload]", request.FILES.getlist("files") + request.FILES.getlist("folder"))
    if files:
        named = files[0].name or "a file"
        return uploads.from_files(files), named if len(files) == 1 else f"{named} and {len(files) - 1} more"
    if request.POST.get("below") is not None and settings.RUNBOOKS_DIR:
        below = request.POST["below"].strip()
        brought, commit = uploads.from_folder(Path(settings.RUNBOOKS_DIR), below)
        return brought, f"{below or 'the runbook folder'}{f' at {commit[:12]}' if commit else ''}"
    if request.POST.get("text", "").strip():
        name = request.POST.get("name", "").strip()
        if not name:
            raise Refused("Give the pasted text a name, for example database.md.")
        return uploads.from_paste(name, request.POST["text"]), name
    return Brought(), ""


@require_GET
@access.needs("publish_runbooks")
def clean(request: HtmxRequest, batch: int) -> HttpResponse:
    """What had to be repaired before the text could be read, before and after."""
    found = get_import_for(request.user, batch)
    shown = [_cleaned(file) for file in found.files.all()]
    return _stage(request, "clean", found, {"files": shown, "repaired": sum(bool(each["repair"]) for each in shown)})


def _cleaned(file: ImportFile) -> dict[str, Any]:
    decoded = decode(bytes(file.raw))
    as_it_came = bytes(file.raw).decode("utf-8", "replace").replace("\r\n", "\n")
    hunks = differences.textual(as_it_came, decoded.text, context=0) if as_it_came != decoded.text else []
    return {
        "file": file,
        "repair": decoded.repair,
        "notes": [message for _, message in decoded.notes],
        "rows": [row for hunk in hunks for row in hunk][:_CHANGED_LINES],
        "count": sum(row.sign == "+" for hunk in hunks for row in hunk),
    }


@access.needs("publish_runbooks")
def split(request: HtmxRequest, batch: int) -> HttpResponse:
    """What each part of each document became; a person may say otherwise."""
    found = get_import_for(request.user, batch)
    if request.method == "POST":
        try:
            for file in found.files.all():
                given = {
                    key.removeprefix(f"kind:{file.pk}:"): value
                    for key, value in request.POST.items()
                    if key.startswith(f"kind:{file.pk}:")
                }
                importing.label(file=file, kinds={key: str(value) for key, value in given.items()}, by=request.user)
        except Refused as error:
            messages.error(request, str(error))
            return redirect("import_split", batch)
        return redirect("import_review", batch)
    parts = [import_queries.parts_of(file) for file in found.files.all()]
    return _stage(request, "split", found, {"parts": parts, "kinds": importing.KINDS})


@require_GET
@access.needs("publish_runbooks")
def review(request: HtmxRequest, batch: int) -> HttpResponse:
    """One runbook at a time: its source beside what it becomes, and what was noticed in it."""
    found = get_import_for(request.user, batch)
    pages = import_queries.pages_of(found)
    if not pages:
        return _stage(request, "review", found, {"page": None, "pages": []})
    at = request.GET.get("at", "0")
    index = min(int(at), len(pages) - 1) if at.isdecimal() and len(at) < 6 else 0
    page = pages[index]
    content = page.staged.content
    context = {
        "page": page,
        "pages": pages,
        "index": index,
        "before": index - 1 if index else None,
        "after": index + 1 if index + 1 < len(pages) else None,
        "phases": reading(content.compiled),
        "commands": page_queries.commands_of(content.compiled),
        "findings": [_shown(page.file, finding) for finding in page.findings],
        "manual": set(page.file.decisions.get("manual", [])),
    }
    return _stage(request, "review", found, context)


def _shown(file: ImportFile, finding: dict[str, Any]) -> dict[str, Any]:
    """A finding with its mark, its line, and that line corrected where that can be done."""
    lines = file.text.split("\n")
    line = lines[finding["line"] - 1] if finding["line"] <= len(lines) else ""
    fix = (fixes.corrected(finding, line) or "").strip()
    return {**finding, "mark": importing.mark_of(finding), "text": line, "fix": fix}


@require_POST
@access.needs("publish_runbooks")
def act(request: HtmxRequest, batch: int, file: int) -> HttpResponse:
    """Accept a fix, edit lines, keep a command for a person's hands, or dismiss a finding with a reason."""
    found = get_import_file_for(request.user, batch, file)
    given = request.POST
    try:
        match given.get("act", ""):
            case "fix":
                importing.accept_fix(file=found, mark=given.get("mark", ""), by=request.user)
            case "edit":
                first, last = _whole(given.get("first")), _whole(given.get("last"))
                importing.edit(file=found, first=first, last=last, text=given.get("text", ""), by=request.user)
            case "manual":
                importing.keep_manual(file=found, line=_whole(given.get("line")), by=request.user)
            case "dismiss":
                reason = given.get("reason", "")
                importing.dismiss(file=found, mark=given.get("mark", ""), reason=reason, by=request.user)
            case _:
                raise Refused("Choose what to do: accept the fix, edit, keep for a person's hands, or dismiss.")
    except Refused as error:
        messages.error(request, str(error))
    at = given.get("at", "0")
    return redirect(f"{reverse('import_review', args=[batch])}?at={at if at.isdecimal() else 0}")


def _whole(value: str | None) -> int:
    if not value or not value.isdecimal() or len(value) > 8:
        raise Refused("Say which lines, as whole numbers.")
    return int(value)


@access.needs("publish_runbooks")
def publish(request: HtmxRequest, batch: int) -> HttpResponse:
    """What would be stored beside what the library has, with the changes of each; then storing it."""
    found = get_import_for(request.user, batch)
    if request.method == "POST":
        try:
            report = importing.finish(
                batch=found,
                take=request.POST.getlist("take"),
                publish=request.POST.get("act") == "publish",
                note=request.POST.get("note", "").strip()[:300],
                by=request.user,
            )
        except Refused as error:
            messages.error(request, str(error))
            return redirect("import_publish", batch)
        done = "Published" if request.POST.get("act") == "publish" else "Kept as drafts"
        messages.success(request, f"{done}: {report}")
        return redirect("runbooks")
    return _stage(request, "publish", found, {"files": import_queries.standing(found)})


@require_POST
@access.needs("publish_runbooks")
def discard(request: HtmxRequest, batch: int) -> HttpResponse:
    """Give the import up."""
    found = get_import_for(request.user, batch)
    try:
        importing.discard(batch=found, by=request.user)
    except Refused as error:
        messages.error(request, str(error))
    return redirect("runbook_import")


@require_GET
@access.needs("see_console")
def items(request: HtmxRequest) -> HttpResponse:
    """Contacts, escalation rules, thresholds, schedules and codes that documents brought along."""
    context = {
        "groups": import_queries.item_groups(visible_items(request.user)),
        "may_edit": access.can(request.user, "publish_runbooks"),
    }
    return render(request, "runbooks/import/items.html", context)


@require_POST
@access.needs("publish_runbooks")
def decide_item(request: HtmxRequest, item: int) -> HttpResponse:
    """Make what an item proposes, say that it was set up by hand, or set it aside."""
    found = get_item_for(request.user, item)
    try:
        match request.POST.get("act", ""):
            case "make":
                importing.make(item=found, by=request.user)
            case "made":
                importing.mark_made(item=found, by=request.user)
            case "dismiss":
                importing.set_aside(item=found, by=request.user)
            case _:
                raise Http404("There is no such act.")
    except ValueError as error:
        messages.error(request, str(error))
    return redirect("imported_items")


def _stage(request: HtmxRequest, stage: str, batch: Any, context: dict[str, Any]) -> HttpResponse:
    counted = import_queries.counted(batch)
    steps = [(name, label, reverse(f"import_{name}", args=[batch.pk])) for name, label in STAGES]
    shared = {"batch": batch, "stage": stage, "steps": steps, "counted": counted}
    return render(request, f"runbooks/import/{stage}.html", shared | context)
