"""The library as Markdown: one file, or all of it as a zip that imports again to the same thing."""

import io
import json
import zipfile
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from runbooks.models import Runbook

MANIFEST = "erpops-library.json"


def markdown(runbook: Runbook) -> str:
    """The published text; of one of several runbooks of a document, its part."""
    return runbook.current.text if runbook.current else ""


def archive(runbooks: QuerySet[Runbook]) -> bytes:
    """Every published runbook as a file of its own, and a manifest with what a file cannot say."""
    out = io.BytesIO()
    shelf = list(runbooks.filter(current__isnull=False).select_related("current").order_by("slug"))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for runbook in shelf:
            file.writestr(f"{runbook.slug}.md", markdown(runbook))
        file.writestr(MANIFEST, json.dumps(_manifest(shelf), ensure_ascii=False, indent=1, sort_keys=True))
    return out.getvalue()


def _manifest(shelf: Iterable[Runbook]) -> dict[str, Any]:
    found = {}
    for runbook in shelf:
        if runbook.current is not None:
            version = runbook.current
            found[f"{runbook.slug}.md"] = {
                "origin": runbook.origin,
                "under": version.under,
                "given": version.given,
                "sha256": version.sha256,
            }
    return {"format": 1, "runbooks": found}


def read_manifest(body: bytes) -> dict[str, dict[str, Any]]:
    """What an exported library says of its files; empty for anything else."""
    try:
        data = json.loads(body)
        entries = data["runbooks"] if data["format"] == 1 else {}
    except (ValueError, KeyError, TypeError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {str(path): entry for path, entry in entries.items() if _sound(entry)}


def _sound(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("origin"), str) or len(entry["origin"]) > 300:
        return False
    under, given = entry.get("under"), entry.get("given")
    if not isinstance(given, dict):
        return False
    return under is None or (isinstance(under, dict) and isinstance(under.get("trail"), list) and "category" in under)
