"""The import wizard in a browser: documents become reviewable drafts; an edited copy shows its edits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import axe_violations, sign_in
from tests.stack import ROOT, Stack

DOCUMENTS = ROOT.parent / "shared" / "documents"
OWN = """# Pump house

## Pump is down

**Alert**: `PumpDown`
**Severity**: Critical

### Diagnosis

1. Look at the pump

   ```bash
   curl -fsS http://localhost:8080/pump
   ```

2. Ask the database

   ```sql
   SELECT query, mean_time FROM pg_stat_statements LIMIT 5;
   ```

### Verification

- [ ] Water flows

## Contacts

| Name | Phone |
|------|-------|
| Pump keeper | +49 30 5550199 |
"""


@pytest.fixture(scope="module")
def admin(chromium: Browser, console: Stack) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=console.url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    sign_in(page, *console.first_login)
    yield page
    assert errors == []
    context.close()


def upload(page: Page, files: list[Path]) -> None:
    page.goto("/r/import")
    page.locator("#files").set_input_files([str(file) for file in files])
    page.get_by_role("button", name="Upload and look").click()
    expect(page.locator(".stepper [aria-current]")).to_have_text("2 Clean")


def go_on(page: Page) -> None:
    """From Clean to Review."""
    page.get_by_role("link", name="Go on to the parts").click()
    page.get_by_role("button", name="Keep this and review").click()


def keep_drafts(page: Page) -> None:
    page.get_by_role("link", name="Go on to publishing").click()
    page.locator("#import-note").fill("first import")
    page.get_by_role("button", name="Keep as drafts").click()
    expect(page.get_by_text("Kept as drafts")).to_be_visible()


@pytest.mark.timeout(300)
def test_a_document_is_cleaned_split_reviewed_and_kept_and_its_edit_is_shown(admin: Page, tmp_path: Path) -> None:
    file = tmp_path / "pumps.md"
    file.write_text(OWN)
    upload(admin, [file])
    expect(admin.get_by_text("2 of 2")).to_be_visible()
    go_on(admin)
    expect(admin.get_by_text("pg_stat_statements has no column mean_time")).to_be_visible()
    assert axe_violations(admin) == []
    admin.get_by_role("button", name="Accept the fix").click()
    expect(admin.get_by_text("pg_stat_statements has no column mean_time")).to_have_count(0)
    expect(admin.locator("li#L19")).to_contain_text("mean_exec_time")
    keep_drafts(admin)

    file.write_text(OWN.replace("mean_time", "mean_exec_time").replace("Look at the pump", "Look at both pumps"))
    upload(admin, [file])
    go_on(admin)
    admin.get_by_role("link", name="Go on to publishing").click()
    changes = admin.locator(".change-list > li")
    expect(changes).to_have_count(1)
    expect(changes).to_contain_text("Look at both pumps: The title changed.")
    admin.goto("/r/imported/")
    admin.get_by_role("button", name="Add the contact").click()
    expect(admin.get_by_text("Set up")).to_be_visible()


@pytest.mark.timeout(400)
def test_the_real_documents_become_reviewable_drafts(admin: Page, tmp_path: Path) -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip("the folder shared/documents beside the checkout is missing: put Markdown runbooks there")
    files = sorted(DOCUMENTS.iterdir())
    upload(admin, files)
    counter = admin.locator(".pagehead-sub")
    blocks = counter.locator(".num").first.inner_text().split(" of ")
    lines = counter.locator(".num").nth(1).inner_text().split(" of ")
    assert blocks[0] == blocks[1]
    assert lines[0] == lines[1]
    assert int(blocks[1]) == 286
    expect(admin.get_by_text("were damaged by a program")).to_have_count(1)
    go_on(admin)
    count = int(admin.locator(".review-moves .num").inner_text().split(" of ")[1])
    assert count > 60
    admin.goto(f"{admin.url.split('?')[0]}?at={count - 1}")
    expect(admin.locator(".review-moves .num")).to_have_text(f"{count} of {count}")
    keep_drafts(admin)
    _edited_copy_shows_its_edits(admin, files[1], tmp_path)


def _edited_copy_shows_its_edits(page: Page, file: Path, folder: Path) -> None:
    text = file.read_text()
    edits = [
        ("--tail=100 | grep ERROR", "--tail=500 | grep ERROR"),
        ("kubectl top nodes", "kubectl top nodes --no-headers"),
    ]
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    copy = folder / file.name
    copy.write_text(text)
    upload(page, [copy])
    go_on(page)
    page.get_by_role("link", name="Go on to publishing").click()
    changes = page.locator(".change-list > li")
    expect(changes).to_have_count(len(edits))
    for _, new in edits:
        expect(changes.filter(has_text=new)).to_have_count(1)
