"""`manage.py import_runbooks` prints what documents become, and stores them unless told not to."""

import json
import zipfile
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from runbooks.models import Runbook

TEXT = "# Disk full\n\n**Alert**: `DiskFull`\n\n## Diagnosis\n\n1. **Look**\n   ```bash\n   df -h\n   ```\n"


def _run(*args: str) -> str:
    out = StringIO()
    call_command("import_runbooks", *args, stdout=out)
    return out.getvalue()


def test_a_dry_run_prints_the_contract_and_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "disk.md").write_text(TEXT)
    (document,) = json.loads(_run(str(tmp_path), "--dry-run", "--json"))["documents"]
    assert document["path"] == str(tmp_path / "disk.md")
    assert document["runbooks"][0]["phases"][0]["steps"][0]["commands"][0]["text"] == "df -h"
    assert document["unaccounted_lines"] == []


def test_a_summary_names_errors_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text("# A\n\n```sql\nSELECT mean_time FROM pg_stat_statements;\n```\n")
    out = _run(str(tmp_path), "--dry-run")
    assert "bad.md: 1 runbooks, 1 commands" in out
    assert "bad.md:4: sql.renamed-column" in out


@pytest.mark.django_db
def test_an_import_stores_the_runbooks(tmp_path: Path) -> None:
    (tmp_path / "disk.md").write_text(TEXT)
    with pytest.raises(SystemExit):
        _run(str(tmp_path), str(tmp_path / "gone.md"))
    assert [r.alerts for r in Runbook.objects.filter(title="Disk full")] == [["DiskFull"]]


def test_an_empty_folder_is_told_apart_from_success(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No Markdown files there"):
        _run(str(tmp_path), "--dry-run")


@pytest.mark.django_db
def test_a_zip_is_imported_and_published(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("ops/disk.md", TEXT)
    assert "1 new" in _run(str(tmp_path / "all.zip"), "--publish", "--note", "first")
    runbook = Runbook.objects.get(title="Disk full")
    assert runbook.current is not None
    assert (runbook.origin, runbook.current.note) == ("import:ops/disk.md", "first")
