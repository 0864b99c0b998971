"""The wizard over HTTP: stages, decisions, what is stored, what comes back."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from erpops import access
from incidents.models import Contact
from runbooks import units
from runbooks.models import ErrorCode, Import, ImportedItem, Runbook, Version

pytestmark = pytest.mark.django_db

TEXT = """# Shop runbooks

## Shop down

**Alert**: `ShopDown`

1. Look

   ```bash
   kubectl get pods
   ```

2. Ask the database

   ```sql
   SELECT query, mean_time FROM pg_stat_statements ORDER BY mean_time DESC LIMIT 5;
   ```

## Shop slow

1. Look at the load

   ```bash
   kubectl top pods
   ```

## Contacts

| Name | Phone |
|------|-------|
| Duty desk | +49 30 5550100 |

## Error codes

| Code | Meaning |
|------|---------|
| SHOP_017 | The till is open |
"""


@pytest.fixture
def admin(db: None) -> User:
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.get_or_create(name=access.ADMIN)[0])
    return user


@pytest.fixture
def browser(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


def paste(browser: Client, text: str = TEXT, name: str = "shop.md") -> Import:
    answer = browser.post(reverse("runbook_import"), {"name": name, "text": text})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    return Import.objects.latest("pk")


def finish(browser: Client, batch: Import, act: str = "publish", **more: object) -> None:
    page = browser.get(reverse("import_publish", args=[batch.pk]))
    origins = [item.origin for each in page.context["files"] for item in each.staged]
    browser.post(reverse("import_publish", args=[batch.pk]), {"take": origins, "act": act, **more})


def test_every_stage_has_an_address_and_counts_what_became_something(browser: Client) -> None:
    batch = paste(browser)
    for stage in ("clean", "split", "review", "publish"):
        page = browser.get(reverse(f"import_{stage}", args=[batch.pk]))
        assert page.status_code == 200
        assert "3 of 3" in page.content.decode()
    assert "shop.md" in browser.get(reverse("runbook_import")).content.decode()
    assert Runbook.objects.count() == 0


def test_drafts_are_made_and_nobody_walks_them_yet(browser: Client) -> None:
    finish(browser, paste(browser), act="keep", note="first")
    assert set(Runbook.objects.values_list("title", flat=True)) == {"Shop down", "Shop slow"}
    assert set(Version.objects.values_list("state", "note")) == {("draft", "first")}


def test_a_part_can_be_left_out_or_be_something_else_and_that_is_remembered(browser: Client) -> None:
    batch = paste(browser)
    file = batch.files.get()
    given = {
        f"kind:{file.pk}:import:shop.md#shop-down": "leave",
        f"kind:{file.pk}:import:shop.md#shop-slow": "scheduled",
    }
    browser.post(reverse("import_split", args=[batch.pk]), given)
    finish(browser, batch)
    runbook = Runbook.objects.get()
    assert (runbook.title, runbook.kind) == ("Shop slow", "scheduled")
    again = paste(browser)
    kinds = again.files.get().decisions["kinds"]
    assert kinds == {"import:shop.md#shop-down": "leave", "import:shop.md#shop-slow": "scheduled"}
    page = browser.get(reverse("import_publish", args=[again.pk]))
    assert [item.state for each in page.context["files"] for item in each.staged] == ["same"]


def findings(browser: Client, batch: Import, at: int = 0) -> dict[str, dict[str, object]]:
    page = browser.get(reverse("import_review", args=[batch.pk]), {"at": at})
    return {finding["rule"]: finding for finding in page.context["findings"]}


def act(browser: Client, batch: Import, **given: object) -> None:
    file = batch.files.get()
    browser.post(reverse("import_act", args=[batch.pk, file.pk]), given)


def test_a_fix_that_needs_no_understanding_is_made_with_one_click(browser: Client) -> None:
    batch = paste(browser)
    found = findings(browser, batch)["sql.renamed-column"]
    assert "mean_exec_time" in str(found["fix"])
    act(browser, batch, act="fix", mark=found["mark"], at=0)
    assert "sql.renamed-column" not in findings(browser, batch)
    finish(browser, batch)
    assert "mean_exec_time" in Version.objects.get(runbook__title="Shop down").text


def test_lines_are_edited_in_place_and_compiled_anew(browser: Client) -> None:
    batch = paste(browser)
    line = TEXT.split("\n").index("   kubectl top pods") + 1
    act(browser, batch, act="edit", first=line, last=line, text="   kubectl top pods -A", at=1)
    finish(browser, batch)
    version = Version.objects.get(runbook__title="Shop slow")
    assert version.compiled["phases"][0]["steps"][0]["commands"][0]["text"] == "kubectl top pods -A"


def test_a_finding_is_left_only_with_a_reason(browser: Client) -> None:
    batch = paste(browser)
    mark = findings(browser, batch)["sql.renamed-column"]["mark"]
    act(browser, batch, act="dismiss", mark=mark, reason=" ")
    assert "sql.renamed-column" in findings(browser, batch)
    act(browser, batch, act="dismiss", mark=mark, reason="we run PostgreSQL 12")
    assert "sql.renamed-column" not in findings(browser, batch)


def test_a_command_that_is_kept_for_hands_never_runs(browser: Client) -> None:
    batch = paste(browser)
    line = TEXT.split("\n").index("   kubectl top pods") + 1
    act(browser, batch, act="manual", line=line, at=1)
    finish(browser, batch)
    compiled = Version.objects.get(runbook__title="Shop slow").compiled
    unit = units.as_run(compiled, compiled["phases"][0]["steps"][0]["commands"][0])
    assert (unit["risk"], unit["because"]) == ("blocked", "It is kept for a person's hands.")


def test_importing_again_shows_exactly_the_edits(browser: Client) -> None:
    finish(browser, paste(browser))
    edited = TEXT.replace("kubectl top pods", "kubectl top nodes").replace("Look at the load", "Look at the nodes")
    page = browser.get(reverse("import_publish", args=[paste(browser, edited).pk]))
    states = {
        item.title: (item.state, [c.sentence for c in item.changes]) for e in page.context["files"] for item in e.staged
    }
    assert states == {
        "Shop down": ("same", []),
        "Shop slow": ("changed", ["The title changed.", "The command changed."]),
    }


def test_a_version_edited_here_is_not_ticked_and_not_published(browser: Client) -> None:
    finish(browser, paste(browser))
    Version.objects.filter(runbook__title="Shop slow").update(edited=True)
    batch = paste(browser, TEXT.replace("kubectl top pods", "kubectl top nodes"))
    page = browser.get(reverse("import_publish", args=[batch.pk])).content.decode()
    assert "was edited here" in page
    finish(browser, batch)
    runbook = Runbook.objects.get(title="Shop slow")
    assert runbook.current is not None
    assert runbook.current.number == 1
    assert runbook.versions.get(number=2).state == "draft"


def test_what_stands_beside_runbooks_becomes_proposals(browser: Client) -> None:
    finish(browser, paste(browser))
    page = browser.get(reverse("imported_items")).content.decode()
    assert "Duty desk" in page
    assert "SHOP_017" in page
    for item in ImportedItem.objects.filter(kind__in=["contact", "error_code"]):
        browser.post(reverse("imported_item", args=[item.pk]), {"act": "make"})
        browser.post(reverse("imported_item", args=[item.pk]), {"act": "make"})
    assert Contact.objects.filter(name="Duty desk").count() == 1
    assert ErrorCode.objects.get().facts["Meaning"] == "The till is open"


def test_a_dismissed_proposal_stays_dismissed(browser: Client) -> None:
    finish(browser, paste(browser))
    item = ImportedItem.objects.get(kind="contact")
    browser.post(reverse("imported_item", args=[item.pk]), {"act": "dismiss"})
    finish(browser, paste(browser))
    assert ImportedItem.objects.get(kind="contact").state == "dismissed"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Choose Markdown files"),
        ({"text": "# A"}, "Give the pasted text a name"),
        ({"name": "a.md", "text": "a\0b"}, "not a text file"),
    ],
)
def test_nothing_useful_gets_a_sentence(browser: Client, given: dict[str, str], sentence: str) -> None:
    answer = browser.post(reverse("runbook_import"), given)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_a_paste_of_ten_megabytes_is_refused_with_a_sentence_and_one_below_is_taken(browser: Client) -> None:
    answer = browser.post(reverse("runbook_import"), {"name": "big.md", "text": "a" * (10 * 1024 * 1024 + 1)})
    assert answer.status_code == 422
    assert "larger than 10 MB" in answer.content.decode()
    paste(browser, "# Big\n\n" + "word " * 500_000, "big.md")


def test_one_broken_file_does_not_stop_the_others(browser: Client) -> None:
    files = [SimpleUploadedFile("a.md", TEXT.encode()), SimpleUploadedFile("b.md", b"\0\0")]
    answer = browser.post(reverse("runbook_import"), {"files": files}, follow=True)
    assert "b.md is not a text file" in answer.content.decode()
    assert Import.objects.get().files.count() == 1


def test_an_import_that_was_given_up_cannot_be_changed(browser: Client) -> None:
    batch = paste(browser)
    browser.post(reverse("import_discard", args=[batch.pk]))
    finish(browser, batch)
    assert Runbook.objects.count() == 0


def test_damaged_letters_are_shown_before_and_after(browser: Client) -> None:
    meant = "# Störung\n\nFällt die Pumpe aus, rufe an — sofort.\n\n1. Prüfe das Öl → dann ✓\n"
    damaged = meant.encode().decode("mac_roman").encode()
    browser.post(reverse("runbook_import"), {"files": [SimpleUploadedFile("pump.md", damaged)]})
    page = browser.get(reverse("import_clean", args=[Import.objects.get().pk])).content.decode()
    assert "1. Prüfe das Öl → dann ✓" in page
    assert "‚Üí" in page


def test_only_admins_import(django_user_model: type[User], admin: User, browser: Client) -> None:
    batch = paste(browser)
    other = Client()
    person = django_user_model.objects.create_user("olga")
    person.groups.add(Group.objects.get_or_create(name=access.OPERATOR)[0])
    other.force_login(person)
    urls: list[tuple[Callable[..., object], str]] = [
        (other.get, reverse("runbook_import")),
        (other.get, reverse("import_review", args=[batch.pk])),
        (other.post, reverse("import_publish", args=[batch.pk])),
        (other.post, reverse("import_act", args=[batch.pk, batch.files.get().pk])),
    ]
    assert [ask(url).status_code for ask, url in urls] == [403] * 4  # type: ignore[attr-defined]
    assert other.get(reverse("imported_items")).status_code == 200
