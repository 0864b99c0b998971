"""Which runbook fits here: variants by environment, contradictions, what changes the answer, and what if none does."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from checks.choices import TargetKind
from checks.models import Target
from erpops import clock
from incidents import lifecycle
from incidents.models import Alert, Environment, Incident, Service, Source
from runbooks import comparing, library, matching, platforms, suggested
from runbooks.models import Match, Matching, Runbook
from tests.runbooks.builders import command, compiled, person, phase, publish, step

pytestmark = pytest.mark.django_db
DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "documents"


@pytest.fixture
def cluster() -> Environment:
    """An environment with a Kubernetes cluster."""
    place = Environment.objects.create(name="prod", label="PROD-k8s")
    Target.objects.create(name="cluster", label="Cluster", kind=TargetKind.KUBERNETES, environment=place)
    return place


def incident_in(place: Environment, *alerts: str, title: str = "Something", severity: str = "SEV2") -> Incident:
    found = lifecycle.open_incident(title=title, severity=severity, environment=place)
    for name in alerts:
        fire(found, name)
    return found


def fire(incident: Incident, name: str) -> Alert:
    source, _ = Source.objects.get_or_create(name="s", defaults={"kind": "generic", "token": "t", "token_sha256": "t"})
    now = clock.now()
    return Alert.objects.create(
        source=source,
        fingerprint=f"{name}{Alert.objects.count()}",
        name=name,
        status="firing",
        severity="SEV2",
        labels={"service": "postgres"},
        starts_at=now,
        first_seen_at=now,
        last_seen_at=now,
        incident=incident,
    )


def shelve(title: str, *programs: str, alerts: tuple[str, ...] = ("PostgreSQLDown",), **facts: Any) -> Runbook:
    """A runbook whose commands start `programs`, one step each."""
    steps = [step(f"Look with {name}", command(f"{name} ps", programs=[name])) for name in programs]
    found = compiled(title, phase("diagnosis", *steps, step("Call")), alerts=alerts) | facts
    return publish(found, path=f"{title}.md")[0]


def listed(incident: Incident) -> list[tuple[str, str]]:
    return [(match.runbook.title, match.rank) for match in matching.match(incident=incident)]


def reasons(incident: Incident, runbook: Runbook) -> list[str]:
    found: list[str] = Match.objects.get(incident=incident, runbook=runbook).reasons
    return found


def test_the_variant_for_the_place_comes_first_and_each_says_why(cluster: Environment) -> None:
    docker, kube = shelve("Postgres A", "docker"), shelve("Postgres B", "kubectl", severity=["High"])
    both = shelve("Postgres C", "docker", "helm")
    plain = shelve("Postgres D")
    incident = incident_in(cluster, "PostgreSQLDown")
    assert listed(incident) == [
        ("Postgres B", "exact"),
        ("Postgres C", "exact"),
        ("Postgres D", "exact"),
        ("Postgres A", "exact"),
    ]
    told = ["alert name equals `PostgreSQLDown`", "service postgres"]
    assert reasons(incident, kube) == [*told, "Kubernetes variant for PROD-k8s", "for SEV2"]
    assert reasons(incident, both) == [*told, "has commands for Kubernetes, as PROD-k8s"]
    assert reasons(incident, docker) == [*told, "written for Docker, but PROD-k8s runs on Kubernetes"]
    assert reasons(incident, plain) == told


def test_a_variant_for_another_place_keeps_its_rank(cluster: Environment) -> None:
    shelve("Disk space", "docker", alerts=())
    assert listed(incident_in(cluster, title="Disk space")) == [("Disk space", "likely")]


def test_a_place_is_what_its_targets_are_else_what_it_is_called(cluster: Environment) -> None:
    named = Environment.objects.create(name="staging-compose", label="Staging")
    silent = Environment.objects.create(name="other", label="Other")
    found = platforms.of_environments([cluster, named, silent])
    assert found == {cluster.pk: {"Kubernetes"}, named.pk: {"Docker"}, silent.pk: frozenset()}
    Target.objects.update(enabled=False)
    assert platforms.of_environments([cluster])[cluster.pk] == {"Kubernetes"}, "its label says so, too"


def look(monkeypatch: pytest.MonkeyPatch) -> int:
    """The engine's next look at everything."""
    monkeypatch.setattr(matching, "_next_full", 0.0)
    return matching.tick()


