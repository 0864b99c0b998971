"""The list of incidents, and the same list as CSV."""

import csv
from collections.abc import Iterator
from datetime import datetime

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from erpops import access
from erpops.htmx import HtmxRequest, page
from incidents import feeds
from incidents.access import visible_environments
from incidents.choices import Severity
from incidents.queries import MAX_ROWS, VIEWS, IncidentFilter, IncidentRow, filtered, incident_page, prepared

_HEADER = [
    "number", "severity", "title", "status", "environment", "service", "commander", "started (UTC)",
    "acknowledged (UTC)", "resolved (UTC)", "resolution", "drill",
]  # fmt: skip


@require_GET
@access.needs("see_console")
def incidents(request: HtmxRequest) -> HttpResponse:
    """Find and compare. Filters live in the address."""
    wanted = IncidentFilter.of(request.GET)
    position = feeds.version()
    rows, more = incident_page(request.user, wanted)
    here = {"view": wanted.view, "q": wanted.text, "severity": wanted.severity, "environment": wanted.environment}
    kept: dict[str, str] = {key: value for key, value in here.items() if value}
    context = {
        "wanted": wanted,
        "rows": rows,
        "views": [
            {"label": label, "url": "?" + urlencode({**kept, "view": key}), "active": key == wanted.view}
            for key, label in VIEWS.items()
        ],
        "severities": Severity.values,
        "environments_here": visible_environments(request.user),
        "next_url": "?" + urlencode({**kept, "before": str(more)}) if more else "",
        "first_url": "?" + urlencode(kept) if wanted.before else "",
        "clear_url": "?" + urlencode({"view": wanted.view}),
        "csv_url": reverse("incidents_csv") + "?" + urlencode(kept),
        "self_url": "?" + urlencode({**kept, **({"before": str(wanted.before)} if wanted.before else {})}),
        "position": position,
    }
    return page(request, "incidents/list.html", "incidents/list_part.html", context)


@require_GET
@access.needs("see_console")
def export(request: HtmxRequest) -> HttpResponse:
    """What the list shows, all pages of it (at most 5,000 incidents), for a spreadsheet."""
    wanted = IncidentFilter.of(request.GET)
    rows = prepared(filtered(request.user, wanted), limit=MAX_ROWS)
    response = HttpResponse("".join(_lines(rows)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="incidents.csv"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class _Line:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _lines(rows: list[IncidentRow]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield "\ufeff" + str(writer.writerow(_HEADER))
    for row in rows:
        yield str(writer.writerow([inert(cell) for cell in _cells(row)]))


def _cells(row: IncidentRow) -> list[str]:
    incident = row.incident
    return [
        incident.reference,
        incident.severity,
        incident.title,
        incident.get_status_display(),
        incident.environment.label,
        incident.service.label if incident.service else "",
        row.commander,
        _utc(incident.started_at),
        _utc(incident.acknowledged_at),
        _utc(incident.resolved_at),
        incident.resolution,
        "yes" if incident.is_drill else "",
    ]


def _utc(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if value else ""


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip()[:1] in set("=+-@|%") or (cell[:1] in "\t\r\n" and cell) else cell
