"""Real documents, imported unedited, walked in a browser from their first step to their last."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import post, sign_in
from tests.stack import ROOT, Stack

DOCUMENTS = ROOT.parent / "shared" / "documents"
# One with options, lists and links; one with branches; one routine with a list; the rest of them below.
FEW = ("deployment-procedures", "database-connectivity-issues", "daily-startup-procedure")


@dataclass
class Told:
    """What a walk met."""

    steps: int = 0
    ticks: int = 0
    taken: int = 0
    left_out: int = 0
    ran: int = 0
    blocked: Counter[str] = field(default_factory=Counter)
    missing_links: int = 0


@pytest.fixture(scope="module")
def shelf(console: Stack) -> dict[str, str]:
    """The imported runbooks: kind by slug."""
    if not DOCUMENTS.is_dir():
        pytest.skip("the folder shared/documents beside the checkout is missing: put Markdown runbooks there")
    listed = console.manage("shell", "-c", _IMPORT.format(folder=str(DOCUMENTS)), timeout=120)
    return dict(line.split(" ") for line in listed.stdout.splitlines() if re.fullmatch(r"[\w-]+ \w+", line))


_IMPORT = """
from pathlib import Path
from runbooks import library
from runbooks.compiler.encoding import decode
for file in sorted(Path("{folder}").iterdir()):
    done = library.import_text(text=decode(file.read_bytes()).text, path=file.name, publish=True)
    for version in done.versions:
        print(version.runbook.slug, version.runbook.kind)
"""


@pytest.fixture(scope="module")
def operator(chromium: Browser, console: Stack) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=console.url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    sign_in(page, *console.first_login)
    yield page
    assert errors == []
    context.close()


@pytest.mark.timeout(500)
@pytest.mark.parametrize("slug", FEW)
def test_a_runbook_of_a_real_document_is_walked_to_its_end(slug: str, shelf: dict[str, str], operator: Page) -> None:
    told = walk(operator, slug, shelf[slug])
    assert told.steps >= 5


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_runbook_of_the_documents_is_walked_to_its_end(shelf: dict[str, str], operator: Page) -> None:
    assert len(shelf) > 50
    for slug, kind in shelf.items():
        if slug not in FEW:
            told = walk(operator, slug, kind)
            print(f"{slug}: {told}")


def walk(page: Page, slug: str, kind: str) -> Told:
    """Start, go through every step by its buttons, and complete."""
    told = Told()
    page.goto(_begin(page, slug, kind))
    total = int(re.search(r"of (\d+)", page.locator("#step-title").inner_text())[1])  # type: ignore[index]
    first = page.url.split("step/")[0]
    for position in range(total):
        page.goto(f"{first}step/{position}/")
        expect(page.locator("#step-title")).to_contain_text(f"Step {position + 1} of {total} — ")
        told.steps += 1
        told.missing_links += page.locator("main").get_by_text("not in the library").count()
        _look_at_commands(page, told, may_run=position == 0)
        _settle(page, told, position)
    page.goto(f"{first}step/{total - 1}/")
    page.locator("#walk-complete").click()
    sheet = page.locator("#sheet-body")
    expect(sheet.get_by_role("button", name="Complete the runbook")).to_be_visible()
    if (note := sheet.locator("#complete-note")).count():
        note.fill("the rest is for tomorrow")
    # It ignores input for a moment after it came into view.
    page.wait_for_timeout(1000)
    sheet.get_by_role("button", name="Complete the runbook").click()
    expect(page.locator(".walk-summary")).to_contain_text("Completed")
    return told


def _begin(page: Page, slug: str, kind: str) -> str:
    """A fresh incident for what answers an alert, a procedure for everything else."""
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option").first.get_attribute("value") or ""
    if kind != "incident":
        return post(page.context, f"/p/start/{slug}", environment=where).headers["location"]
    title = f"Walk of {slug}"
    room = post(page.context, "/i/declare", title=title, severity="SEV3", environment=where).headers["location"]
    return post(page.context, f"{room}runbooks/{slug}/start").headers["location"]


def _look_at_commands(page: Page, told: Told, *, may_run: bool) -> None:
    """Each command has a button, asks for values, or says why it cannot run and takes a pasted result."""
    for command in page.locator("article.command").all():
        act = command.locator(".command-act")
        if act.locator(".walk-paste").count():
            told.blocked[" ".join(act.locator("p.muted").first.inner_text().split()[-12:-9])] += 1
            expect(act.locator("button[id^=run-], a[id^=run-]")).to_have_count(0)
            continue
        button = act.locator("[id^=run-]")
        expect(button).to_have_count(1)
        if may_run and _reads(command) and button.get_attribute("aria-disabled") is None:
            button.click()
            expect(act.get_by_text(re.compile("Attempt 1"))).to_be_visible(timeout=90_000)
            told.ran += 1
            may_run = False


def _reads(command: Locator) -> bool:
    return command.locator('[data-risk="read"]').count() > 0


def _settle(page: Page, told: Told, position: int) -> None:
    """Decide a fork (every second one is left out), tick every item, say what was seen, say that it is done."""
    if (decide := page.locator("#fork-decide")).count():
        page.locator(f'input[name=choice][value="{"none" if position % 2 else position}"]').check()
        decide.click()
        _quiet(page)
        told.left_out += position % 2
    while (tick := page.locator('button.tick[aria-checked="false"]')).count():
        before = tick.count()
        tick.first.click()
        expect(page.locator('button.tick[aria-checked="false"]')).to_have_count(before - 1)
        told.ticks += 1
    while (answer := page.locator(".walk-item-row .observe")).count():
        before = answer.count()
        answer.first.get_by_label("What did you see?").fill("as it should be")
        answer.first.get_by_role("button", name="It holds").click()
        expect(page.locator(".walk-item-row .observe")).to_have_count(before - 1)
        told.ticks += 1
    if (done := page.locator("#step-done")).count():
        page.locator("#done-note").fill("seen")
        done.click()
        told.taken += 1
    _quiet(page)


def _quiet(page: Page) -> None:
    page.wait_for_load_state()
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
