"""Taking the record of an execution out, for people and for machines."""

import json

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest
from runbooks import record, record_markdown
from runbooks.views.walking import fetch


@require_GET
@access.needs("see_console")
def as_markdown(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """The record as a document."""
    opened = fetch(request, number, execution)
    found = record.export(execution=opened.execution, by=opened.user, form="md")
    name = record.file_name(opened.execution, "md")
    return _file(record_markdown.written(found), name, "text/markdown; charset=utf-8")


@require_GET
@access.needs("see_console")
def as_json(request: HtmxRequest, execution: int, number: int | None = None) -> HttpResponse:
    """The record as `audit_verify --record` reads it."""
    opened = fetch(request, number, execution)
    found = record.export(execution=opened.execution, by=opened.user, form="json")
    text = json.dumps(found, ensure_ascii=False, indent=1)
    return _file(text + "\n", record.file_name(opened.execution, "json"), "application/json")


def _file(text: str, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(text, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
