"""A durable embedded stack for one benchmark run, and the table that it prints."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from erpops.embedded.launch import free_port
from erpops.embedded.postgres import Postgres
from erpops.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Row:
    """One line of the table. `raw` and `ours` are in `unit`; `ratio` is the figure that counts."""

    path: str
    raw: float
    ours: float
    unit: str
    ratio: float
    goal: str

    def __str__(self) -> str:
        raw, ours = f"{self.raw:,.1f} {self.unit}", f"{self.ours:,.1f} {self.unit}"
        return f"| {self.path} | {raw} | {ours} | {self.ratio:.2f} | {self.goal} |"


HEADER = "| path | raw limit | erpops | ratio | goal |\n|---|---|---|---|---|"


def paired(raw: Callable[[], float], ours: Callable[[], float], *, rounds: int = 3) -> tuple[float, float, float]:
    """Both in turn, `rounds` times: medians of raw and ours, and the median of the ratios ours/raw.

    Machines drift from minute to minute, so only the ratio within a pair means anything.
    """
    return median_of_pairs([(raw(), ours()) for _ in range(rounds)])


def median_of_pairs(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Medians of raw, of ours and of the ratios ours/raw."""
    middle = statistics.median
    return middle(r for r, _ in pairs), middle(o for _, o in pairs), middle(o / r for r, o in pairs)


def many_descriptors() -> None:
    """Allow this process as many open files as the machine lets it have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Rig:
    """PostgreSQL (durable), Valkey and one web process in a fresh directory."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="erpops-bench-"))
        self.postgres = Postgres(self.folder, durable=True, die_with_parent=True)
        self.valkey = Valkey(self.folder, durable=False, die_with_parent=True)
        self.port = free_port()
        self._web: subprocess.Popen[bytes] | None = None
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.postgres.start()
        self.valkey.start()
        os.environ |= {
            "ERPOPS_DATA": str(self.folder / "data"),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "ERPOPS_URL": f"http://127.0.0.1:{self.port}",
            "DJANGO_SETTINGS_MODULE": "erpops.settings",
        }
        self.manage("prepare")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in filter(None, (self._worker, self._web)):
            process.terminate()
            process.wait(20)
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def manage(self, *arguments: str) -> str:
        """Run a management command; what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    def web_memory(self) -> int:
        """Bytes of memory that the web process has for itself."""
        assert self._web is not None
        return int(Path(f"/proc/{self._web.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def work(self) -> None:
        """Start a worker process; it tells the database when it is ready."""
        environment = os.environ | {"ERPOPS_ROLE": "worker"}
        command = [sys.executable, "manage.py", "worker"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._worker = subprocess.Popen(command, cwd=ROOT, env=environment, **quiet)

    def serve(self) -> None:
        """Start the web process and wait for it."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        environment = os.environ | {"ERPOPS_ROLE": "web"}
        self._web = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1).read()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("The web process did not become ready.")
