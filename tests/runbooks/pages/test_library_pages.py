"""The library, the reader and the importer, through HTTP."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from incidents import lifecycle
from incidents.models import Incident
from runbooks import library
from runbooks.models import Execution, Runbook
from tests.runbooks.pages.conftest import DISK, HTMX, at, command, compiled, phase, shelve, step

SignIn = Callable[[User], Client]
MARKDOWN = """# Queue is stuck

Alert: QueueStuck

## Diagnosis

1. **Look at the queue**

   ```bash
   df -h
   ```

2. **Drop it**

   ```bash
   rm -rf /var/queue
   ```

## Verification

- Messages flow
"""


@pytest.fixture
def admins(admin: User, signed_in: SignIn) -> Client:
    return signed_in(admin)


def test_the_shelf_answers_whether_a_runbook_can_be_trusted(browser: Client, runbook: Runbook) -> None:
    page = browser.get(reverse("runbooks")).content.decode()
    for word in ("Disk is full", "DiskFull", "DESTROY", "never"):
        assert word in page
    assert "Import Markdown" not in page


@pytest.mark.parametrize(("asked", "found"), [("diskfull", True), ("free space", True), ("free kangaroo", False)])
def test_search_reads_titles_alerts_and_texts(browser: Client, runbook: Runbook, asked: str, found: bool) -> None:
    page = browser.get(reverse("runbooks"), {"q": asked}, headers=HTMX).content.decode()
    assert ("Disk is full" in page) is found
    assert "<html" not in page


def test_an_alert_finds_its_runbook_by_address(browser: Client, runbook: Runbook) -> None:
    assert "Disk is full" in browser.get(reverse("runbooks"), {"alert": "DiskFull"}).content.decode()
    nothing = browser.get(reverse("runbooks"), {"alert": "Disk"}).content.decode()
    assert "No runbook names this alert" in nothing


def test_an_empty_library_says_what_to_do(admins: Client, browser: Client) -> None:
    assert "Bring the Markdown" in admins.get(reverse("runbooks")).content.decode()
    assert "An admin imports" in browser.get(reverse("runbooks")).content.decode()


def test_the_shelf_costs_the_same_for_one_and_for_ten(browser: Client, runbook: Runbook) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as counted:
            browser.get(reverse("runbooks"), headers=HTMX)
        return len(counted)

    queries()
    one = queries()
    for number in range(9):
        shelve(DISK, slug=f"copy-{number}")
    assert queries() == one


def test_the_reader_numbers_steps_as_a_walk_does(browser: Client, runbook: Runbook) -> None:
    page = browser.get(reverse("runbook", args=[runbook.slug])).content.decode()
    assert 'id="step-7"' in page
    assert "Usage is below 80 %" in page
    assert "&lt;pid&gt;" in page
    assert reverse("runbook_edit", args=[runbook.slug]) in page


def test_a_text_full_of_markup_stays_text(browser: Client) -> None:
    evil = "<img src=x onerror=alert(1)>\"'><script>"
    document = compiled(
        phase("diagnosis", step(evil, command(f"echo {evil}", label=evil), prose=[{"line": 1, "text": evil}])),
        title=evil,
        alerts=(evil,),
    )
    shelve(document, slug="evil")
    for url in (reverse("runbook", args=["evil"]), reverse("runbook_version", args=["evil", 1]), reverse("runbooks")):
        page = browser.get(url).content.decode()
        assert "<img src=x" not in page
        assert "><script>" not in page


def test_a_runbook_starts_in_an_open_incident_from_its_page(
    browser: Client, runbook: Runbook, incident: Incident, operator: User
) -> None:
    url = reverse("runbook_start", args=[runbook.slug])
    assert incident.reference in browser.get(reverse("runbook", args=[runbook.slug])).content.decode()
    assert browser.post(url, {"incident": ""}).url == reverse("runbook", args=[runbook.slug])  # type: ignore[attr-defined]
    answer = browser.post(url, {"incident": incident.pk})
    assert answer.url == at(Execution.objects.get(), 0)  # type: ignore[attr-defined]
    lifecycle.resolve(incident=incident, resolution="over", by=operator, unverified="seen elsewhere")
    assert incident.reference not in browser.get(reverse("runbook", args=[runbook.slug])).content.decode()


def test_a_version_keeps_its_source(browser: Client, runbook: Runbook) -> None:
    shelve(DISK)
    page = browser.get(reverse("runbook_version", args=[runbook.slug, 1])).content.decode()
    assert "This is not the version that runs" in page
    assert '<li id="line-3">free space runs out</li>' in page
    assert browser.get(reverse("runbook_version", args=[runbook.slug, 9])).status_code == 404


def test_a_draft_is_published_from_its_page(admins: Client, browser: Client) -> None:
    [version] = library.import_text(text=MARKDOWN, path="queue.md").versions
    assert version.state == "draft"
    url = reverse("runbook_publish", args=[version.runbook.slug, 1])
    assert browser.post(url, {"note": "mine"}).status_code == 403
    admins.post(url, {"note": "first"})
    version.refresh_from_db()
    assert (version.state, version.note) == ("published", "first")


def test_the_shelf_narrows_to_what_nobody_has_rehearsed(browser: Client, runbook: Runbook) -> None:
    page = browser.get(reverse("runbooks")).content.decode()
    assert "Never rehearsed" in page
    assert "Rehearsal failed" not in page, "what does not occur is not offered"
    assert "Disk is full" in browser.get(reverse("runbooks"), {"trust": "unrehearsed"}).content.decode()
    narrowed = browser.get(reverse("runbooks"), {"trust": "failing"}).content.decode()
    assert "Nothing found" in narrowed
    assert "Disk is full" not in narrowed
