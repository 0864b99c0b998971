"""From a draft to the version that runs: drafts, reviews, second persons, older texts, moved steps, search, export."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from erpops import access
from erpops.transitions import IllegalMove
from incidents.models import Alert, Source
from runbooks import editing, exporting, gaps, importing, library, page_queries, search, staging, uploads
from runbooks.models import ErrorCode, Runbook, Version
from runbooks.refusals import Refused
from tests.runbooks.importing.test_uploads import File

pytestmark = pytest.mark.django_db

TEXT = """# Pump down

**Alert**: `PumpDown`

## Symptoms

- No water > 80%

## Diagnosis

1. **Look at the pump**
   ```bash
   systemctl status pump
   ```

2. **Look at the valve**
   ```bash
   cat /var/log/valve.log
   ```

   It may take a while.

## Verification

- Water flows
"""


def person(name: str, *roles: str) -> User:
    user = User.objects.create_user(name)
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return user


@pytest.fixture
def ada() -> User:
    return person("ada", access.ADMIN)


@pytest.fixture
def lena() -> User:
    return person("lena", access.LEAD)


@pytest.fixture
def pump(ada: User) -> Runbook:
    library.import_text(text=TEXT, path="pump.md", publish=True)
    return Runbook.objects.get()


def drafted(pump: Runbook, old: str, new: str, by: User) -> Version:
    latest = pump.versions.order_by("-number")[0]
    return library.draft(runbook=pump, base=latest.number, text=latest.text.replace(old, new), note="n", by=by)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_an_edit_is_a_draft_until_somebody_publishes_it(pump: Runbook, ada: User, lena: User) -> None:
    version = drafted(pump, "Look at the pump", "Look at both pumps", ada)
    assert (version.number, version.state, version.edited) == (2, "draft", True)
    library.propose(version=version, note="there are two now", by=ada)
    library.publish(version=version, by=lena)
    pump.refresh_from_db()
    assert pump.current == version
    assert version.reviewed_by == lena


def test_the_same_text_again_is_the_same_version(pump: Runbook, ada: User) -> None:
    assert drafted(pump, "x-nowhere", "y", ada).number == 1


def test_two_writers_lose_nothing(pump: Runbook, ada: User, lena: User) -> None:
    drafted(pump, "Look at the pump", "Look at both pumps", ada)
    with pytest.raises(library.Outdated) as outdated:
        library.draft(runbook=pump, base=1, text=TEXT.replace("valve", "valves"), note="", by=lena)
    assert outdated.value.latest.number == 2
    page = signed_in(lena).post(
        reverse("runbook_edit", args=[pump.slug]), {"text": TEXT.replace("valve", "valves"), "base": 1, "act": "save"}
    )
    assert page.status_code == 409
    assert "valves" in page.content.decode()
    assert "both pumps" in page.content.decode()


@pytest.mark.parametrize(
    ("old", "new", "alone"),
    [
        ("Look at the pump", "Look at both pumps", True),
        ("systemctl status pump", "systemctl restart pump", True),
        ("cat /var/log/valve.log", "rm /var/log/valve.log", False),
    ],
)
def test_what_destroys_more_is_not_published_by_its_author_alone(  # noqa: PLR0917
    pump: Runbook, ada: User, lena: User, old: str, new: str, alone: bool
) -> None:
    version = drafted(pump, old, new, ada)
    if alone:
        assert library.publish(version=version, by=ada)
        return
    with pytest.raises(Refused, match="somebody else than its author"):
        library.publish(version=version, by=ada)
    assert library.publish(version=version, by=lena)


def test_who_is_alone_may_publish_everything(pump: Runbook, ada: User) -> None:
    assert library.publish(version=drafted(pump, "cat /var", "rm /var", ada), by=ada)


def test_a_version_is_sent_back_with_a_reason_and_stays_back(pump: Runbook, ada: User, lena: User) -> None:
    version = drafted(pump, "Look at the pump", "Kick the pump", ada)
    with pytest.raises(Refused, match="Say why"):
        library.reject(version=version, reason=" ", by=lena)
    library.reject(version=version, reason="it breaks", by=lena)
    with pytest.raises(IllegalMove):
        library.propose(version=version, note="again", by=ada)


def test_an_older_text_comes_back_as_a_new_version(pump: Runbook, ada: User, lena: User) -> None:
    library.publish(version=drafted(pump, "Look at the pump", "Look at both pumps", ada), by=lena)
    version = library.restore(version=pump.versions.get(number=1), by=ada)
    assert (version.number, version.text, version.state) == (3, TEXT, "draft")


def test_a_text_without_a_runbook_is_refused_with_a_sentence(pump: Runbook, ada: User) -> None:
    answer = signed_in(ada).post(reverse("runbook_edit", args=[pump.slug]), {"text": "", "base": 1, "act": "save"})
    assert answer.status_code == 422
    assert pump.versions.count() == 1


def test_a_text_goes_to_steps_and_back_byte_for_byte() -> None:
    content = staging.compiled_alone(TEXT, path="a.md", under=None, given={})
    lines = TEXT.split("\n")
    for block in editing.blocks(TEXT, content.compiled):
        assert lines[block.first - 1].lstrip("0123456789. ").startswith("**")
        assert lines[block.last - 1].strip()
    down = editing.move(TEXT, content.compiled, 0, down=True)
    assert down.index("valve") < down.index("Look at the pump")
    assert "1. **Look at the valve**" in down
    assert "2. **Look at the pump**" in down
    assert sorted(down.split("\n")) != sorted(lines)
    again = staging.compiled_alone(down, path="a.md", under=None, given={})
    assert editing.move(down, again.compiled, 0, down=True) == TEXT
    assert editing.move(TEXT, content.compiled, 1, down=True) == TEXT


def test_the_pages_of_a_draft(pump: Runbook, ada: User, lena: User) -> None:
    browser, reviewer = signed_in(ada), signed_in(lena)
    edited = TEXT.replace("Look at the pump", "Look at both pumps").replace("\n", "\r\n")
    url = reverse("runbook_edit", args=[pump.slug])
    shown = browser.post(reverse("runbook_preview", args=[pump.slug]), {"text": edited}).content.decode()
    assert "The title changed" in shown
    browser.post(url, {"text": edited, "base": 1, "act": "save", "note": "two pumps"})
    assert pump.versions.get(number=2).text == TEXT.replace("Look at the pump", "Look at both pumps")
    browser.post(reverse("runbook_propose", args=[pump.slug, 2]), {"note": "two pumps"})
    assert "Pump down" in reviewer.get(reverse("runbooks_waiting")).content.decode()
    diff = reviewer.get(reverse("runbook_diff", args=[pump.slug, 1, 2])).content.decode()
    assert "1 change" in diff
    reviewer.post(reverse("runbook_publish", args=[pump.slug, 2]), {"note": "good"})
    pump.refresh_from_db()
    assert pump.current is not None
    assert pump.current.number == 2
    moved = browser.post(url, {"text": TEXT, "base": 2, "act": "down:0"}).content.decode()
    assert moved.index("Look at the valve") < moved.index("Look at the pump")


def test_a_new_runbook_begins_from_a_template_for_an_alert(ada: User) -> None:
    browser = signed_in(ada)
    page = browser.get(reverse("runbook_new"), {"alert": "TankEmpty"})
    assert "`TankEmpty`" in page.content.decode()
    browser.post(reverse("runbook_new"), {"text": page.context["text"], "note": "first"})
    runbook = Runbook.objects.get()
    assert (runbook.title, runbook.current) == ("TankEmpty", None)


ASKED = ["pump", "PumpDown", "Pumpdo", "valve.log", "no water", "systemctl status", "Down pump"]


@pytest.mark.parametrize("asked", ASKED)
def test_a_word_a_part_of_a_name_or_a_command_finds_it(pump: Runbook, asked: str) -> None:
    assert list(search.find(Runbook.objects.all(), asked)) == [pump]


def test_what_stands_in_the_title_comes_first(pump: Runbook) -> None:
    other = TEXT.replace("Pump down", "Valve stuck").replace("PumpDown", "V")
    library.import_text(text=other, path="v.md", publish=True)
    assert [r.title for r in search.find(Runbook.objects.all(), "valve")] == ["Valve stuck", "Pump down"]
    assert not search.find(Runbook.objects.all(), "kangaroo").exists()


def test_an_error_code_is_explained_where_people_search(pump: Runbook, ada: User) -> None:
    ErrorCode.objects.create(code="AUTH_002", facts={"Meaning": "Token expired"}, path="codes.md")
    page = signed_in(ada).get(reverse("runbooks"), {"q": "AUTH_002"}).content.decode()
    assert "Token expired" in page


def test_two_runbooks_for_one_alert_are_a_conflict_with_what_they_say(pump: Runbook, ada: User) -> None:
    other = TEXT.replace("# Pump down", "# Pump stopped").replace("> 80%", "> 90%")
    library.import_text(text=other, path="other.md", publish=True)
    (conflict,) = gaps.conflicts(Runbook.objects.all())
    assert (conflict.alert, len(conflict.runbooks)) == ("PumpDown", 2)
    assert "80%" in conflict.sayings[0]
    assert "90%" in conflict.sayings[0]
    assert "PumpDown" in signed_in(ada).get(reverse("runbooks_conflicts")).content.decode()


RULES = b"""groups:
- name: water
  rules:
  - alert: PumpDown
    expr: up == 0
  - alert: TankEmpty
    expr: level < 1
    labels: {severity: critical}
    annotations: {summary: The tank is empty}
  - record: level:avg
    expr: avg(level)
