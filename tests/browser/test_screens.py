"""Every screen, on a computer and on a phone, light and dark: answers, fits, and keeps out of nobody's way."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Browser, Page, StorageState, expect

from tests.browser.conftest import axe_violations, post, sign_in
from tests.stack import ROOT, Stack

WIDTHS = {1280: 800, 375: 720}
PICTURES = ROOT / "test-artifacts" / "screens"
# Nothing is asserted of pictures: they are taken for people who want to look.
WANTED = bool(os.environ.get("ERPOPS_TEST_PICTURES"))


class Pages(dict[int, Page]):
    """Pages by their width, each opened when it is asked for: a browser takes half a second to open one."""

    def __init__(self, opened: Callable[[int], Page]) -> None:
        self._opened = opened

    def __missing__(self, width: int) -> Page:
        self[width] = self._opened(width)
        return self[width]


class Account:
    """Somebody's browsers, one per width, and what went wrong in them."""

    def __init__(self, chromium: Browser, url: str, state: StorageState | None) -> None:
        self.problems: list[str] = []
        self.pages = Pages(partial(self._open, chromium, url, state))

    def _open(self, chromium: Browser, url: str, state: StorageState | None, width: int) -> Page:
        context = chromium.new_context(
            base_url=url,
            viewport={"width": width, "height": WIDTHS[width]},
            storage_state=state,
            has_touch=width < 500,
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        page.on("console", lambda line: self._line(line.type, line.text))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure))
        return page

    def post(self, path: str, **form: str) -> APIResponse:
        return post(self.pages[1280].context, path, **form)

    def read(self, path: str) -> str:
        return self.pages[1280].context.request.get(path).text()

    def close(self) -> None:
        for page in self.pages.values():
            page.context.close()

    def _line(self, kind: str, text: str) -> None:
        # The browser reports the screens that are errors themselves, too, and that it was taken off the net.
        if kind == "error" and not re.search("status of 4(0|22)|INTERNET_DISCONNECTED|^htmx:", text):
            self.problems.append(f"console: {text}")

    def _failed(self, url: str, why: str | None) -> None:
        if "/live?" not in url and why not in {"net::ERR_ABORTED", "net::ERR_INTERNET_DISCONNECTED"}:
            self.problems.append(f"{url} was not loaded: {why}")


@dataclass(frozen=True)
class World:
    """A console in the middle of its work. Incidents: `over`, `walked` with a run, `fresh` that nobody took."""

    admin: Account
    guest: Account
    nobody: Account
    over: str
    walked: str
    fresh: str
    step: str
    output: str
    procedure: str
    rehearsal: str
    batch: str
    contact: str


