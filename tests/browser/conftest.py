"""A real Chromium on a real console."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, StorageState, sync_playwright

from tests.browser.scripted import Desk, Script
from tests.stack import ROOT, Stack

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# Chromium's own chatter must not leave the machine.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Not for the whole session: its event loop would run on under tests that use the database.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium for the browser tests: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def console() -> Iterator[Stack]:
    """One console for the modules that begin with a library as it was installed."""
    with Stack(environment={"ERPOPS_ADMIN_EMAIL": "oncall@example.org"}) as stack:
        yield stack


@pytest.fixture(scope="package")
def shared_console() -> Iterator[Stack]:
    """One console for every module that does not mind what others left on it."""
    served = {"ERPOPS_QUEUES": "env.self,env.payments,env.shop,env.shop-test,checks"}
    with Stack(environment={"ERPOPS_ADMIN_EMAIL": "oncall@example.org", **served}) as stack:
        yield stack


@pytest.fixture(scope="package")
def signed_in(chromium: Browser, shared_console: Stack) -> StorageState:
    """The cookies of the shared console's admin."""
    context = chromium.new_context(base_url=shared_console.url)
    sign_in(context.new_page(), *shared_console.first_login)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def context(chromium: Browser, console: Stack) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=console.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which any script error fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    assert errors == []


@pytest.fixture(scope="session")
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.close()


@pytest.fixture
def desk(chromium: Browser, script: Script) -> Iterator[Desk]:
    """A browser for the scripted page, on which any script error fails the test."""
    script.reset()
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    desk = Desk(context, script)
    yield desk
    assert desk.errors == []
    context.close()
    script.reset()


def sign_in(page: Page, user: str, password: str) -> None:
    """Through the form, as a person does."""
    page.goto("/sign-in")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def post(context: BrowserContext, path: str, **form: str) -> APIResponse:
    """Send a form as a page of this signed-in browser would, without following its redirect."""
    token = next(each["value"] for each in context.cookies() if each["name"] == "csrftoken")
    answer = context.request.post(path, form={"csrfmiddlewaretoken": token, **form}, max_redirects=0)
    assert answer.status in {200, 204, 302}, f"{path} answered {answer.status}: {answer.text()[:300]}"
    return answer


def axe_violations(page: Page, *only: str) -> list[str]:
    """What axe finds on the page, one line each; `only` names the rules to look at."""
    if not AXE.exists():
        pytest.skip("axe-core is not set up: run `make test`, which installs it")
    # Evaluated by the debugger, which the page's content security policy does not bind.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        """async (only) => (await axe.run(document, {
            resultTypes: ["violations"],
            ...(only.length ? {runOnly: {type: "rule", values: only}} : {}),
        })).violations.flatMap(({id, nodes}) => nodes.map((node) =>
            `${id}: ${node.target} ${node.failureSummary.replace(/\\s+/g, " ")} in ${node.html.slice(0, 120)}`))""",
        list(only),
    )
    return list(found)
