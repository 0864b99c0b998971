"""Live streams through the whole product: everybody sees an event soon, and exactly once, whatever the network does."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect
from playwright.sync_api import Error as PlaywrightError

from tests.browser.conftest import post
from tests.stack import Stack


@pytest.fixture
def sit_down(
    chromium: Browser, shared_console: Stack, signed_in: StorageState
) -> Iterator[Callable[[], BrowserContext]]:
    """One more browser of a person who is signed in."""
    opened: list[BrowserContext] = []

    def open_one() -> BrowserContext:
        context = chromium.new_context(base_url=shared_console.url, storage_state=signed_in)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def room(sit_down: Callable[[], BrowserContext], request: pytest.FixtureRequest) -> str:
    """The address of an open incident of its own."""
    context = sit_down()
    page = context.new_page()
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option").first.get_attribute("value") or ""
    # The same title again would be taken for a double click.
    title = request.node.name.replace("_", " ")
    return post(context, "/i/declare", title=title, severity="SEV4", environment=where).headers["location"]


def enter(context: BrowserContext, room: str) -> Page:
    """The room, live."""
    page = context.new_page()
    page.goto(room)
    expect(page.locator("#conn")).to_have_text("Live", timeout=10_000)
    return page


def notes(page: Page) -> list[str]:
    """The notes in the timeline, as shown: newest first."""
    return [text for text in page.locator("#timeline .event-body").all_inner_texts() if text.startswith("note ")]


def test_two_people_see_the_same_new_event_within_two_seconds(
    sit_down: Callable[[], BrowserContext], room: str
) -> None:
    writer, reader = enter(sit_down(), room), enter(sit_down(), room)
    writer.get_by_label("Note", exact=True).fill("note 1: the disk is full")
    writer.get_by_role("button", name="Add note").click()
    for page in (reader, writer):
        expect(page.locator("#timeline")).to_contain_text("note 1: the disk is full", timeout=2_000)
    assert notes(reader) == notes(writer) == ["note 1: the disk is full"]


def test_a_cut_network_loses_and_doubles_no_event(sit_down: Callable[[], BrowserContext], room: str) -> None:
    there, here = sit_down(), sit_down()
    page = enter(here, room)
    post(there, f"{room}note", text="note 1")
    expect(page.locator("#timeline")).to_contain_text("note 1")

    here.set_offline(True)
    expect(page.locator("#conn")).to_have_text("Offline")
    for number in (2, 3, 4):
        post(there, f"{room}note", text=f"note {number}")
    page.wait_for_timeout(5_000)
    assert notes(page) == ["note 1"], "it was not cut"

    here.set_offline(False)
    expect(page.locator("#conn")).to_have_text("Live", timeout=20_000)
    post(there, f"{room}note", text="note 5")
    expect(page.locator("#timeline")).to_contain_text("note 5")
    expected = [f"note {number}" for number in (5, 4, 3, 2, 1)]
    assert notes(page) == expected
    page.reload()
    assert notes(page) == expected


def test_what_is_typed_outlives_a_cut_network_and_the_events_of_others(
    sit_down: Callable[[], BrowserContext], room: str
) -> None:
    there, here = sit_down(), sit_down()
    page = enter(here, room)
    field = page.get_by_label("Note", exact=True)
    field.fill("note in work")
    here.set_offline(True)
    expect(page.locator("#conn")).to_have_text("Offline")
    here.set_offline(False)
    post(there, f"{room}note", text="note of somebody else")
    expect(page.locator("#timeline")).to_contain_text("note of somebody else", timeout=20_000)
    expect(field).to_be_focused()
    expect(field).to_have_value("note in work")


def test_a_restarted_web_process_loses_and_doubles_no_event(
    sit_down: Callable[[], BrowserContext], room: str, shared_console: Stack
) -> None:
    there, here = sit_down(), sit_down()
    page = enter(here, room)
    post(there, f"{room}note", text="note 1")
    expect(page.locator("#timeline")).to_contain_text("note 1")
    shared_console.kill("web")
    expect(page.locator("#conn")).not_to_have_text("Live")
    _until_it_answers(there)
    post(there, f"{room}note", text="note 2")
    expect(page.locator("#timeline")).to_contain_text("note 2", timeout=20_000)
    expect(page.locator("#conn")).to_have_text("Live", timeout=20_000)
    assert notes(page) == ["note 2", "note 1"]


def _until_it_answers(context: BrowserContext) -> None:
    page = context.new_page()
    for _ in range(60):
        try:
            answer = context.request.get("/healthz", timeout=2_000)
        except PlaywrightError as error:
            assert "connect" in str(error).lower() or "timeout" in str(error).lower(), error
        else:
            if answer.ok:
                return
        page.wait_for_timeout(250)
    raise AssertionError("the web process did not come back")