@pytest.fixture(scope="module")
def world(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[World]:
    admin = Account(chromium, shared_console.url, signed_in)
    over = admin.post("/drill").headers["location"]
    admin.post(f"{over}acknowledge")
    admin.post(f"{over}note", text="Looked at **disk** first: `df -h` says 97 %.\n\n- full since 02:10\n- logs")
    # Another module may have begun a walk in it.
    admin.post(f"{over}resolve", reason="Old logs were removed.", unverified="the disk stays below 80 %")
    walked = admin.post("/drill").headers["location"]
    assert walked != over
    admin.post(f"{walked}acknowledge")
    step = admin.post(f"{walked}runbooks/fire-drill/start").headers["location"]
    _until_a_worker_is_there(admin.pages[1280])
    admin.post(f"{step}command/0/run")
    admin.pages[1280].goto(step)
    expect(admin.pages[1280].locator("main")).to_contain_text("Succeeded", timeout=60_000)
    output = _first(admin, step, r"/i/\d+/run/\d+(?=\")")
    fresh = _declare(admin)
    procedure = _routine(admin)
    rehearsal = _rehearsed(admin)
    batch = _import(admin)
    contact = _first(admin, "/oncall/", r"/oncall/contacts/\d+")
    nobody = Account(chromium, shared_console.url, None)
    password = _guest(admin)
    sign_in(nobody.pages[1280], "guest", password)
    guest = Account(chromium, shared_console.url, nobody.pages[1280].context.storage_state())
    nobody.pages[1280].context.clear_cookies()
    yield World(admin, guest, nobody, over, walked, fresh, step, output, procedure, rehearsal, batch, contact)
    for account in (admin, guest, nobody):
        account.close()


def _until_a_worker_is_there(page: Page) -> None:
    for _ in range(120):
        page.goto("/")
        if page.get_by_text("Worker runs").is_visible():
            return
        page.wait_for_timeout(500)
    raise AssertionError("no worker started")


def _routine(admin: Account) -> str:
    started = admin.post("/p/start/fire-drill", environment=_somewhere(admin)).headers["location"]
    room = started.split("step/")[0]
    admin.post(f"{room}note", text="Pump 2 is **loud** since 06:10.")
    admin.post(f"{started}done", note="looked at it")
    return room


def _rehearsed(admin: Account) -> str:
    """A rehearsal that is over, and a plan."""
    where = _somewhere(admin)
    admin.post("/r/disk-space-is-low/rehearsals/plan", environment=where, every_h="168")
    begun = admin.post("/r/disk-space-is-low/rehearsals/start", environment=where).headers["location"]
    page = admin.pages[1280]
    page.goto(begun)
    expect(page.locator("#rehearsal-results")).to_contain_text("Over since", timeout=60_000)
    return begun


IMPORTED = """# Pumps

## Pump is down

**Alert**: `ErpopsFireDrill`
**Severity**: Critical

1. Look at `pump-1`

   ```sql
   SELECT query, mean_time FROM pg_stat_statements;
   ```

   ```bash
   tail -f /var/log/pump.log
   ```

- [ ] Water flows

## Contacts

| Name | Phone |
|------|-------|
| Keeper of the pumps | +49 30 5550177 |
"""


def _import(admin: Account) -> str:
    """One import that is finished and one that is in review, whose address this is."""
    done = _taken(admin)
    take = re.findall(r'name="take" value="([^"]+)"', admin.pages[1280].request.get(f"{done}publish").text())
    admin.post(f"{done}publish", take=take[0], act="publish", note="first")
    text = admin.pages[1280].request.get("/r/pump-is-down/export.md").text()
    admin.post(
        "/r/pump-is-down/edit", text=text.replace("Look at", "Look well at"), base="1", act="save", note="better"
    )
    return _taken(admin)


def _taken(admin: Account) -> str:
    return admin.post("/r/import", name="pumps.md", text=IMPORTED).headers["location"].removesuffix("clean")


def _somewhere(admin: Account) -> str:
    page = admin.pages[1280]
    page.goto("/i/declare")
    where = page.locator("select[name=environment] option").first.get_attribute("value")
    assert where is not None
    return where


def _declare(admin: Account) -> str:
    where = _somewhere(admin)
    title = "Checkout answers with errors for everybody who pays with a card that was issued abroad"
    answer = admin.post("/i/declare", title=title, severity="SEV2", environment=where)
    return answer.headers["location"]


def _first(admin: Account, path: str, pattern: str) -> str:
    found = re.search(pattern, admin.pages[1280].request.get(path).text())
    assert found is not None, f"{path} links to nothing like {pattern}"
    return found[0]


def _guest(admin: Account) -> str:
    """Somebody who may only read the status; their password."""
    page = admin.pages[1280]
    page.goto("/people/")
    page.get_by_label("User name").fill("guest")
    page.get_by_label("Full name").fill("Putri Anggraini")
    page.locator("#id_roles").get_by_label("Stakeholder").check()
    page.get_by_role("button", name="Add and show the password").click()
    return page.locator("#first-password").inner_text().strip()


SCREENS: dict[str, Callable[[World], str]] = {
    "now": lambda world: "/",
    "incidents": lambda world: "/i/",
    "incidents-none-found": lambda world: "/i/?q=nothing-is-called-so",
    "declare": lambda world: "/i/declare",
    "room-fresh": lambda world: world.fresh,
    "room-walked": lambda world: world.walked,
    "room-step": lambda world: world.step,
    "dry-run": lambda world: f"{world.step.partition('step/')[0]}dry-run",
    "complete": lambda world: f"{world.step.partition('step/')[0]}complete?position=0",
    "output": lambda world: f"{world.output}#L1-L2",
    "output-search": lambda world: f"{world.step.partition('step/')[0]}output?q=postgres",
    "room-over": lambda world: world.over,
    "resolve": lambda world: f"{world.fresh}resolve",
    "severity": lambda world: f"{world.fresh}severity",
    "update": lambda world: f"{world.fresh}update",
    "runbooks": lambda world: "/r/",
    "runbook": lambda world: "/r/disk-space-is-low/",
    "runbook-import": lambda world: "/r/import",
    "import-clean": lambda world: f"{world.batch}clean",
    "import-split": lambda world: f"{world.batch}split",
    "import-review": lambda world: f"{world.batch}review",
    "import-publish": lambda world: f"{world.batch}publish",
    "imported": lambda world: "/r/imported/",
    "runbook-new": lambda world: "/r/new",
    "runbook-edit": lambda world: "/r/pump-is-down/edit",
    "runbook-draft": lambda world: "/r/pump-is-down/v/2/",
    "runbook-diff": lambda world: "/r/pump-is-down/diff/1/2/",
    "runbooks-review": lambda world: "/r/review/",
    "runbooks-conflicts": lambda world: "/r/conflicts/",
    "runbooks-gaps": lambda world: "/r/gaps/",
    "rehearsals": lambda world: "/r/disk-space-is-low/rehearsals/",
    "rehearsal": lambda world: world.rehearsal,
    "runbooks-compare": lambda world: "/r/compare/application-down-on-docker-compose/application-down-on-kubernetes/",
    "room-finder": lambda world: f"{world.walked}?runbooks=1",
    "rules": lambda world: "/r/rules/",
    "rule": lambda world: "/r/rules/sql.renamed-column/",
    "procedures": lambda world: "/p/",
    "procedure": lambda world: world.procedure,
    "checks": lambda world: "/checks/",
    "check": lambda world: "/checks/database-connections/",
    "check-edit": lambda world: "/checks/database-connections/edit",
    "check-new": lambda world: "/checks/new",
    "targets": lambda world: "/checks/targets/",
    "target-kinds": lambda world: "/checks/targets/new",
    "target-new": lambda world: "/checks/targets/new?kind=ssh",
    "environments": lambda world: "/environments/",
    "environment-new": lambda world: "/environments/new",
    "workers": lambda world: "/workers/",
    "oncall": lambda world: "/oncall/",
    "contact": lambda world: world.contact,
    "contact-new": lambda world: "/oncall/contacts/new",
    "matrix-row": lambda world: "/oncall/matrix/SEV1",
    "reviews": lambda world: "/reviews/",
    "review": lambda world: f"{world.over}review",
    "review-edit": lambda world: f"{world.over}review?edit=1",
    "status": lambda world: "/status/",
    "sources": lambda world: "/sources/",
    "people": lambda world: "/people/",
    "password": lambda world: "/account/password",
}


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_fits_and_is_accessible(name: str, world: World) -> None:
    look(world.admin, name, SCREENS[name](world))


def test_the_sign_in_page_fits_and_is_accessible(world: World) -> None:
    look(world.nobody, "sign-in", "/sign-in")


def test_a_page_that_does_not_exist_says_so_and_leads_on(world: World) -> None:
    look(world.admin, "404", "/i/4040/", 404)


def test_a_page_that_is_not_allowed_says_who_can_help(world: World) -> None:
    look(world.guest, "403", "/people/", 403)
    expect(world.guest.pages[1280].locator("main")).to_contain_text("admin")


@pytest.mark.parametrize("name", ["status", "now"])
def test_the_screens_of_a_stakeholder_fit_and_are_accessible(name: str, world: World) -> None:
    look(world.guest, f"guest-{name}", SCREENS[name](world))


def test_the_theme_that_a_person_chose_wins_over_the_system(world: World) -> None:
    page = world.admin.pages[1280]
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.context.add_cookies([{"name": "theme", "value": "dark", "url": page.url}])
    page.reload()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.context.clear_cookies(name="theme")
    page.reload()
    assert ground != page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 80


def look(
    account: Account,
    name: str,
    path: str,
    status: int = 200,
    *,
    prepare: Callable[[Page], None] | None = None,
    folder: Path = PICTURES,
) -> None:
    """Fail with everything that is wrong with a screen, a line each; pictures of it go to `folder`, where wanted.

    `prepare` brings the page into the state that is meant, such as an open sheet.
    """
    wrong: list[str] = []
    for width in WIDTHS:
        page = account.pages[width]
        account.problems.clear()
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        answer = page.goto(path)
        assert answer is not None
        found = [] if answer.status == status else [f"answered {answer.status}, not {status}"]
        if prepare is not None:
            prepare(page)
        found += _structure(page) + _overflow(page) + axe_violations(page)
        _picture(page, folder / f"{name}-{width}-light.png")
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        found += [f"dark: {line}" for line in axe_violations(page, "color-contrast")]
        _picture(page, folder / f"{name}-{width}-dark.png")
        wrong += [f"{width}: {line}" for line in found + account.problems]
    assert not wrong, "\n".join([path, *wrong])


# How high a screen has to be to show all of a page, or of the sheet over it.
_WHOLE = """() => {
  const sheet = document.querySelector("dialog[open] .sheet-main");
  const hidden = sheet ? sheet.scrollHeight - sheet.clientHeight : 0;
  return sheet ? innerHeight + hidden : Math.max(innerHeight, document.scrollingElement.scrollHeight);
}"""


def _picture(page: Page, file: Path) -> None:
    """All of the page as a screen that is high enough shows it: what sticks to an edge is at that edge."""
    if not WANTED:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": min(page.evaluate(_WHOLE), 4000)})
    page.screenshot(path=file)
    page.set_viewport_size(size)


def _structure(page: Page) -> list[str]:
    found = []
    if page.locator("h1:visible").count() != 1:
        found.append(f"{page.locator('h1:visible').count()} visible h1")
    if not re.fullmatch(r"\S.* · erpops", page.title()):
        found.append(f"title {page.title()!r}")
    return found


def _overflow(page: Page) -> list[str]:
    """What reaches beyond the right edge, when the page can be scrolled sideways."""
    return list(
        page.evaluate(
            """() => document.scrollingElement.scrollWidth <= innerWidth ? [] :
            ["wider than the screen: " + [...document.querySelectorAll("body *")]
              .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
              .slice(0, 5).map((each) => each.outerHTML.slice(0, 90)).join(" | ")]"""
        )
    )
