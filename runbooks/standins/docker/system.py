"""`docker version`, `info` and `system df`."""

from collections.abc import Mapping, Sequence
from typing import Any

from runbooks.standins.docker.engine import Engine
from runbooks.standins.docker.rows import show
from runbooks.standins.ending import NotUnderstood, out
from runbooks.standins.gotemplate import Template, as_json
from runbooks.standins.measures import binary_size, decimal_size
from runbooks.standins.words import Given

FORMAT = "-f/--format="
DF = "--format= -v/--verbose"
_INFO = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("Docker Root Dir", "DockerRootDir"),
)


def version(engine: Engine, given: Given) -> int:
    """What speaks here and what answers there."""
    # Loaded already: the engine has answered through it.
    import docker

    client = {
        "Version": f"{docker.__version__} (Python)",
        "ApiVersion": engine.version,
        "DefaultAPIVersion": engine.version,
    }
    found = {"Client": client, "Server": engine.json("GET", "/version")}
    if _formatted(found, given):
        return 0
    for title, part in (("Client: stand-in of erpops", client), ("Server:", found["Server"])):
        names = ("Version", "ApiVersion", "GoVersion", "GitCommit", "Os", "Arch")
        out(title, *(f" {name + ':':<18}{part[name]}" for name in names if part.get(name)))
    return 0


def info(engine: Engine, given: Given) -> int:
    """What the engine says of itself."""
    found = engine.json("GET", "/info")
    if _formatted(found, given):
        return 0
    out("Server:")
    for title, name in _INFO:
        value = binary_size(found[name]) if name == "MemTotal" else found.get(name, "")
        out(f" {title}: {value}")
    out(*(f"WARNING: {line.removeprefix('WARNING: ')}" for line in found.get("Warnings") or []))
    return 0


def _formatted(found: Any, given: Given) -> bool:
    form = given.text("format")
    if form:
        out(as_json(found) if form == "json" else Template(form).render(found))
    return bool(form)


def disk(engine: Engine, given: Given) -> int:
    """The space that images, containers, volumes and build caches take."""
    if given.on("verbose"):
        raise NotUnderstood("system df --verbose")
    found = engine.json("GET", "/system/df")
    images = found.get("Images") or []
    containers, volumes = found.get("Containers") or [], found.get("Volumes") or []
    cache = found.get("BuildCache") or []
    used = [image for image in images if image.get("Containers", 0) > 0]
    layers = found.get("LayersSize", 0)
    kept = sum(image["Size"] - max(image.get("SharedSize", 0), 0) for image in used)
    running = [one for one in containers if one["State"] in ("running", "paused", "restarting")]
    mounted = [one for one in volumes if (one.get("UsageData") or {}).get("RefCount", 0) > 0]
    rows = [
        _row("Images", len(images), len(used), layers, layers - kept if layers > kept else 0),
        _row("Containers", len(containers), len(running), _sum(containers), _sum(containers) - _sum(running)),
        _row("Local Volumes", len(volumes), len(mounted), _volume(volumes), _volume(volumes) - _volume(mounted)),
        _cache_row(cache),
    ]
    return show(rows, given, "Type TotalCount Active Size Reclaimable")


def _row(kind: str, total: int, active: int, size: float, free: float) -> dict[str, str]:
    share = f" ({int(free / size * 100)}%)" if size > 0 else ""
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": decimal_size(size),
        "Reclaimable": f"{decimal_size(free)}{share}",
    }


def _cache_row(cache: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    size = sum(one.get("Size", 0) for one in cache if not one.get("Shared"))
    active = [one for one in cache if one.get("InUse")]
    free = size - sum(one.get("Size", 0) for one in active if not one.get("Shared"))
    return {**_row("Build Cache", len(cache), len(active), size, free), "Reclaimable": decimal_size(free)}


def _sum(containers: Sequence[Mapping[str, Any]]) -> int:
    return sum(one.get("SizeRw", 0) for one in containers)


def _volume(volumes: Sequence[Mapping[str, Any]]) -> int:
    return sum(max((one.get("UsageData") or {}).get("Size", 0), 0) for one in volumes)
