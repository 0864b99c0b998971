"""What disrupts or destroys takes two deliberate inputs: every control and every key of its step is tried alone."""

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Error, Page, Request, StorageState, expect

from tests.browser import shop as steps
from tests.browser.shop import Shop, number_of
from tests.stack import Stack

pytestmark = pytest.mark.timeout(300)

CONTROLS = (
    "a[href], button, summary, label, input:not([type=hidden]), select, textarea, "
    "[role=button], [role=checkbox], [data-key]"
)
FIND = f"(within) => [...document.querySelector(within).querySelectorAll(`{CONTROLS}`)]"
# What a control is called, so that the next fresh page can be seen to have the same ones.
NAMES = f"""(within) => ({FIND})(within).map((each) => [
    each.tagName.toLowerCase(), each.id, each.getAttribute("name") ?? "", each.getAttribute("value") ?? "",
    each.textContent.trim().replace(/\\s+/g, " ").slice(0, 40),
].join("|").replace(/\\d+/g, "N"))"""
PRESS = f"([within, index]) => ({FIND})(within)[index].click()"
# Whether a key has left the page as it was.
LOOKS = """() => [location.href, document.activeElement?.id, document.querySelectorAll("[open]").length].join()"""
SINGLE = [*string.ascii_letters, *string.digits, *"[]/?.,;-+=", "Enter", "Space", "Escape", "Delete", "Backspace"]
CHORDS = [
    f"{held}+{key}" for held in ("Control", "Meta", "Alt", "Shift") for key in ("Enter", "k", "r", "Space", "Backspace")
]
SEQUENCES = [f"g {key}" for key in "nicrpoals"]


@dataclass
class Desk:
    """Olga's page on one step, as often fresh as it takes. `sent` is what went out since the last fresh page."""

    shop: Shop
    page: Page
    fresh: Callable[[], str]
    step: int
    walk: str = ""
    sent: list[str] = field(default_factory=list)
    walks: list[str] = field(default_factory=list)

    def open(self) -> None:
        """The step once more; a new walk if anything that could have changed this one was sent."""
        if any(line.startswith("POST") for line in self.sent) or not self.walk:
            self.walk = self.fresh()
            self.walks.append(self.walk)
        self.goto()

    def goto(self) -> None:
        for _ in range(10):
            try:
                self.page.goto(f"{self.walk}step/{self.step}/", wait_until="domcontentloaded")
                break
            except Error:
                # What was pressed leads elsewhere at the same moment.
                self.page.wait_for_timeout(50)
        self.sent.clear()

    def looks(self) -> str:
        """What tells whether a key did anything; nothing while the page goes elsewhere."""
        try:
            return str(self.page.evaluate(LOOKS))
        except Error:
            return ""

    def keep(self, request: Request) -> None:
        if request.method != "GET" and not request.url.endswith("/viewed"):
            self.sent.append(f"{request.method} {request.url}")

    def runs(self) -> int:
        """Attempts of any command in any of the walks."""
        found = self.shop.rows(
            "SELECT count(*) FROM runbooks_commandrun run JOIN runbooks_steprun step ON step.id = run.step_run_id"
            " WHERE step.execution_id = ANY(%s)",
            [number_of(walk) for walk in self.walks],
        )
        return int(found[0][0])


@pytest.fixture(scope="module")
def shop(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[Shop]:
    with steps.opened(chromium, shared_console, signed_in) as found:
        yield found


def disrupting(shop: Shop) -> str:
    return shop.walk("Every control of what disrupts")


def destroying(shop: Shop) -> str:
    """Approved already: nothing but the operator's own inputs is between them and the command."""
    walk = shop.walk("Every control of what destroys")
    shop.approve(shop.asked(walk))
    return walk


@pytest.fixture(params=["disrupt", "destroy"])
def desk(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Desk]:
    page = shop.olga.pages[1280]
    fresh, step = {"disrupt": (disrupting, steps.STUCK), "destroy": (destroying, steps.WIPE)}[request.param]
    desk = Desk(shop, page, lambda: fresh(shop), step)
    page.on("request", desk.keep)
    page.route("**/live?**", lambda route: route.abort())
    desk.open()
    expect(page.locator("#run-0")).to_have_text("Review and run…")
    yield desk
    page.unroute("**/live?**")
    page.remove_listener("request", desk.keep)


def press_all(desk: Desk, within: str, least: int) -> None:
    """Press every control below `within` alone, each on a fresh page, those in closed menus and folded parts too."""
    names = desk.page.evaluate(NAMES, within)
    assert len(names) >= least
    for index, name in enumerate(names):
        if "Sign out" in name:
            continue  # the session, and with it this test, would end
        desk.open()
        assert desk.page.evaluate(NAMES, within)[index] == name
        desk.page.evaluate(PRESS, [within, index])
        desk.page.wait_for_timeout(20)
        assert not desk.sent or desk.runs() == 0, f"{name} started it: {desk.sent}"
    assert desk.runs() == 0


def test_no_single_control_of_a_step_starts_what_disrupts_or_destroys(desk: Desk) -> None:
    press_all(desk, ".walk-step", 10)


def test_no_key_starts_what_disrupts_or_destroys(desk: Desk) -> None:
    """Keys alone, held with others, one after the other, and on the button itself. There is no palette (Ctrl K)."""
    desk.open()
    before = desk.looks()
    for keys in (*SINGLE, *CHORDS, *SEQUENCES):
        for key in keys.split():
            desk.page.keyboard.press(key)
        if desk.sent or desk.looks() != before:
            assert desk.runs() == 0, f"{keys} started it: {desk.sent}"
            desk.open()
            before = desk.looks()
    for key in ("Enter", "Space"):
        desk.open()
        desk.page.locator("#run-0").focus()
        desk.page.keyboard.press(key)
        desk.page.wait_for_timeout(50)
        assert desk.runs() == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_single_control_of_the_whole_page_starts_what_disrupts_or_destroys(desk: Desk) -> None:
    press_all(desk, "body", 60)
