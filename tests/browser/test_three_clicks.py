"""From an alert to the first output in three clicks at most; and the whole drill without a pointer."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import axe_violations, sign_in
from tests.peers import Mailbox, until
from tests.stack import Stack

pytestmark = pytest.mark.timeout(400)
# Counted where it cannot be missed: every trusted click or tap, over all pages of the tab.
COUNT = """
addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
}, true);
"""


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def console(mailbox: Mailbox) -> Iterator[Stack]:
    mail = {"ERPOPS_ADMIN_EMAIL": "oncall@example.org", "ERPOPS_EMAIL_URL": mailbox.url}
    with Stack(environment=mail) as stack:
        yield stack


@pytest.fixture
def phone(chromium: Browser, console: Stack) -> Iterator[Page]:
    context = chromium.new_context(base_url=console.url, viewport={"width": 375, "height": 667}, has_touch=True)
    page = _page(context, console)
    yield page
    context.close()


@pytest.fixture
def desk(chromium: Browser, console: Stack) -> Iterator[Page]:
    context = chromium.new_context(base_url=console.url, viewport={"width": 1280, "height": 800})
    page = _page(context, console)
    yield page
    context.close()


def _page(context: BrowserContext, console: Stack) -> Page:
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.add_init_script(COUNT)
    sign_in(page, *console.first_login)
    # The worker is up before the alert comes, as it is at 3 am.
    expect(page.get_by_text("Worker runs")).to_be_visible(timeout=60_000)
    return page


def clicks(page: Page) -> int:
    return int(page.evaluate("Number(sessionStorage.clicks ?? 0)"))


def fire(console: Stack) -> None:
    """The alert of a drill, through the real webhook; what an earlier one opened is over."""
    console.manage("shell", "-c", _RESOLVE)
    console.manage("drill")


_RESOLVE = """
from incidents import lifecycle
from incidents.models import Incident
for one in Incident.objects.exclude(status="resolved"):
    lifecycle.resolve(incident=one, resolution="over", by=None)
"""


def first_output(page: Page) -> Locator:
    return page.locator("[data-run-output] .ol").first


def test_from_now_two_clicks_lead_to_the_first_output(desk: Page, console: Stack) -> None:
    fire(console)
    desk.goto("/")
    begin = desk.get_by_role("button", name="Acknowledge & start")
    expect(begin).to_be_visible(timeout=30_000)
    desk.evaluate("sessionStorage.clicks = 0")
    began = time.monotonic()
    begin.click()
    desk.locator("#run-0").click()
    expect(first_output(desk)).to_be_visible()
    assert clicks(desk) == 2
    assert time.monotonic() - began <= 10


def test_from_the_link_of_a_page_on_a_phone_two_taps_lead_to_the_first_output(
    phone: Page, console: Stack, mailbox: Mailbox
) -> None:
    told = len(mailbox.messages)
    fire(console)
    until(lambda: len(mailbox.messages) > told, 60, "a page in the mailbox")
    text = str(mailbox.messages[-1].get_payload())
    [link] = re.findall(rf"{re.escape(console.url)}/\S+", text)[:1]
    phone.goto("about:blank")
    phone.goto(link)
    begin = phone.get_by_role("button", name="Acknowledge & start")
    expect(begin).to_be_visible(timeout=30_000)
    box = begin.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 667, "in sight without scrolling"
    assert box["height"] >= 56
    assert box["width"] >= 300
    phone.evaluate("sessionStorage.clicks = 0")
    began = time.monotonic()
    begin.tap()
    phone.locator("#run-0").tap()
    expect(first_output(phone)).to_be_visible()
    assert clicks(phone) == 2
    assert time.monotonic() - began <= 10


# -- without a pointer -------------------------------------------------------------------------------


class Keys:
    """Somebody who has no pointer. `look` is what axe says about what they see, in both themes."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, target: Locator) -> None:
        """With Tab until it has the focus, which shows."""
        target.wait_for()
        for _ in range(150):
            if target.evaluate("(element) => element === document.activeElement"):
                assert target.evaluate("(element) => element.matches(':focus-visible')")
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} is not reached with Tab")

    def look(self, where: str) -> None:
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            # Of all rules only contrast depends on the theme.
            rules = ["color-contrast"] if scheme == "dark" else []
            self.problems += [f"{where}, {scheme}: {line}" for line in axe_violations(self.page, *rules)]


@pytest.fixture
def keys(desk: Page) -> Keys:
    return Keys(desk)


