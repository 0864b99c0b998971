"""The incident runbooks of real documents, unedited, walked in a browser with every command that can run really run.

`ERPOPS_WALK` holds a pattern when only some of them are to be walked.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect

from runbooks.compiler import compile_text
from tests.browser.conftest import post, sign_in
from tests.browser.stage import Stage, stage
from tests.browser.telling import Command, Walked, summary, why
from tests.browser.test_documents_walk import DOCUMENTS, Told, complete, quiet, settle
from tests.peers import rows, until
from tests.stack import ROOT

pytestmark = [pytest.mark.timeout(9000)]
# For an incident that an alert opens, and for one that a person opens.
FEW = {"memory-leaks": ["PostgreSQLDown"], "database-performance-issues": []}
REPORT = ROOT / "test-artifacts" / "documents-for-real"
# What a person would type, by a word of the parameter's name. Pods are picked from the cluster.
VALUES = {
    "ip-set": "block-1",
    "ip": "203.0.113.7",
    "pid": "999999",
    "host": "127.0.0.1",
    "user-id": "42",
    "user": "erpgo",
    "revision": "1",
    "wal": "000000010000000000000001",
    "timestamp": "2026-01-19_0200",
    "query": "SELECT 1",
    "container": "erpgo-api",
    "db": "erp",
}


_IMPORT = """
from pathlib import Path
from runbooks import library
from runbooks.compiler.encoding import decode
for file in map(Path, {files!r}):
    done = library.import_text(text=decode(file.read_bytes()).text, path=file.name, publish=True)
    for version in done.versions:
        book = version.runbook
        print("|".join((book.slug, book.kind, ",".join(book.alerts), ",".join(version.compiled["severity"]))))
