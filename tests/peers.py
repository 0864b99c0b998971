"""Real peers for the stories: a mailbox that speaks SMTP, a Prometheus and an Alertmanager."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aiosmtpd.controller import Controller

from erpops.embedded.launch import free_port


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `condition` returns once it is true; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"Not within {seconds} s: {what}")


def rows(database_url: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds in the database of a running stack."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(sql, values).fetchall()


class Mailbox:
    """An SMTP server on this machine that keeps what it accepts."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(message_from_bytes(envelope.content))
        return "250 kept"

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def subjects(self) -> list[str]:
        """The subjects of what came, in order."""
        return [str(message["Subject"]) for message in self.messages]

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


# Where a program is not in the Debian package of its name.
_PACKAGES = {"busybox": "busybox-static", "docker": "docker.io", "dockerd": "docker.io", "kubectl": "kubernetes-client"}


def needed(*programs: str) -> list[str]:
    """The paths of programs, or a skip that says how to get them."""
    found = [shutil.which(program) for program in programs]
    if not all(found):
        missing = [program for program, path in zip(programs, found, strict=True) if not path]
        packages = dict.fromkeys(_PACKAGES.get(program, program) for program in missing)
        pytest.skip(f"{' and '.join(missing)} not installed: apt install {' '.join(packages)}")
    return [str(path) for path in found]


@contextmanager
def monitoring(receiver_url: str, token: str, watched: Path) -> Iterator[str]:
    """A Prometheus that fires `WatchedFileMissing` while `watched` does not exist, and its Alertmanager.

    Yields Alertmanager's address. `watched` is served as a target by a small exporter of its own.
    """
    prometheus, alertmanager = needed("prometheus", "prometheus-alertmanager")
    folder = Path(tempfile.mkdtemp(prefix="erpops-monitoring-"))
    ports = [free_port() for _ in range(3)]
    (folder / "rules.yml").write_text(_RULES)
    (folder / "prometheus.yml").write_text(_PROMETHEUS.format(alertmanager=ports[1], exporter=ports[2]))
    (folder / "alertmanager.yml").write_text(_ALERTMANAGER.format(url=receiver_url, token=token))
    (folder / "exporter.py").write_text(_EXPORTER)
    processes = [
        ["python3", str(folder / "exporter.py"), str(ports[2]), str(watched)],
        [
            alertmanager,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/am",
            f"--web.listen-address=127.0.0.1:{ports[1]}",
            "--cluster.listen-address=",
        ],
        [
            prometheus,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{ports[0]}",
        ],
    ]
    log = (folder / "log").open("wb")
    running = [subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log) for argv in processes]
    try:
        for port in ports[:2]:
            until(
                partial(_ready, port),
                30,
                f"a peer on port {port}\n{(folder / 'log').read_text()[-2000:]}",
            )
        yield f"http://127.0.0.1:{ports[1]}"
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(15)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


_RULES = """
groups:
  - name: story
    rules:
      - alert: WatchedFileMissing
        expr: watched_file_present == 0
        labels: {severity: critical, service: database}
        annotations:
          summary: The watched file is gone
"""
_PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]
scrape_configs:
  - job_name: watched
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
"""
_ALERTMANAGER = """
route: {{receiver: erpops, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: erpops
    webhook_configs:
      - url: {url}
        send_resolved: true
        http_config: {{authorization: {{credentials: {token}}}}}
"""
_EXPORTER = """
import pathlib, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"watched_file_present {int(pathlib.Path(sys.argv[2]).exists())}\\n".encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
