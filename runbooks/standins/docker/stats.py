"""`docker stats`: what containers use, one look or one after another."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runbooks.standins.docker.engine import Engine, container_path
from runbooks.standins.docker.rows import show
from runbooks.standins.ending import Ended
from runbooks.standins.measures import binary_size, decimal_size
from runbooks.standins.words import Given

OPTIONS = "-a/--all --format= --no-stream --no-trunc"
_TABLE = "ID Name CPUPerc MemUsage MemPerc NetIO BlockIO PIDs"
_AT_ONCE = 16


def run(engine: Engine, given: Given) -> int:
    """One table with `--no-stream`; without, another every second for as long as somebody looks."""
    while True:
        names = given.words or [item["Id"] for item in engine.json("GET", "/containers/json", {"all": given.on("all")})]
        # The engine measures each for a second before it answers.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(lambda name: _measured(engine, name), names))
        problems = [one for one in found if isinstance(one, Ended)]
        if problems:
            raise problems[0]
        rows = [_row(one, name, given) for one, name in zip(found, names, strict=True) if isinstance(one, dict)]
        show(rows, given, _TABLE, headers={"ID": "CONTAINER ID"})
        if given.on("no-stream") or not names:
            return 0


def _measured(engine: Engine, name: str) -> dict[str, Any] | Ended:
    try:
        return dict(engine.json("GET", container_path(name, "/stats"), {"stream": "false"}))
    except Ended as end:
        return end


def _row(found: Mapping[str, Any], name: str, given: Given) -> dict[str, Any]:
    memory, cpu = found.get("memory_stats") or {}, found.get("cpu_stats") or {}
    limit = memory.get("limit", 0)
    used = _used(memory)
    networks = (found.get("networks") or {}).values()
    received, sent = (sum(one.get(key, 0) for one in networks) for key in ("rx_bytes", "tx_bytes"))
    read, written = _blocks(found)
    return {
        "Container": name if given.words else found["id"][:12],
        "ID": found["id"] if given.on("no-trunc") else found["id"][:12],
        "Name": found["name"].removeprefix("/"),
        "CPUPerc": f"{_cpu(cpu, found.get('precpu_stats') or {}):.2f}%",
        "MemUsage": f"{binary_size(used)} / {binary_size(limit)}",
        "MemPerc": f"{used / limit * 100 if limit else 0:.2f}%",
        "NetIO": f"{decimal_size(received, 3)} / {decimal_size(sent, 3)}",
        "BlockIO": f"{decimal_size(read, 3)} / {decimal_size(written, 3)}",
        "PIDs": str((found.get("pids_stats") or {}).get("current", 0)),
    }


def _used(memory: Mapping[str, Any]) -> int:
    """Memory without the cache of files that are not in use; the name of that differs by the kernel's interface."""
    usage, details = memory.get("usage", 0), memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return int(usage - cache if cache < usage else usage)


def _cpu(now: Mapping[str, Any], before: Mapping[str, Any]) -> float:
    """Percent of one processor: the container's share of what the machine has spent, times its processors."""
    own = now.get("cpu_usage", {}).get("total_usage", 0) - before.get("cpu_usage", {}).get("total_usage", 0)
    whole = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    processors = now.get("online_cpus") or len(now.get("cpu_usage", {}).get("percpu_usage") or []) or 1
    return float(own / whole * processors * 100) if own > 0 and whole > 0 else 0.0


def _blocks(found: Mapping[str, Any]) -> tuple[int, int]:
    read = written = 0
    for one in (found.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []:
        kind = one["op"][:1].lower()
        read += one["value"] if kind == "r" else 0
        written += one["value"] if kind == "w" else 0
    return read, written