"""


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    if not DOCUMENTS.is_dir():
        pytest.skip("the folder shared/documents beside the checkout is missing: put Markdown runbooks there")
    with stage(dict.fromkeys(_alerts(), "critical")) as built:
        yield built


def _alerts() -> list[str]:
    """The alerts that the documents name."""
    compiled = [compile_text(path.read_bytes(), path=path.name) for path in sorted(DOCUMENTS.iterdir())]
    return [name for document in compiled for runbook in document["runbooks"] for name in runbook["alerts"]]


@pytest.fixture(scope="module")
def shelf(world: Stage) -> dict[str, list[str]]:
    """The incident runbooks: their alerts by slug."""
    return imported(world, sorted(DOCUMENTS.iterdir()))


def imported(world: Stage, files: list[Path]) -> dict[str, list[str]]:
    """Bring documents into the library; what is new of their incident runbooks, with their alerts by slug."""
    text = _IMPORT.format(files=[str(file) for file in files])
    listed = world.console.manage("shell", "-v0", "-c", text, timeout=180).stdout
    rows = [line.split("|") for line in listed.splitlines() if line.count("|") == 3]
    return {slug: [name for name in alerts.split(",") if name] for slug, kind, alerts, _ in rows if kind == "incident"}


@pytest.fixture(scope="module")
def operator(chromium: Browser, world: Stage) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=world.console.url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    sign_in(page, *world.console.first_login)
    yield page
    context.close()


@pytest.mark.slow
def test_each_incident_runbook_is_walked_to_its_end_with_its_commands_run(
    world: Stage, shelf: dict[str, list[str]], operator: Page
) -> None:
    assert len(shelf) > 40
    REPORT.mkdir(parents=True, exist_ok=True)
    log = (REPORT / "walks.jsonl").open("w", encoding="utf-8")
    walks = []
    wanted = re.compile(os.environ.get("ERPOPS_WALK", ""))
    for slug, alerts in shelf.items():
        if not wanted.search(slug):
            continue
        world.restore()
        walked = Walked(slug, "")
        walks.append(walked)
        try:
            walk(operator, world, walked, alerts)
        except (AssertionError, Error) as error:
            walked.broken = str(error)[:400]
            operator.screenshot(path=REPORT / f"{slug}.png", full_page=True)
        log.write(json.dumps(asdict(walked)) + "\n")
        log.flush()
    told = summary(walks)
    (REPORT / "summary.md").write_text(told, encoding="utf-8")
    print(told)
    ends = Counter(command.end for walked in walks for command in walked.commands)
    assert [f"{walked.runbook}: {walked.broken}" for walked in walks if walked.broken] == []
    assert wanted.pattern or sum(ends.values()) >= 400
    # Whatever failed or could not run says why.
    assert not [c for w in walks for c in w.commands if c.end == "not run" and not c.reason]


def walk(page: Page, world: Stage, walked: Walked, alerts: list[str]) -> None:
    """Open an incident (by its alert, if it has one), start the runbook, do every step, complete."""
    slug = walked.runbook
    room, walked.opened_by = _incident(page, world, slug, alerts)
    page.goto(post(page.context, f"{room}runbooks/{slug}/start").headers["location"])
    total = int(re.search(r"of (\d+)", page.locator("#step-title").inner_text())[1])  # type: ignore[index]
    first = page.url.split("step/")[0]
    for position in range(total):
        page.goto(f"{first}step/{position}/")
        walked.steps += 1
        if (decide := page.locator("#fork-decide")).count():
            page.locator(f'input[name=choice][value="{position}"]').check()
            decide.click()
            quiet(page)
        _give_values(page)
        count = page.locator("article.command").count()
        for index in range(count):
            walked.commands.append(_carry_out(page, slug, position, index))
        settle(page, Told(), position)
    page.goto(f"{first}step/{total - 1}/")
    complete(page)


def _incident(page: Page, world: Stage, slug: str, alerts: list[str]) -> tuple[str, str]:
    """The room, and what opened it: a real Prometheus and a real Alertmanager, where the runbook names an alert."""
    database = str(world.console.services()["database_url"])
    find = (
        "SELECT incident_id FROM incidents_alert WHERE name = %s AND incident_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    )
    if alerts:
        world.fire(alerts[0])
        try:
            [(number,)] = until(lambda: rows(database, find, alerts[0]), 40, alerts[0])
        except AssertionError:
            pass
        else:
            return f"/i/{number}/", f"alert {alerts[0]}"
    page.goto("/i/declare")
    named = page.locator("select[name=environment] option").filter(has_text=re.compile(r"^ERP$"))
    where = named.first.get_attribute("value") or ""
    sent = {"title": f"Walk of {slug}", "severity": "SEV2", "environment": where}
    return post(page.context, "/i/declare", **sent).headers["location"], "a person"


def _give_values(page: Page) -> None:
    """Fill what is empty: a pod from the cluster's own list, everything else as a person would type it."""
    for name in _empty(page):
        pick = page.get_by_role("link", name=f"Pick a value for {name}", exact=True)
        if "pod" in name and pick.count():
            pick.click()
            cell = page.locator("dialog[open] .pick-cell").first
            cell.click()
            expect(page.locator("dialog[open]")).to_have_count(0)
    typed = False
    for name in _empty(page):
        value = next((value for word, value in VALUES.items() if word in name.lower().replace("_", "-")), "1")
        page.locator(f'[name="value:{name}"]').fill(value)
        typed = True
    if typed:
        page.get_by_role("button", name="Use these values").click()
        quiet(page)


def _empty(page: Page) -> list[str]:
    fields = page.locator("#walk-values input[name^='value:']").all()
    return [str(field.get_attribute("name"))[6:] for field in fields if not field.input_value()]


def _carry_out(page: Page, slug: str, position: int, index: int) -> Command:
    """Run it by its buttons, through whatever its risk asks, and read what came of it."""
    article = page.locator(f"#command-{index}")
    act = page.locator(f"#act-{index}")
    text = page.locator(f"#text-{index}").inner_text()
    risk = article.locator("[data-risk]").first.get_attribute("data-risk") or ""
    told = Command(slug, position + 1, text, risk, "not run")
    if act.locator(".walk-paste").count():
        told.reason = act.locator("p.muted").first.inner_text().partition(" Copy it")[0]
        return told
    button = act.locator(f"#run-{index}")
    if not button.count():
        told.reason = "no button: " + act.inner_text()[:120]
        return told
    if button.get_attribute("aria-disabled") == "true":
        told.reason = button.get_attribute("title") or act.inner_text()[:120]
        return told
    button.scroll_into_view_if_needed()
    button.click()
    if refused := _confirm(page, act, index):
        told.reason = refused
        return told
    return _result(page, told, index)


