"""PromQL against a real Prometheus, requests against it and a real Alertmanager."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from checks.probes import Place
from erpops.embedded.launch import free_port
from runbooks.executors import CannotStart
from tests.peers import needed, until
from tests.runbooks.executors.jobs import carried_out

USER, PASSWORD = "admin", "test"
_HASH = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay"
_CONFIG = """
global: {{scrape_interval: 200ms}}
scrape_configs:
  - job_name: prometheus
    basic_auth: {{username: {user}, password: {password}}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@contextmanager
def running(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a folder of its own as its current directory."""
    folder = Path(tempfile.mkdtemp(prefix="erpops-monitor-"))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(15)
            shutil.rmtree(folder, ignore_errors=True)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, auth=(USER, PASSWORD)).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address and the pid of a Prometheus that watches itself and asks for a password."""
    [program] = needed("prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "config.yml").write_text(_CONFIG.format(port=port, user=USER, password=PASSWORD))
    (folder / "web.yml").write_text(f"basic_auth_users: {{{USER}: {_HASH}}}")
    argv = [
        program,
        f"--config.file={folder}/config.yml",
        f"--web.config.file={folder}/web.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        "--scrape.discovery-reload-interval=100ms",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(*argv) as process:
        until(partial(answers, f"{url}/-/ready"), 30, "Prometheus")
        until(lambda: _up(url), 30, "a first scrape")
        yield url, process.pid


def _up(url: str) -> bool:
    found = httpx.get(f"{url}/api/v1/query", params={"query": "up"}, auth=(USER, PASSWORD), trust_env=False).json()
    return bool(found["data"]["result"]) and found["data"]["result"][0]["value"][1] == "1"


def ask(text: str, prometheus: tuple[str, int], credential: str = f"{USER}:{PASSWORD}", **given: Any) -> int:
    return carried_out(text, "promql", **{"place": {"prometheus": Place(prometheus[0], credential)}, **given})


def test_an_instant_query_is_a_table_with_the_last_hour(
    prometheus: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask('# is it up?\nup{job="<job>"}', prometheus, values={"job": "prometheus"}) == 0
    printed = capsys.readouterr().out
    head, rule, row, footer = printed.splitlines()
    assert head.split("|")[0].strip() == "series" and set(rule) <= {"-", "+"}
    name, value, chart = (cell.strip() for cell in row.split("|"))
    assert name.startswith('up{instance="127.0.0.1:') and value == "1" and set(chart) == {"▄"}
    assert footer == "(1 row)"


def test_aggregates_scalars_ranges_and_nothing(prometheus: tuple[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("sum(prometheus_tsdb_head_series)", prometheus) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith(" {} ")
    assert ask("1 + 1", prometheus) == 0
    assert "|     2 | ▄" in capsys.readouterr().out
    assert ask("up[1m]", prometheus) == 0
    assert "(1 row)" in capsys.readouterr().out
    assert ask("nothing_at_all", prometheus) == 0
    assert "(0 rows)" in capsys.readouterr().out
    assert ask("sum(rate(prometheus_http_requests_total[$__rate_interval]))", prometheus) == 0
    assert "$__rate_interval is 5m here." in capsys.readouterr().err


def test_many_series_are_counted_and_the_first_are_shown(
    prometheus: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask('{job="prometheus"}', prometheus) == 0
    printed = capsys.readouterr().out
    assert "(the first 100 of " in printed and printed.count("\n") == 103


def test_the_own_sentence_of_prometheus_is_shown(
    prometheus: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("sum(rate(up[5m])) by (job", prometheus) == 22
    assert "Prometheus refuses (HTTP 400): invalid parameter" in capsys.readouterr().err
    assert ask("up", prometheus, "admin:wrong") == 22
    assert "refuses the credential of its target" in capsys.readouterr().err
    assert ask("up", (f"http://127.0.0.1:{free_port()}", 0)) == 7
    assert "could not be asked" in capsys.readouterr().err
    with pytest.raises(CannotStart, match="no Prometheus target"):
        ask("up", prometheus, place={})


def test_a_prometheus_that_hangs_is_not_waited_for(
    prometheus: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    os.kill(prometheus[1], signal.SIGSTOP)
    try:
        assert ask("up", prometheus, timeout_s=3) == 28
    finally:
        os.kill(prometheus[1], signal.SIGCONT)
    assert "within 1 s" in capsys.readouterr().err


def test_requests_reach_prometheus_and_alertmanager(
    prometheus: tuple[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    [program] = needed("prometheus-alertmanager")
    port = free_port()
    config = Path(tempfile.mkdtemp(prefix="erpops-alertmanager-")) / "config.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    listen = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with running(program, f"--config.file={config}", *listen):
        until(partial(answers, f"http://127.0.0.1:{port}/-/ready"), 30, "Alertmanager")
        place = {
            "alertmanager": Place(f"http://127.0.0.1:{port}"),
            "prometheus": Place(prometheus[0], f"{USER}:{PASSWORD}"),
        }
        send = partial(carried_out, kind="request", place=place)
        silence = {
            "matchers": [{"name": "alertname", "value": "<alert>", "isRegex": False}],
            "startsAt": "2030-01-01T00:00:00Z",
            "endsAt": "2030-01-01T01:00:00Z",
            "createdBy": "tests",
            "comment": "maintenance",
        }
        text = f"POST /api/v2/silences\nContent-Type: application/json\n\n{json.dumps(silence)}"
        assert send(text, risk="change", values={"alert": 'Disk "full"'}) == 0, capsys.readouterr().out
        assert "silenceID" in capsys.readouterr().out
        assert send("GET /api/v2/silences") == 0
        assert 'Disk \\"full\\"' in capsys.readouterr().out
        assert send("GET /api/v1/query?query=up") == 0
        assert '"status": "success"' in capsys.readouterr().out
    shutil.rmtree(config.parent)
