"""Decisions, waits, answers of a verification and the end of a runbook, on a computer and on a phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import axe_violations, post
from tests.stack import Stack

RUNBOOK = """# Store is slow

**Alert**: `StoreIsSlow`

## Diagnosis

1. **Check the disk**

   ```bash
   # Disk usage
   printf 'Filesystem Use%%\\n/dev/sda1 97%%\\n'
   ```

## Resolution

1. **If the disk is full**: free space
2. **If queries are slow**: ask the data team
3. **Wait 10 minutes**

## Verification

- Health check returns 200
"""
_IMPORT = "from runbooks import library; library.import_text(text={text!r}, path='store.md', publish=True)"


@pytest.fixture(scope="module")
def shelf(shared_console: Stack) -> None:
    shared_console.manage("shell", "-c", _IMPORT.format(text=RUNBOOK), timeout=120)


@pytest.fixture(params=[1280, 375])
def page(
    request: pytest.FixtureRequest, chromium: Browser, shared_console: Stack, signed_in: StorageState, shelf: None
) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=shared_console.url,
        viewport={"width": request.param, "height": 800},
        storage_state=signed_in,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    yield page
    assert errors == []
    context.close()


def test_a_walk_with_a_decision_a_wait_and_answers_comes_to_its_end(page: Page) -> None:
    base = begin(page)
    page.goto(f"{base}step/0/")
    page.locator("#run-0").click()
    expect(page.locator("#walk-step-head")).to_contain_text("Passed", timeout=60_000)
    page.goto(f"{base}step/1/")
    full = page.locator("label.choice", has_text="If the disk is full")
    expect(full).to_contain_text("Suggested")
    expect(full).to_contain_text("97 % used")
    assert page.locator("input[name=choice]:checked").count() == 0
    assert axe_violations(page) == []
    page.get_by_label("Not sure").check()
    page.locator("#fork-decide").click()
    expect(page.locator(".fork").get_by_role("link", name="Step 1, Check the disk")).to_be_visible()
    full.locator("input").check()
    page.locator("#fork-decide").click()
    expect(page.locator(".fork-said")).to_contain_text("Decided: If the disk is full")
    done(page)
    page.goto(f"{base}step/2/")
    expect(page.locator("#walk-step-head")).to_contain_text("Branch not taken")
    page.goto(f"{base}step/3/")
    wait(page)
    page.goto(f"{base}step/4/")
    answer(page)
    assert axe_violations(page) == []
    finish(page)


def begin(page: Page) -> str:
    """The address of a fresh walk."""
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option").first.get_attribute("value") or ""
    title = f"Store is slow at {page.viewport_size and page.viewport_size['width']}"
    room = post(page.context, "/i/declare", title=title, severity="SEV3", environment=where).headers["location"]
    for _ in range(120):
        page.goto("/")
        if page.get_by_text("Worker runs").is_visible():
            break
        page.wait_for_timeout(500)
    return post(page.context, f"{room}runbooks/store-is-slow/start").headers["location"].split("step/")[0]


def done(page: Page) -> None:
    page.locator("#done-note").fill("freed 20 GB")
    page.locator("#step-done").click()
    expect(page.locator("#step-title")).to_contain_text("Step 4 of 5")


def wait(page: Page) -> None:
    """It runs, keeps the step from being done, and ends early with a reason."""
    page.locator("#wait-begin-0").click()
    expect(page.locator(".walk-wait [data-countdown]")).to_have_text(re.compile(r"^0?9:\d\d|10:00"))
    page.locator("#step-done").click()
    expect(page.locator("#walk")).to_contain_text("is not over")
    page.locator(".walk-wait-end summary").click()
    page.get_by_label("Why does the wait end early?").fill("quiet already")
    page.get_by_role("button", name="End the wait").click()
    expect(page.locator(".walk-wait")).to_contain_text("ended early")
    page.locator("#step-done").click()
    expect(page.locator("#step-title")).to_contain_text("Step 5 of 5")


def answer(page: Page) -> None:
    """What does not hold leads back; what holds is verified."""
    for text, button in (("503", "It does not"), ("200 OK", "It holds")):
        page.get_by_label("What did you see?").fill(text)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(".observed")).to_contain_text(text)
        if text == "503":
            expect(page.locator(".walk-fails")).to_contain_text("Go back to the decision")


def finish(page: Page) -> None:
    """The sheet lists what is left and asks what becomes of it; nothing is completed in passing."""
    page.locator("#walk-complete").click()
    sheet = page.locator("#sheet-body")
    expect(sheet).to_contain_text("Not done")
    expect(sheet).to_contain_text("5 Verification")
    sheet.locator("#complete-note").fill("verified by the night shift")
    page.wait_for_timeout(600)
    assert axe_violations(page) == []
    sheet.get_by_role("button", name="Complete the runbook").click()
    expect(page.locator(".walk-summary")).to_contain_text("Completed")
    expect(page.locator(".walk-summary")).to_contain_text("5 Verification")
