"""A network that is cut in the middle of a run, and a laptop that sleeps through it: nothing lost, nothing doubled,
what is shown is called stale, Run waits, and what was typed stays.

The cable between browser and console is really pulled: no side is told. Where a test shortens the time, only the
page's own clock is moved; the console's streams, silence and resumption are real.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser import colleagues
from tests.browser.conftest import post
from tests.browser.relay import Cable
from tests.stack import Stack

# The step of the runbook that takes longest.
LAST = 3
pytestmark = pytest.mark.timeout(600)


class Desk:
    """One person's browser behind a cable, in the middle of a run that counts; `there` is not cut.

    `moved`: time passes by the page's clock alone.
    """

    def __init__(self, cable: Cable, here: BrowserContext, there: BrowserContext, walk: str) -> None:
        self.cable, self.here, self.there, self.walk = cable, here, there, walk
        self.room = walk.split("run/", maxsplit=1)[0]
        self.page: Page = here.new_page()
        self.note = self.page.get_by_label("Note", exact=True)
        self.notes: list[str] = []
        self.moved = True

    def open(self, *, moved: bool = True, step: int = 0) -> None:
        self.moved = moved
        if moved:
            self.page.clock.install()
        self.page.goto(f"{self.cable.url}{self.walk}step/{step}/")
        colleagues.live(self.page)

    def passes(self, seconds: int) -> None:
        """Timers of the page run on the way."""
        if self.moved:
            self.page.clock.run_for(seconds * 1000)
        else:
            self.page.wait_for_timeout(seconds * 1000)

    def sleeps(self, seconds: int) -> None:
        """Asleep, no timer runs; awake, each that fell due runs once."""
        protocol = self.here.new_cdp_session(self.page)
        protocol.send("Page.setWebLifecycleState", {"state": "frozen"})
        self.happens()
        if not self.moved:
            time.sleep(seconds)
        protocol.send("Page.setWebLifecycleState", {"state": "active"})
        if self.moved:
            self.page.clock.fast_forward(seconds * 1000)

    def happens(self) -> None:
        """Somebody else writes a note."""
        self.notes.append(f"note {len(self.notes) + 1}")
        post(self.there, f"{self.room}note", text=self.notes[-1])

    def shown_notes(self) -> list[str]:
        """Oldest first."""
        found = self.page.locator("#timeline .event-body").all_inner_texts()
        return [text for text in reversed(found) if text.startswith("note ")]

    def whole_timeline(self) -> None:
        """Every event stands there once."""
        expect(self.page.locator("#timeline")).to_contain_text(self.notes[-1], timeout=20_000)
        assert self.shown_notes() == self.notes

    def whole(self) -> None:
        """Every event and every line of output stands there once, live as after a reload."""
        self.whole_timeline()
        expect(self.page.locator("[data-run-output][data-ended]")).to_be_attached(timeout=60_000)
        expect(self.page.locator("[data-output-log]").first).to_contain_text(f"tick {colleagues.TICKS}")
        assert colleagues.ticks(self.page) == list(range(1, colleagues.TICKS + 1))
        self.page.reload()
        colleagues.live(self.page)
        assert self.shown_notes() == self.notes
        assert colleagues.ticks(self.page) == list(range(1, colleagues.TICKS + 1))


@pytest.fixture
def desk(chromium: Browser, shared_console: Stack, signed_in: StorageState, tmp_path: Path) -> Iterator[Desk]:
    colleagues.shelve(shared_console, tmp_path)
    there = chromium.new_context(base_url=shared_console.url, storage_state=signed_in)
    # Cookies know no ports: the same person through the cable.
    here = chromium.new_context(storage_state=signed_in, viewport={"width": 1280, "height": 900})
    here.set_default_timeout(20_000)
    walk = colleagues.walked(there, f"A cut at {time.monotonic_ns()}")
    errors: list[str] = []
    with Cable(shared_console.port) as cable:
        found = Desk(cable, here, there, walk)
        found.page.on("pageerror", lambda error: errors.append(str(error)))
        yield found
        cable.plug()
        here.close()
    there.close()
    assert errors == []


def is_stale(page: Page) -> None:
    """The banner, the hatched values, and a Run that says why it waits."""
    expect(page.locator("#stale-banner")).to_be_visible()
    expect(page.locator("#stale-banner")).to_contain_text(re.compile(r"Showing \d\d:\d\d:\d\d — not live"))
    assert page.evaluate("document.documentElement.classList.contains('stale')")
    hatched = page.locator("[data-live-value]").first.evaluate("each => getComputedStyle(each).backgroundImage")
    assert "gradient" in hatched
    for button in page.locator("[data-needs-live]").all():
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_attribute("aria-describedby", "stale-banner")


def is_fresh(page: Page) -> None:
    colleagues.live(page)
    expect(page.locator("#stale-banner")).to_be_hidden()
    assert not page.evaluate("document.documentElement.classList.contains('stale')")
    assert page.locator("[data-needs-live][data-stale]").count() == 0


def ten_seconds(desk: Desk) -> None:
    """Too short to alarm anybody."""
    before = desk.shown_notes()
    desk.cable.pull()
    for _ in range(3):
        desk.happens()
    desk.passes(10)
    assert desk.shown_notes() == before, "it was not cut"
    expect(desk.page.locator("#stale-banner")).to_be_hidden()
    desk.cable.plug()
    desk.whole_timeline()


def a_minute(desk: Desk) -> None:
    before = desk.shown_notes()
    desk.cable.pull()
    desk.happens()
    desk.passes(20)
    expect(desk.page.locator("#stale-banner")).to_be_hidden()
    desk.passes(15)
    is_stale(desk.page)
    desk.passes(25)
    is_stale(desk.page)
    assert desk.shown_notes() == before
    desk.happens()
    desk.cable.plug()
    desk.passes(16)
    is_fresh(desk.page)
    desk.whole_timeline()


def a_nap(desk: Desk, seconds: int) -> None:
    before = desk.shown_notes()
    desk.cable.pull()
    desk.happens()
    desk.sleeps(seconds)
    is_stale(desk.page)
    assert desk.shown_notes() == before
    desk.cable.plug()
    desk.passes(20)
    is_fresh(desk.page)
    desk.whole_timeline()


def test_cuts_and_a_sleep_in_the_middle_of_a_run_lose_and_double_nothing(desk: Desk) -> None:
    colleagues.counting(desk.there, desk.walk)
    desk.open()
    desk.note.fill("half a thought")
    desk.happens()
    desk.whole_timeline()
    assert colleagues.ticks(desk.page)
    ten_seconds(desk)
    a_minute(desk)
    a_nap(desk, 8 * 3600)
    expect(desk.note).to_have_value("half a thought")
    desk.happens()
    desk.whole()
    expect(desk.note).to_have_value("half a thought")


@pytest.mark.slow
@pytest.mark.parametrize("cut", [ten_seconds, a_minute, lambda desk: a_nap(desk, 35)], ids=["10 s", "60 s", "asleep"])
def test_the_same_in_real_time(desk: Desk, cut: Callable[[Desk], None]) -> None:
    colleagues.counting(desk.there, desk.walk, LAST)
    desk.open(moved=False, step=LAST)
    desk.note.fill("half a thought")
    desk.happens()
    desk.whole_timeline()
    cut(desk)
    desk.happens()
    desk.whole()
    expect(desk.note).to_have_value("half a thought")


def test_run_is_refused_while_nothing_is_known(desk: Desk) -> None:
    desk.open()
    run = desk.page.locator("#run-0")
    desk.cable.pull()
    desk.passes(35)
    is_stale(desk.page)
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    run.click(force=True)
    run.focus()
    desk.page.keyboard.press("Control+Enter")
    desk.page.wait_for_timeout(300)
    assert [line for line in asked if line.startswith("POST")] == []
    expect(desk.page.locator("#announce")).to_contain_text("Commands cannot be started")
    desk.cable.plug()
    desk.passes(16)
    is_fresh(desk.page)
    run.click()
    expect(desk.page.locator("#act-0")).to_contain_text(re.compile("Queued|Starting|Running"))
