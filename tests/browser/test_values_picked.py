"""Values of a step in a real browser: typed, picked from what is there, picked from what was printed."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import axe_violations
from tests.browser.test_screens import WIDTHS, Account, look
from tests.stack import Stack

DOCUMENT = """# Sessions

## Sessions pile up

1. See who is connected

   ```sql
   SELECT pid, coalesce(state, '') AS state, left(query, 40) AS query FROM pg_stat_activity
   WHERE backend_type = 'client backend' ORDER BY pid;
   ```

2. Look at one

   ```sql
   SELECT pid, query FROM pg_stat_activity WHERE pid = <blocking_pid>;
   ```

   ```bash
   kubectl -n <namespace> describe pod <postgres-pod>
   curl -H "Authorization: Bearer <api-token>" "https://shop.internal/sessions?database=<database>"
   ```
"""
_IMPORT = """
from runbooks import library
done = library.import_text(text={text!r}, path="sessions.md", publish=True)
print(done.versions[0].runbook.slug)
"""


@pytest.fixture(scope="module")
def admin(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[Account]:
    shared_console.manage("shell", "-c", _IMPORT.format(text=DOCUMENT))
    account = Account(chromium, shared_console.url, signed_in)
    yield account
    account.close()


@pytest.fixture(scope="module")
def walk(admin: Account) -> str:
    """The address of the walk, whose first step has run."""
    page = admin.pages[1280]
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option", has_text="erpops itself").get_attribute("value") or ""
    title = "Sessions pile up on the database"
    room = admin.post("/i/declare", title=title, severity="SEV3", environment=where).headers["location"]
    first = admin.post(f"{room}runbooks/sessions-pile-up/start").headers["location"]
    page.goto(first)
    page.locator("#run-0").click()
    expect(page.locator("#act-0")).to_contain_text("Attempt 1", timeout=60_000)
    return first.rpartition("step/")[0]


def test_a_value_is_picked_from_a_row_of_output_by_two_clicks(admin: Account, walk: str) -> None:
    for width in WIDTHS:
        page = admin.pages[width]
        page.goto(f"{walk}step/0/")
        page.get_by_role("link", name="Use a value of it…").click()
        sheet = page.locator("dialog[open]")
        first = sheet.locator("tbody tr:has(td) td:first-child .pick-cell").first
        pid = first.inner_text()
        first.click()
        expect(page.locator("dialog[open]")).to_have_count(0)
        page.goto(f"{walk}step/1/")
        expect(page.get_by_label("blocking_pid").first).to_have_value(pid)
        expect(page.locator("#walk-values")).to_contain_text("From the output of step 1, command 1")
        assert re.fullmatch(r"\d+", pid), width


def test_a_live_list_narrows_while_one_types_and_gives_the_value(admin: Account, walk: str) -> None:
    page = admin.pages[1280]
    page.goto(f"{walk}step/1/")
    page.get_by_role("link", name="Pick a value for database").click()
    sheet = page.locator("dialog[open]")
    expect(sheet.get_by_role("heading", name="A value for database")).to_be_visible()
    sheet.get_by_role("searchbox").fill("no-such-database")
    expect(sheet.get_by_text("No row holds that.")).to_be_visible()
    sheet.get_by_role("searchbox").fill("")
    cell = sheet.locator(".pick-cell").first
    name = cell.inner_text()
    cell.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("database", exact=True)).to_have_value(name)
    expect(page.locator("#walk-values")).to_contain_text("Picked from the databases")


def test_a_list_that_cannot_be_had_says_why(admin: Account, walk: str) -> None:
    page = admin.pages[1280]
    page.goto(f"{walk}step/1/")
    page.get_by_role("link", name="Pick a value for postgres-pod").click()
    expect(page.locator("dialog[open]")).to_contain_text("This environment has no Kubernetes cluster target")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("values", "step/1/"),
        ("values-of-output", "step/0/"),
        ("pick-live", "step/1/pick?name=blocking_pid&list=session"),
        ("pick-database", "step/1/pick?name=database"),
        ("pick-nothing", "step/1/pick?name=postgres-pod"),
        ("pick-secret", "step/1/pick?name=api-token"),
    ],
)
def test_the_screens_of_values_fit_and_are_accessible(admin: Account, walk: str, name: str, path: str) -> None:
    look(admin, name, walk + path)


def test_the_rows_of_an_output_fit_and_are_accessible(admin: Account, walk: str) -> None:
    link = admin.pages[1280]
    link.goto(f"{walk}step/0/")
    path = link.get_by_role("link", name="Use a value of it…").get_attribute("href") or ""
    look(admin, "pick-output", path)


def test_a_sheet_over_the_step_is_accessible_on_a_phone(admin: Account, walk: str) -> None:
    page: Page = admin.pages[375]
    page.goto(f"{walk}step/1/")
    page.get_by_role("link", name="Pick a value for blocking_pid").click()
    expect(page.locator("dialog[open] .pick-cell").first).to_be_visible()
    assert axe_violations(page) == []