def _confirm(page: Page, act: Locator, index: int) -> str:
    """Answer the strip or the sheet if there is one; what refuses it, or nothing."""
    asked = page.locator(f"#ask-{index} form, dialog[open] form.sheet-form")
    waiting = act.locator(".spinner, .field-error, :text('Attempt 1')")
    expect(asked.first.or_(waiting.first)).to_be_visible(timeout=20_000)
    if asked.count():
        form = asked.first
        if (reason := form.locator("[name=reason]")).count() and reason.first.get_attribute("type") != "hidden":
            reason.first.fill("the runbook says so")
        if (target := form.locator("[data-must-equal]")).count():
            target.fill(target.get_attribute("data-must-equal") or "")
        button = form.locator("button[data-arm]").last
        problem = page.locator("dialog[open] .error-summary")
        _press(page, button, waiting.first.or_(problem.first))
        if problem.count():
            said = problem.inner_text()
            page.keyboard.press("Escape")
            return said
    error = act.locator(".field-error")
    return error.first.inner_text() if error.count() else ""


def _press(page: Page, button: Locator, answered: Locator) -> None:
    """Press what ignores input for a moment after it came into view; again, if that was too early."""
    page.wait_for_timeout(700)
    button.click()
    try:
        expect(answered).to_be_visible(timeout=6_000)
    except AssertionError:
        if button.is_visible():
            button.click()
        expect(answered).to_be_visible(timeout=30_000)


def _result(page: Page, told: Command, index: int) -> Command:
    """Wait for the end; what takes longer than a minute and a half is stopped, as a person would."""
    act, state = page.locator(f"#act-{index}"), page.locator(f"#out-{index} [data-output-status]")
    ended = act.get_by_text(re.compile(r"^Attempt \d")).first.or_(act.locator(".walk-unknown").first)
    try:
        expect(ended).to_be_visible(timeout=90_000)
    except AssertionError:
        page.locator(f"#stop-{index}").click()
        expect(ended).to_be_visible(timeout=60_000)
    told.reason = state.inner_text() if state.count() else act.inner_text()[:200]
    if (kept := page.locator(f"#out-{index} a.term-btn", has_text="Download")).count():
        told.said = page.request.get(kept.get_attribute("href") or "").text()[-3000:]
    words = {"Succeeded": "succeeded", "Failed": "failed", "Stopped at": "timed_out", "Stopped": "stopped"}
    words["Not started"] = "not run"
    told.end = next((end for word, end in words.items() if told.reason.startswith(word)), "failed")
    return told


def test_a_few_runbooks_are_walked_with_their_commands_run(world: Stage, operator: Page) -> None:
    imported(world, [file for file in DOCUMENTS.iterdir() if "### Memory Leaks" in file.read_text(errors="replace")])
    walks = [Walked(slug, "") for slug in FEW]
    for walked in walks:
        walk(operator, world, walked, FEW[walked.runbook])
    alerted, declared = walks
    assert alerted.opened_by.startswith("alert ")
    assert declared.opened_by == "a person"
    commands = [command for walked in walks for command in walked.commands]
    ended = {command.text.split()[0]: command.end for command in commands}
    assert ended["docker"] == "succeeded", commands
    assert ended["EXPLAIN"] == "succeeded", commands
    assert not [command for command in commands if command.end != "succeeded" and why(command).startswith("other")]


def test_a_report_names_a_reason_for_everything() -> None:
    made = [
        Command("a", 1, "ifstat", "read", "failed", "Failed, exit 127", "bash: ifstat: command not found"),
        Command("a", 1, "htop", "blocked", "not run", "This command cannot run as it is written."),
    ]
    told = summary([Walked("a", "a person", 1, commands=made)])
    assert "1 × the program is not on the machine" in told
    assert "1 × This command cannot run as it is written." in told
