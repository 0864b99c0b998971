"""The built-in runbooks compile without errors, ask for the risk they mean, and their reads really run."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from erpops import embedded
from runbooks.compiler import compile_paths
from runbooks.compiler.contract import Command, Document
from runbooks.compiler.findings import all_commands
from runbooks.library import BUILTIN
from runbooks.parameters import bind

# The runbooks for this console itself; the others are for the systems that it watches.
ALERTS = {
    "database-connections.md": "ErpopsDatabaseConnectionsHigh",
    "slow-queries.md": "ErpopsSlowQueries",
    "valkey-memory.md": "ErpopsValkeyMemoryHigh",
    "worker-backlog.md": "ErpopsWorkerBacklog",
    "disk-space.md": "ErpopsDiskSpaceLow",
    "web-latency.md": "ErpopsWebLatencyHigh",
    "fire-drill.md": "ErpopsFireDrill",
}
# What somebody looks for at night, and the file that must answer: an alert, or the title of a routine.
SITUATIONS = {
    "ApplicationDown": {"application-down-compose.md", "application-down-kubernetes.md"},
    "HighErrorRate": {"error-rate-high.md"},
    "HighResponseTime": {"latency-high.md"},
    "DatabaseConnectionPoolExhausted": {"connection-pool-exhausted.md"},
    "PostgreSQLDown": {"database-down.md"},
    "PostgresqlDiskFull": {"database-disk-full.md"},
    "PostgresqlDeadlocks": {"locks-and-deadlocks.md"},
    "SlowQueries": {"slow-queries-application.md"},
    "DatabaseCorruption": {"database-damage.md"},
    "LowCacheHitRate": {"cache-hit-rate-low.md"},
    "HighMemoryUsage": {"memory-high-compose.md", "memory-high-kubernetes.md"},
    "HighCPUUsage": {"cpu-high.md"},
    "HighAuthenticationFailureRate": {"authentication-failures.md"},
    "JWTValidationErrors": {"tokens-and-permissions.md"},
    "DNSResolutionFailures": {"dns-and-network.md"},
    "SSLCertificateExpired": {"tls-certificates.md"},
    "HostOutOfDiskSpace": {"disk-full-host.md"},
    "ElasticsearchIngestionStopped": {"elasticsearch-ingestion.md"},
    "AlertStorm": {"alert-storm.md"},
    "KubePodCrashLooping": {"crash-loop-kubernetes.md"},
    "ContainerRestarting": {"crash-loop-compose.md"},
    "LowOrderRate": {"order-rate-low.md"},
}
ROUTINES = {
    "daily-start-up.md": "scheduled",
    "hourly-health.md": "scheduled",
    "backup-verification.md": "scheduled",
    "daily-review.md": "scheduled",
    "weekly-report.md": "scheduled",
    "monthly-maintenance.md": "scheduled",
    "deploy-blue-green.md": "operation",
    "deploy-canary.md": "operation",
    "deploy-compose.md": "operation",
    "rollback-kubernetes.md": "operation",
    "rollback-compose.md": "operation",
    "post-incident.md": "operation",
}
# One word for one thing in all of them, so that a value is asked for once.
VOCABULARY = set(
    "account address alert application backup-directory backup-file bytes canary-deployment certificate "
    "certificate-file column container database-host database-pod database-service deployment directory host "
    "idle-colour idle-deployment image index key login-attempts-table memory migration-service name namespace network "
    "new-database node old-colour old-deployment pid blocking-pid blocking_pid pod port queue reason release replicas "
    "repository resolver revision roles-table service shipper slot table".split()
)
GIVEN = {"DATABASE_URL", "VALKEY_URL", "REDIS_URL", "ERPOPS_URL", "ERPOPS_DATA"}
CLIENTS = ("psql ", "redis-cli ", "valkey-cli ", "pg_isready ")
DOCUMENTS = {document["path"].rpartition("/")[2]: document for document in compile_paths([BUILTIN])["documents"]}


def _reads() -> Iterator[Command]:
    for name, document in DOCUMENTS.items():
        for command in all_commands(document):
            asked = {p["name"] for p in command["parameters"]} - GIVEN
            here = name in ALERTS or command["text"].startswith(CLIENTS)
            if command["risk"] == "read" and not asked and here and "$ERPOPS_URL" not in command["text"]:
                yield command


# An extension that has to be installed first, tables of an application, and what takes its time.
_LEFT_OUT = ("pg_stat_statements", "FROM orders", "sleep", "--bigkeys")
READS = {c["text"]: c for c in _reads() if not any(word in c["text"] for word in _LEFT_OUT)}


def test_every_file_is_one_runbook_and_every_alert_of_the_console_has_its_own() -> None:
    assert all(len(d["runbooks"]) == 1 for d in DOCUMENTS.values())
    assert {name: DOCUMENTS[name]["runbooks"][0]["alerts"] for name in ALERTS} == {n: [a] for n, a in ALERTS.items()}


@pytest.mark.parametrize("alert", SITUATIONS)
def test_every_situation_finds_its_runbook_by_the_alert(alert: str) -> None:
    assert {name for name, d in DOCUMENTS.items() if alert in d["runbooks"][0]["alerts"]} == SITUATIONS[alert]


@pytest.mark.parametrize("name", ROUTINES)
def test_every_routine_is_one(name: str) -> None:
    (runbook,) = DOCUMENTS[name]["runbooks"]
    assert runbook["kind"] == ROUTINES[name]
    assert bool(runbook["schedule"]) == (ROUTINES[name] == "scheduled")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_ends_in_proof_help_and_prevention_and_nothing_is_wrong_with_it(name: str) -> None:
    document = DOCUMENTS[name]
    phases = {phase["phase"] for phase in document["runbooks"][0]["phases"]}
    assert phases >= {"verification", "escalation"} | (set() if name == "fire-drill.md" else {"prevention"})
    assert [f for f in document["findings"] if f["level"] in ("error", "warning")] == []
    assert document["unaccounted_lines"] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_commands_can_run_and_ask_in_the_words_of_the_library(name: str) -> None:
    for command in all_commands(DOCUMENTS[name]):
        assert command["risk"] != "blocked", command["text"]
        assert not {"endless", "interactive"} & set(command["flags"]), command["text"]
        asked = {p["name"] for p in command["parameters"] if p["notation"] == "angle"}
        assert asked <= VOCABULARY, command["text"]
        assert all(p["notation"] in ("angle", "env") for p in command["parameters"]), command["text"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_it_expects_can_be_judged_by_the_console(name: str) -> None:
    for command in all_commands(DOCUMENTS[name]):
        assert all(expected["assertion"] for expected in command["expected"]), command["text"]


@pytest.mark.parametrize("name", ALERTS)
def test_it_is_complete_and_without_findings(name: str) -> None:
    document: Document = DOCUMENTS[name]
    (runbook,) = document["runbooks"]
    assert document["findings"] == []
    assert runbook["severity"]
    assert runbook["symptoms"]
    phases = {p["phase"] for p in runbook["phases"]}
    assert phases >= {"immediate", "diagnosis", "resolution", "verification", "escalation"}
    for phase in runbook["phases"]:
        if phase["phase"] in ("immediate", "diagnosis", "verification"):
            assert all(c["risk"] == "read" for step in phase["steps"] for c in step["commands"])
        if phase["phase"] == "resolution" and name != "fire-drill.md":
            assert all(step["condition"] for step in phase["steps"])


def test_what_is_not_a_read_is_meant() -> None:
    worse = {(n, c["risk"]) for n in ALERTS for c in all_commands(DOCUMENTS[n]) if c["risk"] != "read"}
    assert worse == {
        ("database-connections.md", "destroy"),
        ("database-connections.md", "disrupt"),
        ("disk-space.md", "change"),
        ("disk-space.md", "destroy"),
        ("fire-drill.md", "change"),
        ("slow-queries.md", "change"),
        ("slow-queries.md", "destroy"),
        ("slow-queries.md", "disrupt"),
        ("valkey-memory.md", "change"),
        ("valkey-memory.md", "destroy"),
        ("web-latency.md", "change"),
        ("web-latency.md", "destroy"),
        ("worker-backlog.md", "destroy"),
    }


def test_the_fire_drill_streams_asks_and_takes_a_value() -> None:
    (runbook,) = DOCUMENTS["fire-drill.md"]["runbooks"]
    steps = [step for phase in runbook["phases"] for step in phase["steps"]]
    assert 5 <= len(steps) <= 7
    texts = [c["text"] for step in steps for c in step["commands"]]
    assert any("sleep 1" in text for text in texts)
    assert {p["name"] for step in steps for c in step["commands"] for p in c["parameters"]} - GIVEN == {"pid"}


@pytest.fixture
def given(db: None, tmp_path: Path) -> dict[str, str]:
    """The environment of a command, with the database of the test."""
    (tmp_path / "logs").mkdir()
    at = connection.settings_dict
    user = f"{quote(at['USER'])}:{quote(at['PASSWORD'])}@" if at["USER"] else ""
    return {
        "PATH": os.pathsep.join((*embedded.paths(), os.environ["PATH"])),
        "DATABASE_URL": f"postgresql://{user}{at['HOST']}:{at['PORT']}/{at['NAME']}",
        "VALKEY_URL": settings.REDIS_URL,
        "REDIS_URL": settings.REDIS_URL,
        "ERPOPS_DATA": str(tmp_path),
    }


@pytest.mark.parametrize("text", READS)
def test_a_read_runs_against_the_real_servers(text: str, given: dict[str, str]) -> None:
    bound = bind(READS[text], {p["name"]: given[p["name"]] for p in READS[text]["parameters"]})
    done = subprocess.run(["bash", "-c", bound.script], env=given | bound.env, capture_output=True, text=True)
    assert (done.returncode, done.stderr if "time" not in text else "") == (0, "")
    assert done.stdout.strip() or not text.startswith("psql")
    for expected in READS[text]["expected"]:
        if expected["assertion"] and expected["assertion"]["op"] == "equals":
            assert done.stdout.strip() == expected["assertion"]["value"]
