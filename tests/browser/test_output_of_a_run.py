"""The output of a real command: watched, read again, searched, pinned."""

import re

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import post
from tests.peers import until
from tests.stack import Stack

WATCHED = 2
LINES = "[...document.querySelectorAll('.ol')].map((line) => line.outerHTML)"


@pytest.fixture
def desk(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Page:
    context = chromium.new_context(
        base_url=shared_console.url, storage_state=signed_in, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(20_000)
    return context.new_page()


def started(page: Page) -> str:
    """Start the command of the fire drill that prints a line a second; the address of its output."""
    incident = post(page.context, "/drill").headers["location"]
    post(page.context, f"{incident}acknowledge")
    walk = post(page.context, f"{incident}runbooks/fire-drill/start").headers["location"].split("step/")[0]
    step = f"{walk}step/{WATCHED}/"
    answer = until(lambda: _asked(page, f"{step}command/0/run"), 60, "a worker that takes commands")
    return str(re.findall(r'data-page-url="([^"]+)"', answer)[0])


def _asked(page: Page, address: str) -> str:
    post(page.context, address)
    text = page.context.request.get(address.partition("command/")[0]).text()
    return text if "data-page-url" in text else ""


def test_output_is_the_same_live_and_saved_and_serves_as_evidence(desk: Page) -> None:
    output = started(desk)
    desk.goto(output)
    expect(desk.locator("[data-run-output][data-ended]")).to_be_attached(timeout=30_000)
    live = desk.evaluate(LINES)
    desk.reload()
    expect(desk.locator(".ol").first).to_be_visible()
    assert len(live) >= 5
    assert live == desk.evaluate(LINES)

    desk.keyboard.press("/")
    expect(desk.locator("#output-find")).to_be_focused()
    desk.keyboard.type("SESSIONS")
    hit = desk.locator("#sheet .hits a").nth(1)
    expect(hit.locator("mark")).to_have_text("sessions")
    hit.click()
    expect(desk.locator(".ol.here")).to_have_attribute("data-n", "2")

    desk.goto(output)
    desk.locator(".ol[data-n='2']").click(position={"x": 10, "y": 8})
    desk.locator(".ol[data-n='3']").click(position={"x": 10, "y": 8}, modifiers=["Shift"])
    quoted = desk.locator(".ol.here").all_inner_texts()
    desk.get_by_role("button", name="Pin as evidence").click()
    expect(desk.locator("#pins")).to_contain_text("Lines 2–3")
    desk.goto(output.split("run/")[0])
    expect(desk.locator("#timeline .event-quote")).to_have_text("\n".join(quoted))
    desk.get_by_role("link", name="Show it in the output").click()
    expect(desk.locator(".ol.here")).to_have_count(2)
    desk.get_by_role("button", name="Unpin lines 2–3").click()
    expect(desk.locator("#pins .pin")).to_have_count(0)
    desk.context.close()
