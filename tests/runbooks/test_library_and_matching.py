"""Documents become versions; incidents find their runbooks."""

from typing import Any

import pytest

from erpops import clock
from incidents import lifecycle
from incidents.models import Alert, Environment, Incident, Service, Source
from runbooks import library, matching
from runbooks.choices import VersionState
from runbooks.models import Match, Runbook, Version
from tests.runbooks.builders import compiled, phase, publish, step

pytestmark = pytest.mark.django_db

DOCUMENT = """# Disk space

Alert: `DiskSpaceLow`

## Diagnosis

1. Look at the disk

   ```bash
   df -h
   ```
"""


def test_a_document_becomes_a_published_runbook() -> None:
    report = library.import_text(text=DOCUMENT, path="disk.md", publish=True)
    assert len(report.created) == 1
    runbook = Runbook.objects.get()
    assert (runbook.slug, runbook.origin, runbook.alerts) == ("disk-space", "import:disk.md", ["DiskSpaceLow"])
    assert runbook.current is not None
    assert runbook.current.text == DOCUMENT
    assert runbook.current.compiled["phases"][0]["steps"][0]["commands"][0]["text"] == "df -h"


def test_the_same_text_changes_nothing_and_another_makes_the_next_version() -> None:
    library.import_text(text=DOCUMENT, path="disk.md", publish=True)
    again = library.import_text(text=DOCUMENT, path="disk.md", publish=True)
    assert (len(again.unchanged), Version.objects.count()) == (1, 1)
    library.import_text(text=DOCUMENT + "\nMore.\n", path="disk.md", publish=True)
    states = list(Version.objects.order_by("number").values_list("number", "state"))
    assert states == [(1, VersionState.SUPERSEDED), (2, VersionState.PUBLISHED)]
    first = Version.objects.get(number=1)
    assert first.text == DOCUMENT


def test_an_import_without_publishing_is_a_draft_that_nobody_walks() -> None:
    library.import_text(text=DOCUMENT, path="disk.md")
    runbook = Runbook.objects.get()
    assert runbook.current is None
    [version] = runbook.versions.all()
    assert version.state == VersionState.DRAFT
    assert library.publish(version=version, by=None)
    assert not library.publish(version=version, by=None)


def test_several_runbooks_of_one_file_keep_apart() -> None:
    both = [compiled("Same", phase("other", step("A"))), compiled("Same", phase("other", step("B")))]
    publish(*both, path="two.md", text="1")
    publish(*both, path="two.md", text="2")
    origins = sorted(Runbook.objects.values_list("origin", flat=True))
    assert origins == ["import:two.md#same", "import:two.md#same-2"]
    assert sorted(Runbook.objects.values_list("slug", flat=True)) == ["same", "same-2"]
    assert Version.objects.count() == 4


def test_the_built_in_library_installs_twice_as_once() -> None:
    first = library.install_builtin()
    assert len(first.created) >= 6
    assert first.errors == 0
    assert Runbook.objects.filter(current__isnull=True).count() == 0
    second = library.install_builtin()
    assert (len(second.created), len(second.updated)) == (0, 0)
    assert "ErpopsFireDrill" in {name for found in Runbook.objects.values_list("alerts", flat=True) for name in found}


def test_a_persons_version_of_a_built_in_runbook_stays_published(django_user_model: Any) -> None:
    library.install_builtin()
    runbook = Runbook.objects.filter(origin__startswith="library:").order_by("pk")[0]
    admin = django_user_model.objects.create_user("admin")
    assert runbook.current is not None
    edited = Version.objects.create(
        runbook=runbook,
        number=2,
        text="mine",
        sha256="f" * 64,
        compiled=runbook.current.compiled,
        created_at=clock.now(),
        created_by=admin,
    )
    library.publish(version=edited, by=admin)
    library.install_builtin()
    runbook.refresh_from_db()
    assert runbook.current == edited


@pytest.fixture
def incident() -> Incident:
    place = Environment.objects.create(name="test", label="Test")
    return lifecycle.open_incident(title="DiskSpaceLow on db-1", severity="SEV2", environment=place)


def alert(incident: Incident, name: str, **annotations: str) -> Alert:
    source, _ = Source.objects.get_or_create(name="s", kind="generic", token="t", token_sha256="t")
    now = clock.now()
    return Alert.objects.create(
        source=source,
        fingerprint=f"{name}{Alert.objects.count()}",
        name=name,
        status="firing",
        severity="SEV2",
        annotations=annotations,
        starts_at=now,
        first_seen_at=now,
        last_seen_at=now,
        incident=incident,
    )


def found(incident: Incident) -> list[tuple[str, str]]:
    return [(match.runbook.title, match.rank) for match in matching.match(incident=incident)]


def test_an_alert_finds_the_runbook_that_names_it_first(incident: Incident) -> None:
    publish(compiled("Storage", phase("other", step("A")), alerts=["DiskSpaceLow"]), path="a.md")
    publish(compiled("Disk space", phase("other", step("A"))), path="b.md")
    publish(compiled("Coffee machine", phase("other", step("A"))), path="c.md")
    alert(incident, "DiskSpaceLow")
    assert found(incident) == [("Storage", "exact"), ("Disk space", "likely")]
    best = Match.objects.get(rank="exact")
    assert best.reasons == ["alert name equals `DiskSpaceLow`"]
    event = incident.events.get(kind="runbook.matched")
    assert event.noise
    assert "Storage" in event.text


@pytest.mark.parametrize(
    "url",
    [
        "https://erpops.example/r/storage",
        "https://git.example/ops/runbooks/storage.md",
        "https://wiki.example/ops#storage",
        "https://wiki.example/ops/Storage/",
    ],
)
def test_a_link_in_the_alert_is_exact(incident: Incident, url: str) -> None:
    publish(compiled("Storage", phase("other", step("A"))), path="a.md")
    alert(incident, "SomethingElse", runbook_url=url)
    assert found(incident) == [("Storage", "exact")]


def test_shared_words_alone_are_related_and_empty_words_are_nothing(incident: Incident) -> None:
    publish(compiled("Disk replacement in the data centre", phase("other", step("A"))), path="a.md")
    publish(compiled("High low critical alert", phase("other", step("A"))), path="b.md")
    alert(incident, "DiskSpaceLow")
    assert found(incident) == [("Disk replacement in the data centre", "related")]


def test_the_service_counts(incident: Incident) -> None:
    incident.service = Service.objects.create(name="payments", label="Payments", public_name="Payments")
    incident.save(update_fields=["service"])
    publish(compiled("Payments are slow", phase("other", step("A"))), path="a.md")
    assert [rank for _, rank in found(incident)] == ["related"]


def test_the_engine_matches_new_incidents_once_and_again_when_the_library_changes(
    incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_seen_until", None)
    monkeypatch.setattr(matching, "_next_full", 0.0)
    assert matching.tick() == 1
    assert matching.tick() == 0
    assert not Match.objects.exists()
    publish(compiled("Disk space", phase("other", step("A"))), path="b.md")
    assert matching.tick() == 1
    assert Match.objects.count() == 1
    alert(incident, "Another")
    monkeypatch.setattr(matching, "_next_full", 0.0)
    assert matching.tick() == 1
    assert matching.tick() == 0
