"""A second person on the shared console, and a runbook whose first commands take their time."""

import re
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser.conftest import post, sign_in
from tests.peers import until
from tests.stack import Stack

TICKS = 40
# Seconds between two ticks of the first step, and of the last one: what reads has a minute.
QUICK, SLOW = 0.3, 1.35
RUNBOOK = f"""# Long watch

**Alert**: `LongWatch`

## Immediate Actions

1. **Count**
   ```bash
   for n in $(seq 1 {TICKS}); do echo "tick $n"; sleep {QUICK}; done
   ```

2. **Look around**
   ```bash
   uptime
   ```

3. **Ask somebody**

4. **Count slowly**
   ```bash
   for n in $(seq 1 {TICKS}); do echo "tick $n"; sleep {SLOW}; done
   ```
"""
# By the address of the console: modules share it.
_SHELVED: set[str] = set()
_HIRED: dict[tuple[str, str], StorageState] = {}


def shelve(console: Stack, tmp_path: Path) -> None:
    """Publish the runbook; twice is once."""
    if console.url in _SHELVED:
        return
    file = tmp_path / "long-watch.md"
    file.write_text(RUNBOOK, encoding="utf-8")
    console.manage("import_runbooks", str(file), "--publish")
    _SHELVED.add(console.url)


def hired(chromium: Browser, console: Stack, admin: BrowserContext, full_name: str) -> StorageState:
    """The cookies of an operator, who is new the first time."""
    if (console.url, full_name) not in _HIRED:
        _HIRED[console.url, full_name] = _hire(chromium, console, admin, full_name)
    return _HIRED[console.url, full_name]


def _hire(chromium: Browser, console: Stack, admin: BrowserContext, full_name: str) -> StorageState:
    page = admin.new_page()
    page.goto("/people/")
    name = f"{full_name.split(maxsplit=1)[0].lower()}.watch"
    page.get_by_label("User name").fill(name)
    page.get_by_label("Full name").fill(full_name)
    page.locator("#id_roles").get_by_label("Operator").check()
    page.get_by_role("button", name="Add and show the password").click()
    password = page.locator("#first-password").inner_text().strip()
    page.close()
    context = chromium.new_context(base_url=console.url)
    sign_in(context.new_page(), name, password)
    state = context.storage_state()
    context.close()
    return state


def walked(context: BrowserContext, title: str) -> str:
    """An incident of its own in which the runbook is walked: the address of the walk, up to `step/`."""
    page = context.new_page()
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option").first.get_attribute("value") or ""
    page.close()
    room = post(context, "/i/declare", title=title, severity="SEV4", environment=where).headers["location"]
    post(context, f"{room}acknowledge")
    return post(context, f"{room}runbooks/long-watch/start").headers["location"].split("step/")[0]


def counting(context: BrowserContext, walk: str, step: int = 0) -> None:
    """Start a long command; workers of a fresh console need a moment."""

    def asked() -> bool:
        post(context, f"{walk}step/{step}/command/0/run")
        return "data-page-url" in context.request.get(f"{walk}step/{step}/").text()

    until(asked, 60, "a worker that takes commands")


def ticks(page: Page) -> list[int]:
    """The numbers that the output on the page shows, in order."""
    return [int(n) for n in re.findall(r"tick (\d+)", page.locator("[data-output-log]").first.inner_text())]


def live(page: Page) -> None:
    expect(page.locator("#conn")).to_have_text("Live", timeout=20_000)
