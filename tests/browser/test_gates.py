"""The gates as people meet them: a strip, a sheet, an approval from a phone; and how every state of them looks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import sign_in
from tests.browser.test_screens import Account, look
from tests.stack import Stack

DOCUMENT = """# Payments

## Payments are stuck

**Alert**: `PaymentsStuck`
**Severity**: Critical

### Diagnosis

1. See how full the disk is

   ```bash
   df -h /tmp
   ```

### Resolution

2. Note that somebody is on it

   ```bash
   touch /tmp/erpops-gates-note
   ```

3. Restart the payment workers

   ```bash
   systemctl restart payments
   ```

4. Throw the stuck queue away

   ```bash
   rm -rf /tmp/erpops-gates-queue
   ```

### Rollback

5. Put the queue back from the copy

   ```bash
   ls /tmp
   ```
"""
NOTE, RESTART, WIPE = 1, 2, 3
TARGET = "/tmp/erpops-gates-queue"


@dataclass
class Payments:
    """A production environment, its runbook, and the two people who look after it."""

    admin: Account
    olga: Account
    lena: Account
    walk: str

    def step(self, position: int) -> str:
        return f"{self.walk}step/{position}/"


@pytest.fixture(scope="module")
def payments(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[Payments]:
    admin = Account(chromium, shared_console.url, signed_in)
    admin.post("/environments/new", label="Payments", name="payments", is_production="on", variables="")
    batch = admin.post("/r/import", name="payments.md", text=DOCUMENT).headers["location"].removesuffix("clean")
    take = re.findall(r'name="take" value="([^"]+)"', admin.pages[1280].request.get(f"{batch}publish").text())
    admin.post(f"{batch}publish", take=take[0], act="publish", note="first")
    olga = _person(admin, chromium, shared_console, "olga", "Operator")
    lena = _person(admin, chromium, shared_console, "lena", "Team lead")
    page = admin.pages[1280]
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option", has_text="Payments").get_attribute("value")
    room = olga.post("/i/declare", title="Payments are stuck", severity="SEV2", environment=where or "")
    number = room.headers["location"]
    olga.post(f"{number}acknowledge")
    started = olga.post(f"{number}runbooks/payments-are-stuck/start").headers["location"]
    yield Payments(admin, olga, lena, started.partition("step/")[0])
    for account in (admin, olga, lena):
        account.close()


def _person(admin: Account, chromium: Browser, console: Stack, name: str, role: str) -> Account:
    page = admin.pages[1280]
    page.goto("/people/")
    page.get_by_label("User name").fill(name)
    page.locator("#id_roles").get_by_label(role).check()
    page.get_by_role("button", name="Add and show the password").click()
    password = page.locator("#first-password").inner_text().strip()
    context = chromium.new_context(base_url=console.url)
    sign_in(context.new_page(), name, password)
    account = Account(chromium, console.url, context.storage_state())
    context.close()
    return account


def show(payments: Payments, name: str, path: str, prepare: Callable[[Page], None] | None = None) -> None:
    """A state of the gates on both widths and in both themes, with everything that is wrong with it."""
    look(payments.olga, f"gate-{name}", path, prepare=prepare)


def open_sheet(page: Page) -> None:
    page.locator("#run-0").click()
    page.locator("dialog[open] h2").wait_for()


def open_strip(page: Page) -> None:
    page.locator("#run-0").click()
    page.locator(".confirm-strip").wait_for()


def ask(payments: Payments) -> Page:
    """Olga asks from her phone; her page afterwards."""
    phone = payments.olga.pages[375]
    phone.goto(payments.step(WIPE))
    open_sheet(phone)
    sheet = phone.locator("dialog[open]")
    sheet.get_by_text("Users are affected").click()
    sheet.get_by_label("to confirm what it happens to").fill(TARGET)
    phone.wait_for_timeout(500)
    sheet.get_by_role("button", name="Ask: Remove 1 path on Payments").click()
    expect(phone.get_by_text("Waiting for approval")).to_be_visible()
    return phone


def open_question(payments: Payments) -> Page:
    """Lena opens on her phone what waits for her."""
    page = payments.lena.pages[375]
    page.goto("/")
    page.get_by_role("link", name=re.compile("Remove 1 path on Payments")).first.click()
    page.get_by_label("to confirm what it happens to").wait_for()
    return page


def approve(page: Page) -> None:
    page.get_by_label("to confirm what it happens to").fill(TARGET)
    page.get_by_label("Comment").fill("The copy of 02:15 is good.")
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Approve: Remove 1 path").click()
    expect(page.get_by_text("lena approved it").first).to_be_visible()


def run_it(phone: Page) -> None:
    open_sheet(phone)
    phone.wait_for_timeout(500)
    phone.locator("dialog[open]").get_by_role("button", name="Remove 1 path on Payments").click()
    expect(phone.locator("main")).to_contain_text("Succeeded", timeout=20_000)


def test_a_change_asks_in_a_strip_that_a_double_click_does_not_confirm(payments: Payments) -> None:
    page = payments.olga.pages[1280]
    page.goto(payments.step(NOTE))
    page.locator("#run-0").dblclick()
    confirm = page.locator(".confirm-strip button")
    confirm.wait_for()
    confirm.click(delay=0)
    page.wait_for_timeout(300)
    expect(page.locator("[data-run-output]")).to_have_count(0)
    page.wait_for_timeout(500)
    confirm.click()
    expect(page.locator("[data-run-output]")).to_have_count(1, timeout=20_000)


def test_an_approval_from_a_phone(payments: Payments) -> None:
    show(payments, "destroy-sheet", payments.step(WIPE), open_sheet)
    phone = ask(payments)
    page = open_question(payments)
    look(payments.lena, "gate-question", page.url)
    approve(page)
    expect(phone.get_by_text("Approved by lena")).to_be_visible(timeout=10_000)
    run_it(phone)
    expect(page.get_by_text("It was used")).to_be_visible(timeout=10_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_state_of_the_gates_fits_and_is_accessible(payments: Payments) -> None:
    show(payments, "change", payments.step(NOTE), open_strip)
    if "Review and run" in payments.olga.pages[1280].request.get(payments.step(RESTART)).text():
        show(payments, "disrupt", payments.step(RESTART), open_sheet)
    show(payments, "destroy-before", payments.step(WIPE))
    phone = ask(payments)
    show(payments, "destroy-waiting", payments.step(WIPE))
    look(payments.lena, "gate-now", "/")
    page = open_question(payments)
    question = page.url
    look(payments.olga, "gate-question-asker", question)
    payments.lena.post(f"{question}answer", verdict="reject", comment="There is no copy.")
    show(payments, "destroy-refused", payments.step(WIPE))
    ask(payments)
    page = open_question(payments)
    question = page.url
    approve(page)
    look(payments.lena, "gate-question-answered", question)
    show(payments, "destroy-approved", payments.step(WIPE))
    show(payments, "destroy-approved-sheet", payments.step(WIPE), open_sheet)
    phone.goto(payments.step(WIPE))
    run_it(phone)
    look(payments.lena, "gate-question-used", question)
