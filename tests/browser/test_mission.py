"""The whole mission from the browser alone: a drill, from its alert to the published post-mortem."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import sign_in
from tests.stack import Stack

pytestmark = pytest.mark.timeout(400)


def press_in_sheet(page: Page, name: str) -> None:
    """Press a confirming button; it ignores input for a moment after the sheet appeared."""
    button = page.locator("dialog[open]").get_by_role("button", name=name)
    button.wait_for()
    page.wait_for_timeout(500)
    button.click()


def step(page: Page, number: int, title: str) -> None:
    """Wait for the step, reached by the way a person goes on."""
    if number > 1:
        page.locator("#step-next").click()
    expect(page.get_by_text(f"Step {number} of 7 — {title}").first).to_be_visible()


def run_command(page: Page, name: str = "Run") -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).first.click()


def passed(page: Page, number: int) -> None:
    expect(page.get_by_text(f"Step {number},").first).to_be_visible(timeout=20_000)
    expect(page.locator("#step-next")).to_be_visible(timeout=20_000)


def add_stakeholder(page: Page) -> tuple[str, str]:
    """An account made by the admin; its password is shown once."""
    page.goto("/people/")
    page.get_by_label("User name").fill("sponsor")
    page.get_by_role("checkbox", name="Stakeholder Reads").check()
    page.get_by_role("button", name="Add and show the password").click()
    return "sponsor", page.locator("#first-password").inner_text().strip()


def walk_the_drill(page: Page) -> None:
    step(page, 1, "See that the database answers")
    run_command(page)
    expect(page.get_by_text("PostgreSQL").first).to_be_visible(timeout=20_000)
    passed(page, 1)
    step(page, 2, "See that Valkey answers")
    run_command(page)
    expect(page.locator("[data-run-output]").get_by_text("PONG")).to_be_visible(timeout=20_000)
    passed(page, 2)
    step(page, 3, "Watch output arrive live")
    run_command(page)
    lines = page.locator("[data-run-output] .ol")
    expect(lines.first).to_be_visible(timeout=20_000)
    assert lines.count() < 5, "the first line must be there before the last one exists"
    expect(lines).to_have_count(5, timeout=20_000)
    passed(page, 3)
    before = page.locator("[data-run-output]").inner_text()
    page.reload()
    expect(lines).to_have_count(5)
    assert [line for line in before.splitlines() if "sessions" in line] == [
        line for line in page.locator("[data-run-output]").inner_text().splitlines() if "sessions" in line
    ]


def give_a_value_and_confirm_a_change(page: Page) -> None:
    step(page, 4, "Look up one session")
    second = page.locator("main").get_by_role("button", name="Run", exact=True).nth(1)
    expect(second).to_be_disabled()
    page.get_by_role("textbox", name="pid").fill("1; drop table x")
    page.get_by_role("button", name="Use these values").click()
    expect(page.get_by_text("This is no process id")).to_be_visible()
    page.get_by_role("textbox", name="pid").fill("1")
    page.get_by_role("button", name="Use these values").click()
    expect(second).to_be_enabled()
    run_command(page, "Run all 2 reads")
    passed(page, 4)
    step(page, 5, "Change something harmless")
    run_command(page, "Run…")
    expect(page.locator("[data-run-output]")).to_have_count(0)
    confirm = page.locator(".confirm-strip button")
    confirm.wait_for()
    page.wait_for_timeout(500)
    confirm.click()
    passed(page, 5)
    step(page, 6, "Nothing is left waiting")
    run_command(page)
    passed(page, 6)


def test_a_drill_from_its_alert_to_the_published_post_mortem(page: Page, console: Stack, chromium: Browser) -> None:
    sign_in(page, *console.first_login)
    account = add_stakeholder(page)
    page.goto("/")
    page.get_by_role("button", name="Start a drill").first.click()
    page.wait_for_url(re.compile(r"/i/\d+/"))
    room = page.url
    page.get_by_role("button", name="Acknowledge", exact=True).first.click()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.locator("main").get_by_role("button", name="Start").first.click()
    walk_the_drill(page)
    give_a_value_and_confirm_a_change(page)

    page.get_by_label("Note").fill("Everything **answers**; this was practice.")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("strong", has_text="answers")).to_be_visible()

    page.goto(room)
    page.get_by_text("Messages", exact=True).first.click()
    page.get_by_role("link", name="Post an update…").click()
    sheet = page.locator("dialog[open]")
    sheet.get_by_label("Headline").fill("We practised answering an alert")
    sheet.get_by_label("Text", exact=True).fill("Nothing was broken. See 10.0.0.7 for more.")
    press_in_sheet(page, "Post the update")
    expect(sheet.get_by_role("heading", name="It was not posted")).to_be_visible()
    expect(sheet.get_by_role("listitem").filter(has_text="10.0.0.7").first).to_be_visible()
    sheet.get_by_label("Text", exact=True).fill("Nothing was broken, and nobody has to do anything.")
    press_in_sheet(page, "Post the update")
    expect(
        page.get_by_role("region", name="Messages").get_by_text("We practised answering an alert").first
    ).to_be_visible()

    page.get_by_role("link", name="Resolve…").click()
    page.locator("dialog[open]").get_by_label("What fixed it").fill("It was a drill; every query answered.")
    press_in_sheet(page, "Resolve INC-")
    page.get_by_role("link", name="Open the review").click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    publish(page)
    read_as_stakeholder(chromium, console, account)


def publish(page: Page) -> None:
    """Write what the draft leaves open, hand it in, publish it."""
    page.get_by_role("link", name="Write").click()
    editor = page.locator("main textarea").first
    editor.fill(re.sub(r"^\[[^\]\n]+\]$", "Nothing to add: a drill.", editor.input_value(), flags=re.MULTILINE))
    page.get_by_role("button", name="Save and read").click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    page.get_by_role("button", name="Hand in for review").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published").first).to_be_visible()


def read_as_stakeholder(chromium: Browser, console: Stack, account: tuple[str, str]) -> None:
    context = chromium.new_context(base_url=console.url, java_script_enabled=False)
    page = context.new_page()
    try:
        page.goto("/sign-in")
        page.get_by_label("User name").fill(account[0])
        page.get_by_label("Password").fill(account[1])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/status/")
        seen = page.locator("body").inner_text()
        assert "We practised answering an alert" in seen
        for secret in ("psql", "127.0.0.1", "admin", "Fire drill", "ErpopsFireDrill", "INC-"):
            assert secret not in seen
        assert page.goto("/i/1/").status in {403, 404}  # type: ignore[union-attr]
    finally:
        context.close()