"""


def test_alerts_of_a_rules_file_without_a_runbook_are_gaps(pump: Runbook, ada: User) -> None:
    found = gaps.of_rules(Runbook.objects.all(), gaps.from_file(RULES))
    assert [(gap.alert, gap.severity, gap.summary) for gap in found] == [("TankEmpty", "critical", "The tank is empty")]
    page = signed_in(ada).post(reverse("runbooks_gaps"), {"rules": SimpleUploadedFile("r.yml", RULES)})
    assert "1 of 2 alerts have no runbook" in page.content.decode()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [(b"groups: [", "no YAML"), (b"a: 1", "no groups"), (b"groups: x", "no groups"), (b"\xff\xfe\x00", "YAML")],
)
def test_rules_that_cannot_be_read_get_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(gaps.Unreadable, match=sentence):
        gaps.from_file(body)


def test_alerts_that_fired_here_without_a_runbook_are_gaps(pump: Runbook) -> None:
    source = Source.objects.create(name="s", kind="generic", token="t", token_sha256="t")
    for name in ("PumpDown", "Flood"):
        at = pump.created_at
        Alert.objects.create(
            source=source, fingerprint=name, name=name, status="firing", severity="SEV2", starts_at=at,
            first_seen_at=at, last_seen_at=at,
        )  # fmt: skip
    assert [gap.alert for gap in gaps.seen(Runbook.objects.all())] == ["Flood"]


def test_the_exported_library_imports_again_to_the_same_thing(pump: Runbook, ada: User) -> None:
    both = "# Water\n\n## Rain\n\n1. Wait\n\n## Snow\n\n1. Shovel\n\n   ```bash\n   date\n   ```\n"
    library.import_text(text=both, path="water.md", publish=True)
    archive = exporting.archive(Runbook.objects.all())

    def shelf() -> dict[str, Any]:
        shelved = Runbook.objects.filter(current__isnull=False).select_related("current")
        return {r.origin: (r.title, r.slug, r.current.compiled, r.current.sha256) for r in shelved if r.current}

    before = shelf()
    assert len(before) == 3
    batch = importing.begin(brought=uploads.from_files([File("all.zip", archive)]), source="all.zip", by=ada)
    states = {item.state for file in batch.files.all() for item in importing.staged_of(file)}
    assert states == {"same"}
    Runbook.objects.update(current=None)
    Version.objects.all().delete()
    Runbook.objects.all().delete()
    batch = importing.begin(brought=uploads.from_files([File("all.zip", archive)]), source="all.zip", by=ada)
    take = [item.origin for file in batch.files.all() for item in importing.staged_of(file)]
    importing.finish(batch=batch, take=take, publish=True, note="", by=ada)
    assert shelf() == before


def test_a_single_file_is_the_text_itself(pump: Runbook, ada: User) -> None:
    assert signed_in(ada).get(reverse("runbook_export", args=[pump.slug])).content.decode() == TEXT


def test_operators_propose_leads_review_and_nobody_else(pump: Runbook, lena: User, ada: User) -> None:
    operator, stakeholder = signed_in(person("olga", access.OPERATOR)), signed_in(person("stan", access.STAKEHOLDER))
    edit, publish = reverse("runbook_edit", args=[pump.slug]), reverse("runbook_publish", args=[pump.slug, 1])
    asked: list[tuple[Callable[..., Any], str, int]] = [
        (operator.get, edit, 200),
        (operator.post, publish, 403),
        (stakeholder.get, edit, 403),
        (stakeholder.get, reverse("runbooks_export"), 403),
        (signed_in(lena).post, publish, 302),
    ]
    assert [ask(url).status_code for ask, url, _ in asked] == [status for *_, status in asked]
    assert page_queries.waiting(Runbook.objects.all()) == []
