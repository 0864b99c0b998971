"""Two people in one room, in a real browser: what one does the other sees, and nobody loses what they type."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.stack import Stack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desks(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[tuple[Page, Page]]:
    """Two browsers; a script error in either fails the test."""
    errors: list[str] = []
    contexts = []
    for width in (1280, 1000):
        context = chromium.new_context(
            base_url=shared_console.url, storage_state=signed_in, viewport={"width": width, "height": 800}
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
    pages = [context.new_page() for context in contexts]
    for page in pages:
        page.on("pageerror", lambda error: errors.append(str(error)))
    yield pages[0], pages[1]
    for context in contexts:
        context.close()
    assert errors == []


def _declare(page: Page, title: str) -> str:
    page.goto("/")
    page.get_by_role("link", name="Declare incident").click()
    sheet = page.locator("#sheet[open]")
    sheet.get_by_label("What is wrong").fill(title)
    sheet.get_by_role("radio", name="SEV3").check()
    page.wait_for_timeout(500)
    sheet.get_by_role("button", name="Declare the incident").click()
    page.wait_for_url(re.compile(r"/i/\d+/$"))
    return page.url


def test_two_people_work_one_incident(desks: tuple[Page, Page]) -> None:
    one, other = desks
    room = _declare(one, "Labels are printed twice")
    other.goto(room)
    one.locator("#id_text").fill("half a thought")
    other.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(one.locator("#room-head")).to_contain_text("Investigating")
    expect(one.locator("#timeline")).to_contain_text("acknowledged")
    expect(one.locator("#id_text")).to_have_value("half a thought")

    one.get_by_role("button", name="Add note").click()
    expect(one.locator("#id_text")).to_have_value("")
    other.get_by_role("button", name="Timeline, messages and alerts").click()
    expect(other.locator("#timeline")).to_contain_text("half a thought")
    for page in (one, other):
        seen = page.eval_on_selector_all("#timeline > li.event", "rows => rows.map(row => row.id)")
        assert len(seen) == len(set(seen)), "no event stands there twice"

    other.keyboard.press("Escape")
    other.locator("#change-status").click()
    other.locator("#status-menu").get_by_role("button", name="Monitoring").click()
    for page in (one, other):
        expect(page.locator("#room-head")).to_contain_text("Monitoring")


def test_a_second_editor_of_a_review_sees_both_texts(desks: tuple[Page, Page]) -> None:
    one, other = desks
    room = _declare(one, "Scales report nothing")
    one.locator("#change-status").click()
    one.locator("#status-menu").get_by_role("link", name="Resolved…").click()
    one.locator("#sheet[open] #id_reason").fill("Battery replaced.")
    one.wait_for_timeout(500)
    one.locator("#sheet[open]").get_by_role("button", name=re.compile("Resolve INC")).click()
    expect(one.get_by_role("link", name="Reopen…")).to_be_visible()
    for page, text in ((one, "one's words"), (other, "the other's **words**")):
        page.goto(f"{room}review?edit=1")
        page.get_by_label("Markdown").fill(text)
    expect(other.locator("#review-preview strong")).to_have_text("words")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.locator(".toasts")).to_contain_text("Saved")
    one.get_by_role("button", name="Save", exact=True).click()
    expect(one.locator(".error-summary")).to_contain_text("while you were writing")
    expect(one.locator(".review-theirs")).to_have_text("the other's **words**")
    one.get_by_role("button", name="Keep mine").click()
    expect(one.locator(".error-summary")).to_have_count(0)
    one.goto(f"{room}review")
    expect(one.locator(".review-text")).to_contain_text("one's words")
