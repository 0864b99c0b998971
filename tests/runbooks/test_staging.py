"""A document of several runbooks: each keeps its own part, an edit is a change of that part alone."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from runbooks import library, staging
from runbooks.compiler import compile_text
from runbooks.compiler.encoding import decode
from runbooks.compiler.slices import slices_of
from runbooks.models import Runbook, Version

pytestmark = pytest.mark.django_db

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "documents"
TEXT = """# Shop runbooks

## Outages

### Shop down

1. Look at the pods

   ```bash
   kubectl get pods
   ```

### Shop slow

1. Look at the load

   ```bash
   kubectl top pods
   ```

## Routines

### Close the shop

1. Tell the customers
"""


def staged(text: str, path: str = "shop.md") -> dict[str, staging.Staged]:
    document: dict[str, Any] = dict(compile_text(text, path=path))
    return {item.title: item for item in staging.stage(document, text, prefix="import:")}


def imported(text: str = TEXT, by: User | None = None) -> library.ImportReport:
    return library.import_text(text=text, path="shop.md", by=by, publish=True)


def test_every_runbook_keeps_its_own_part_of_the_text() -> None:
    imported()
    texts = dict(Version.objects.values_list("runbook__title", "text"))
    assert texts["Shop slow"] == TEXT[TEXT.index("### Shop slow") : TEXT.index("## Routines")]
    assert TEXT.count(texts["Shop down"]) == 1


def test_a_part_compiles_alone_to_what_it_was_in_its_document() -> None:
    imported()
    version = Version.objects.get(runbook__title="Shop down")
    alone = staging.compiled_alone(version.text, path="shop.md", under=version.under, given=version.given)
    assert alone.compiled == version.compiled
    assert alone.compiled["category"] == "Outages"
    assert alone.sha256 == version.sha256


def test_an_edit_changes_the_version_of_its_own_runbook_only() -> None:
    imported()
    edited = TEXT.replace("kubectl top pods", "kubectl top pods -A")
    found = staged(edited)
    assert {title: item.state for title, item in found.items()} == {
        "Shop down": "same",
        "Shop slow": "changed",
        "Close the shop": "same",
    }
    (change,) = found["Shop slow"].changes
    assert (change.before, change.after) == ("kubectl top pods", "kubectl top pods -A")
    report = imported(edited)
    assert (len(report.updated), len(report.unchanged)) == (1, 2)
    assert Runbook.objects.get(title="Shop slow").versions.count() == 2


def test_lines_that_only_moved_are_no_change() -> None:
    imported()
    found = staged(TEXT.replace("# Shop runbooks\n", "# Shop runbooks\n\nRead this first.\n"))
    assert {item.state for item in found.values()} == {"same"}


def test_a_version_that_was_edited_here_is_never_overwritten_silently(django_user_model: Any) -> None:
    imported()
    runbook = Runbook.objects.get(title="Shop slow")
    mine = runbook.versions.get()
    Version.objects.filter(pk=mine.pk).update(edited=True)
    assert staged(TEXT)["Shop slow"].state == "same"
    edited = TEXT.replace("Look at the load", "Look at all loads")
    assert staged(edited)["Shop slow"].state == "conflict"
    report = imported(edited)
    runbook.refresh_from_db()
    assert runbook.current == mine
    assert [version.state for version in report.conflicts] == ["draft"]
    assert "edited here" in str(report)


def test_a_renamed_heading_is_the_same_runbook() -> None:
    imported()
    runbook = Runbook.objects.get(title="Shop slow")
    imported(TEXT.replace("### Shop slow", "### Shop is slow"))
    runbook.refresh_from_db()
    assert (runbook.title, runbook.origin) == ("Shop is slow", "import:shop.md#shop-is-slow")
    assert Runbook.objects.count() == 3


def test_a_runbook_that_left_the_document_is_told_and_kept() -> None:
    imported()
    text = TEXT[: TEXT.index("## Routines")]
    document: dict[str, Any] = dict(compile_text(text, path="shop.md"))
    found = staging.stage(document, text, prefix="import:")
    assert [r.title for r in staging.vanished(document, found, prefix="import:")] == ["Close the shop"]
    imported(text)
    assert not Runbook.objects.get(title="Close the shop").archived


@pytest.mark.parametrize("number", ["000", "001", "002", "003", "004"])
def test_parts_of_a_real_document_are_verbatim_and_do_not_overlap(number: str) -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip("the folder shared/documents beside the checkout is missing: put Markdown runbooks there")
    (file,) = DOCUMENTS.glob(f"{number}*")
    text = decode(file.read_bytes()).text
    document = compile_text(text, path=file.name)
    parts = slices_of(text, list(document["runbooks"]))
    lines = text.splitlines(keepends=True)
    covered: set[int] = set()
    for part in parts:
        span = range(part.line, part.line + len(part.text.splitlines()))
        assert "".join(lines[part.line - 1 : part.line - 1 + len(span)]) == part.text
        assert covered.isdisjoint(span)
        covered |= set(span)
    contents = staging.contents_of(document, text)
    assert all(content.under for content in contents), "a part that cannot stand alone keeps the whole document"
    for content, full in zip(contents, document["runbooks"], strict=True):
        assert content.compiled["symptoms"] == full["symptoms"]
        alone = staging.compiled_alone(content.text, path=file.name, under=content.under, given=content.given)
        assert alone.compiled == content.compiled
