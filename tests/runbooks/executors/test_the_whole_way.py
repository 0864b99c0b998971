"""Each kind once through request, claim, supervisor and recorded end; and how it ends when it must."""

from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings

from checks.choices import TargetKind
from checks.models import Target
from erpops.embedded.launch import free_port
from runbooks import runner
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.executors.speakers import (
    PASSWORD,
    TOKEN,
    USER,
    Elasticsearch,
    Loki,
    Prometheus,
    Service,
    Speaker,
    speaking,
)
from tests.runbooks.running import begin, ended, run_now, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_left(transactional_db: None) -> Iterator[None]:
    yield
    wait_all_gone()


def target(place: Walk, kind: TargetKind, address: str, credential: str = "") -> None:
    """Register a target in the walk's environment."""
    Target.objects.create(
        name=kind.value, kind=kind, address=address, credential=credential, environment=place.execution.environment
    )


def sessions_of(run_id: int) -> int:
    """How many sessions of a run the server still has."""
    with psycopg.connect(settings.DATABASE_URL) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [f"erpops run {run_id}"]
        ).fetchone()
        assert found is not None
        return int(found[0])


def test_sql_reaches_the_target_of_its_environment() -> None:
    place = walk(command("SELECT 6 * 7 AS answer, '<name>' AS said", kind="sql", parameters=[{"name": "name"}]))
    target(place, TargetKind.POSTGRES, settings.DATABASE_URL)
    run = run_now(place, values={"name": "it's"})
    assert (run.status, run.exit_code) == ("succeeded", 0), output_of(run)
    assert b"42 | it's" in output_of(run)


def test_sql_that_takes_too_long_is_ended_and_leaves_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 3)
    place = walk(command("SELECT count(*) FROM generate_series(1, 10000000000)", kind="sql"))
    target(place, TargetKind.POSTGRES, settings.DATABASE_URL)
    run = run_now(place)
    assert (run.status, run.exit_code) == ("failed", 1)
    assert b"statement timeout" in output_of(run)
    until(lambda: not sessions_of(run.pk))


def test_sql_that_is_stopped_is_cancelled_on_the_server() -> None:
    place = walk(command("SELECT count(*) FROM generate_series(1, 10000000000)", kind="sql"))
    target(place, TargetKind.POSTGRES, settings.DATABASE_URL)
    run = begin(place)
    until(lambda: sessions_of(run.pk))
    runner.stop(run=run, by=place.user)
    run = ended(run)
    assert run.status == "stopped"
    until(lambda: not sessions_of(run.pk))


def test_requests_and_queries_reach_the_targets_of_their_environment() -> None:
    place = walk(
        command("GET /health", kind="request"),
        command('{app="one"}', kind="logql"),
        command("level:ERROR", kind="lucene"),
    )
    with speaking(Service) as service, speaking(Loki) as loki, speaking(Elasticsearch) as elastic:
        target(place, TargetKind.HTTP, service.url)
        target(place, TargetKind.LOKI, loki.url, TOKEN)
        target(place, TargetKind.ELASTIC, elastic.url, f"{USER}:{PASSWORD}")
        runs = [run_now(place, index) for index in range(3)]
    assert [run.status for run in runs] == ["succeeded"] * 3
    printed = [output_of(run).decode() for run in runs]
    assert '"status": "ok"' in printed[0] and "timeout 0" in printed[1] and "payment 0 failed" in printed[2]
    assert place.statuses() == ["passed"]


@pytest.mark.parametrize(
    ("kind", "text", "of"),
    [
        ("request", "GET /health", TargetKind.HTTP),
        ("promql", "up", TargetKind.PROMETHEUS),
        pytest.param("logql", '{app="one"}', TargetKind.LOKI, marks=pytest.mark.slow),
        pytest.param("lucene", "level:ERROR", TargetKind.ELASTIC, marks=pytest.mark.slow),
    ],
)
def test_what_waits_for_a_server_is_stopped_at_once(kind: str, text: str, of: TargetKind) -> None:
    place = walk(command(text, kind=kind))
    with speaking(Service) as service:
        service.hold.set()
        target(place, of, service.url)
        run = begin(place)
        until(lambda: service.asked)
        runner.stop(run=run, by=place.user)
        run = ended(run)
    assert (run.status, run.exit_code) == ("stopped", 143)


_QUERIES: list[tuple[str, str, TargetKind, type[Speaker]]] = [
    ("promql", "up", TargetKind.PROMETHEUS, Prometheus),
    ("logql", '{app="one"}', TargetKind.LOKI, Loki),
    ("lucene", "level:ERROR", TargetKind.ELASTIC, Elasticsearch),
]


@pytest.mark.parametrize(("kind", "text", "of", "speaker"), _QUERIES)
def test_a_query_whose_credential_is_wrong_fails_and_says_so(
    kind: str, text: str, of: TargetKind, speaker: type[Speaker]
) -> None:
    place = walk(command(text, kind=kind))
    with speaking(speaker) as server:
        target(place, of, server.url, f"{USER}:n0t-the-password")
        run = run_now(place)
    assert (run.status, run.exit_code) == ("failed", 22)
    assert b"refuses the credential" in output_of(run) and b"n0t-the-password" not in output_of(run)


@pytest.mark.parametrize(("kind", "text", "of"), [query[:3] for query in _QUERIES])
def test_a_query_whose_target_is_gone_fails_and_says_so(kind: str, text: str, of: TargetKind) -> None:
    place = walk(command(text, kind=kind))
    target(place, of, f"http://127.0.0.1:{free_port()}")
    run = run_now(place)
    assert (run.status, run.exit_code) == ("failed", 7)
    assert b"could not be asked" in output_of(run)


@pytest.mark.parametrize(("kind", "text", "of", "speaker"), _QUERIES)
def test_a_query_that_is_not_answered_in_time_fails_and_says_so(
    kind: str, text: str, of: TargetKind, speaker: type[Speaker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 3)
    place = walk(command(text, kind=kind))
    with speaking(speaker) as server:
        server.hold.set()
        target(place, of, server.url)
        run = run_now(place)
    assert (run.status, run.exit_code) == ("failed", 28), output_of(run)
    assert b"No answer from 127.0.0.1 within" in output_of(run)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("sql", "SELECT 1", "PostgreSQL"),
        ("promql", "up", "Prometheus"),
        ("logql", '{app="x"}', "Loki"),
        ("lucene", "level:ERROR", "Elasticsearch"),
        ("request", "GET /_cat/indices", "Elasticsearch"),
        ("request", "GET /health", "HTTP service"),
    ],
)
def test_without_its_target_a_command_is_blocked_before_it_starts(kind: str, text: str, wanted: str) -> None:
    place = walk(command(text, kind=kind))
    with pytest.raises(Refused, match=f"no {wanted} target"):
        runner.request(step_run=place.step(), command=0, by=place.user)


def test_a_value_that_its_place_cannot_take_is_refused_before_it_starts() -> None:
    place = walk(command("GET /users/<name>", kind="request", parameters=[{"name": "name"}]))
    with pytest.raises(Refused, match="another address"):
        runner.request(step_run=place.step(), command=0, by=place.user, values={"name": ".."})