def test_an_incident_that_changes_is_matched_anew(cluster: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_seen_until", None)
    shelve("Payments are slow", alerts=())
    shelve("Postgres is down")
    incident = incident_in(cluster)
    assert (look(monkeypatch), look(monkeypatch)) == (1, 0)
    assert not Match.objects.exists()

    Incident.objects.update(service=Service.objects.create(name="payments", label="P", public_name="P"))
    assert (look(monkeypatch), look(monkeypatch)) == (1, 0)
    assert Match.objects.get().runbook.title == "Payments are slow"

    fire(incident, "PostgreSQLDown")
    assert (look(monkeypatch), look(monkeypatch)) == (1, 0)
    assert Match.objects.count() == 2
    event = incident.events.filter(kind="runbook.matched").latest("seq")
    assert event.text.startswith("Another runbook fits better now: Postgres is down (exact")
    assert not event.noise, "people have looked at the first answer by then"

    lifecycle.set_severity(incident=incident, to="SEV1", by=person("op", "operator"))
    assert (look(monkeypatch), look(monkeypatch)) == (1, 0)
    assert Matching.objects.count() == 1


def test_two_runbooks_for_one_alert_say_where_they_part(cluster: Environment) -> None:
    first = shelve("Postgres A", "kubectl", "psql")
    second = shelve("Postgres B", "kubectl", "pg_isready")
    third = shelve("Postgres C", "docker")
    incident = incident_in(cluster, "PostgreSQLDown")
    matching.match(incident=incident)
    found = {item.card.runbook.pk: item for item in suggested.of(incident)}
    [rival] = found[first.pk].contradicted
    assert (rival.runbook, rival.alert, rival.step) == (second, "PostgreSQLDown", 2)
    [variant] = found[first.pk].variants
    assert (variant.runbook, variant.variant) == (third, "Docker")
    assert found[third.pk].contradicted == []
    best = suggested.of(incident)[0]
    assert best.opening == ("Look with kubectl", ["kubectl ps"])


def test_the_room_names_the_contradiction_and_leads_to_the_comparison(cluster: Environment, client: Client) -> None:
    shelve("Postgres A", "kubectl", "psql")
    shelve("Postgres B", "kubectl", "pg_isready")
    incident = incident_in(cluster, "PostgreSQLDown")
    matching.match(incident=incident)
    client.force_login(person("op", "operator"))
    page = client.get(reverse("room", args=[incident.pk])).content.decode()
    assert "claims PostgreSQLDown, too; they differ at step 2" in page
    assert "Alert name equals <code>PostgreSQLDown</code>" in page
    address = reverse("runbook_compare", args=["postgres-a", "postgres-b"])
    assert address in page
    compared = client.get(address).content.decode()
    assert "Both claim PostgreSQLDown" in compared
    assert "They differ at step 2." in compared
    assert "psql ps" in compared
    assert "pg_isready ps" in compared
    assert "the same" in compared
    assert client.get(reverse("runbook_compare", args=["postgres-a", "nothing"])).status_code == 404
    assert client.get(reverse("runbook_compare", args=["postgres-a", "postgres-a"])).status_code == 404
    assert address in client.get(reverse("runbooks_conflicts")).content.decode()


def test_other_matches_are_announced_and_nothing_moves_by_itself(cluster: Environment, client: Client) -> None:
    shelve("Postgres A")
    incident = incident_in(cluster, "PostgreSQLDown")
    matching.match(incident=incident)
    client.force_login(person("op", "operator"))
    asked = {"mark": suggested.mark(suggested.of(incident))}
    finder = reverse("walk_finder", args=[incident.pk])
    assert "match by now" not in client.get(finder, asked, headers={"HX-Request": "true"}).content.decode()
    shelve("Postgres B")
    matching.match(incident=incident)
    answer = client.get(finder, asked, headers={"HX-Request": "true"}).content.decode()
    assert "Other runbooks match by now" in answer
    assert "Postgres B" not in answer


def test_where_nothing_matches_there_is_a_look_around_that_only_reads(cluster: Environment, client: Client) -> None:
    routine = {"kind": "scheduled"}
    shelve("Docker rounds", "docker", alerts=(), **routine)
    shelve("Kube rounds", "kubectl", alerts=(), **routine)
    risky = compiled("Clean up", phase("procedure", step("Go", command("rm -r x", "destroy")))) | routine
    publish(risky, path="risky.md")
    incident = incident_in(cluster)
    matching.match(incident=incident)
    client.force_login(person("op", "operator"))
    page = client.get(reverse("room", args=[incident.pk])).content.decode()
    assert "General diagnostics" in page
    assert page.index("Kube rounds") < page.index("Docker rounds")
    assert "Clean up" not in page


def test_steps_are_laid_beside_each_other_by_what_they_do() -> None:
    left = compiled(
        "A", phase("diagnosis", step("Look", command("df -h")), step("Logs", command("tail -n 5 /var/log/x")))
    )
    right = compiled(
        "B", phase("diagnosis", step("Ask"), step("See", command("df  -h"))), phase("resolution", step("Act"))
    )
    shown = [
        (row.left.title if row.left else "", row.right.title if row.right else "", row.same)
        for row in comparing.rows(left, right)
    ]
    assert shown == [("", "Ask", False), ("Look", "See", True), ("Logs", "Act", False)]
    assert comparing.first_difference(left, left) is None
    assert comparing.first_difference(left, right) == 1


# What the quick references of the documents say, and what an operator would reach for.
EXPECTED = {
    "PostgreSQLDown": {"Database Down", "Database Connectivity Issues"},
    "HighResponseTime": {"High Response Time", "High Latency", "High Latency Incidents"},
    "HighErrorRate": {"High Error Rate"},
    "HighFailedLoginRate": {"Authentication Failures", "High Authentication Failures"},
    "LowOrderRate": {"Low Order Rate"},
    "LowCacheHitRate": {"Low Cache Hit Rate"},
    "ApplicationDown": {"Application Down"},
}


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason=f"the documents are not at {DOCUMENTS}")
def test_the_alerts_of_real_documents_find_their_runbooks_and_the_variant_for_the_place(cluster: Environment) -> None:
    for path in sorted(DOCUMENTS.glob("*.txt")):
        library.import_text(text=path.read_text(encoding="utf-8", errors="replace"), path=path.name, publish=True)
    for alert, titles in EXPECTED.items():
        found = matching.match(incident=incident_in(cluster, alert, title=alert))
        exact = [match for match in found if match.rank == "exact"]
        assert {match.runbook.title for match in exact} == titles, alert
        written = platforms.of_runbooks([match.runbook_id for match in exact])
        fits = ["Kubernetes" in written[match.runbook_id][0] for match in exact]
        assert fits == sorted(fits, reverse=True), f"{alert}: what fits the cluster comes first"
    incident = incident_in(cluster, "HighErrorRate", title="HighErrorRate")
    matching.match(incident=incident)
    [kube, docker] = suggested.of(incident)[:2]
    assert [rival.runbook for rival in kube.variants] == [docker.card.runbook]
    # Symptoms without an alert name find what talks about them.
    assert ("PostgreSQL Out of Disk Space", "likely") in listed(
        incident_in(cluster, title="PostgreSQL out of disk space")
    )
    assert "JWT Token Issues" in dict(listed(incident_in(cluster, title="JWT token invalid")))