def test_the_whole_drill_by_keyboard_alone(keys: Keys, desk: Page, console: Stack) -> None:
    fire(console)
    keys.press("g", "n")
    begin = desk.get_by_role("button", name="Acknowledge & start")
    expect(begin).to_be_visible(timeout=30_000)
    keys.look("now")
    desk.evaluate("sessionStorage.clicks = 0")
    desk.evaluate("addEventListener('pointerdown', () => { sessionStorage.pointer = 1 }, true)")
    keys.reach(begin)
    keys.press("Enter")
    at_step(desk, 1)
    keys.look("step 1")
    for number in (1, 2, 3):
        keys.press("Control+Enter")
        passed(desk)
        if number == 3:
            keys.look("output")
        keys.press("Control+Enter")
        at_step(desk, number + 1)
    give_a_value(keys, desk)
    confirm_a_change(keys, desk)
    keys.press("Control+Enter")
    passed(desk)
    keys.press("Control+Enter")
    at_step(desk, 7)
    keys.look("step 7")
    end_it(keys, desk)
    assert desk.evaluate("sessionStorage.pointer ?? null") is None
    assert keys.problems == []


def at_step(page: Page, number: int) -> None:
    expect(page.locator("#step-title")).to_contain_text(f"Step {number} of 7")


def passed(page: Page) -> None:
    expect(page.locator("#step-next")).to_be_visible(timeout=30_000)


def give_a_value(keys: Keys, page: Page) -> None:
    """Step 4: a value is picked, one that does not fit is refused, both commands run."""
    at_step(page, 4)
    keys.reach(page.get_by_role("link", name="Pick a value for pid"))
    keys.press("Enter")
    cell = page.locator("dialog[open] .pick-cell").first
    cell.wait_for()
    keys.look("picker")
    keys.reach(cell)
    keys.press("Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.get_by_label("pid", exact=False).first).not_to_have_value("")
    keys.reach(page.get_by_label("pid", exact=False).first)
    keys.press("Control+a")
    page.keyboard.type("1; drop")
    keys.press("Enter")
    expect(page.get_by_text("This is no process id")).to_be_visible()
    keys.look("a wrong value")
    keys.reach(page.get_by_label("pid", exact=False).first)
    keys.press("Control+a")
    page.keyboard.type("1")
    keys.press("Enter")
    expect(page.get_by_text("This is no process id")).to_have_count(0)
    keys.reach(page.get_by_role("button", name="Run all 2 reads"))
    keys.press("Enter")
    passed(page)
    keys.press("Control+Enter")


def confirm_a_change(keys: Keys, page: Page) -> None:
    """Step 5: asking is one key, confirming another one, and not by accident."""
    at_step(page, 5)
    keys.reach(page.locator("#run-0"))
    keys.press("Enter")
    confirm = page.locator("#ask-0 button[data-arm], dialog[open] button[data-arm]").first
    confirm.wait_for()
    keys.look("confirming")
    page.wait_for_timeout(500)
    keys.reach(confirm)
    keys.press("Enter")
    passed(page)
    keys.press("Control+Enter")
    at_step(page, 6)


def end_it(keys: Keys, page: Page) -> None:
    """The last step, the note, the end of the incident."""
    while (tick := page.locator('button.tick[aria-checked="false"]')).count():
        left = tick.count()
        keys.reach(tick.first)
        keys.press("Space")
        expect(page.locator('button.tick[aria-checked="false"]')).to_have_count(left - 1)
    keys.press("n")
    page.keyboard.type("Everything **answers**.")
    keys.reach(page.get_by_role("button", name="Add note"))
    keys.press("Enter")
    expect(page.locator("strong", has_text="answers")).to_be_visible()
    keys.reach(page.locator("#step-done"))
    keys.press("Enter")
    expect(page.locator("#step-done")).to_have_count(0)
    keys.reach(page.locator("#resolve"))
    keys.press("Enter")
    reason = page.locator("dialog[open]").get_by_label("What fixed it")
    reason.wait_for()
    keys.look("resolving")
    keys.reach(reason)
    page.keyboard.type("A drill: everything answered.")
    page.wait_for_timeout(500)
    keys.reach(page.locator("dialog[open]").get_by_role("button", name=re.compile("^Resolve INC-")))
    keys.press("Enter")
    expect(page.get_by_role("link", name="Open the review")).to_be_visible()
    keys.look("over")
