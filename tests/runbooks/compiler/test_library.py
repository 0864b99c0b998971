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

ALERTS = {
    "database-connections.md": "ErpopsDatabaseConnectionsHigh",
    "slow-queries.md": "ErpopsSlowQueries",
    "valkey-memory.md": "ErpopsValkeyMemoryHigh",
    "worker-backlog.md": "ErpopsWorkerBacklog",
    "disk-space.md": "ErpopsDiskSpaceLow",
    "web-latency.md": "ErpopsWebLatencyHigh",
    "fire-drill.md": "ErpopsFireDrill",
}
GIVEN = {"DATABASE_URL", "VALKEY_URL", "ERPOPS_URL", "ERPOPS_DATA"}
DOCUMENTS = {document["path"].rpartition("/")[2]: document for document in compile_paths([BUILTIN])["documents"]}


def _reads() -> Iterator[Command]:
    for document in DOCUMENTS.values():
        for command in all_commands(document):
            asked = {p["name"] for p in command["parameters"]} - GIVEN
            if command["risk"] == "read" and not asked and "$ERPOPS_URL" not in command["text"]:
                yield command


READS = {command["text"]: command for command in _reads() if "sleep" not in command["text"]}


def test_there_is_one_runbook_per_alert() -> None:
    assert {name: d["runbooks"][0]["alerts"] for name, d in DOCUMENTS.items()} == {n: [a] for n, a in ALERTS.items()}
    assert all(len(d["runbooks"]) == 1 for d in DOCUMENTS.values())


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
    worse = {(n, c["risk"]) for n, d in DOCUMENTS.items() for c in all_commands(d) if c["risk"] != "read"}
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
