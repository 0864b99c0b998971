"""Starting, stopping and changing containers, each by name, going on to the next where one fails."""

from collections.abc import Callable
from typing import Any

from runbooks.standins.docker.engine import Engine, container_path
from runbooks.standins.ending import Ended, NotUnderstood, err, out
from runbooks.standins.measures import decimal_size
from runbooks.standins.words import Given

STOP = "-t/--time= --timeout= -s/--signal="
KILL = "-s/--signal="
RM = "-f/--force -v/--volumes -l/--link"
UPDATE = "-m/--memory= --memory-swap= --cpus= --restart= --pids-limit= --memory-reservation= --cpu-shares="
PRUNE = "-f/--force -a/--all --filter= --volumes"
_Act = Callable[[Engine, Given, str], Any]
_SIZES = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def each(act: _Act) -> Callable[[Engine, Given], int]:
    """A subcommand that does something with every container it names, and prints the names that it worked for."""

    def run(engine: Engine, given: Given) -> int:
        failed = 0
        for name in given.words:
            try:
                act(engine, given, name)
            except Ended as end:
                failed = 1
                err(end.said)
            else:
                out(name)
        return failed

    return run


def _post(engine: Engine, name: str, what: str, **query: Any) -> None:
    engine.ask("POST", container_path(name, f"/{what}"), query)


def _patience(given: Given) -> str | None:
    said = given.text("timeout") or given.text("time")
    return str(int(said)) if said.lstrip("-").isdigit() else None


def start_one(engine: Engine, given: Given, name: str) -> None:
    """Start a container that has ended."""
    _post(engine, name, "start")


def stop_one(engine: Engine, given: Given, name: str) -> None:
    """End a container: its own signal, then KILL."""
    _post(engine, name, "stop", t=_patience(given), signal=given.text("signal"))


def restart_one(engine: Engine, given: Given, name: str) -> None:
    """End and start a container."""
    _post(engine, name, "restart", t=_patience(given), signal=given.text("signal"))


def kill_one(engine: Engine, given: Given, name: str) -> None:
    """Send a signal, KILL unless another is named."""
    _post(engine, name, "kill", signal=given.text("signal", "KILL"))


def pause_one(engine: Engine, given: Given, name: str) -> None:
    """Freeze a container."""
    _post(engine, name, "pause")


def unpause_one(engine: Engine, given: Given, name: str) -> None:
    """Let a frozen container go on."""
    _post(engine, name, "unpause")


def remove_one(engine: Engine, given: Given, name: str) -> None:
    """Remove a container."""
    query = {"force": given.on("force"), "v": given.on("volumes"), "link": given.on("link")}
    engine.ask("DELETE", container_path(name), query)


def update_one(engine: Engine, given: Given, name: str) -> None:
    """Change a container's limits or what happens after its end."""
    engine.ask("POST", container_path(name, "/update"), body=limits(given))


start = each(start_one)
stop = each(stop_one)
restart = each(restart_one)
kill = each(kill_one)
pause = each(pause_one)
unpause = each(unpause_one)
remove = each(remove_one)
update = each(update_one)


def wait(engine: Engine, given: Given) -> int:
    """Print the exit status of each container once it has ended."""
    for name in given.words:
        out(str(engine.ask("POST", container_path(name, "/wait"), stream=True).json()["StatusCode"]))
    return 0


def rename(engine: Engine, given: Given) -> int:
    """Give a container another name."""
    old, new = given.words
    try:
        engine.ask("POST", container_path(old, "/rename"), {"name": new})
    except Ended as end:
        raise Ended(1, f"{end.said}\nError: failed to rename container named {old}") from None
    return 0


def limits(given: Given) -> dict[str, Any]:
    """The limits that options name, as the engine takes them."""
    found: dict[str, Any] = {}
    for option, field in (
        ("memory", "Memory"),
        ("memory-swap", "MemorySwap"),
        ("memory-reservation", "MemoryReservation"),
    ):
        if given.has(option):
            found[field] = size(given.text(option))
    if given.has("cpus"):
        found["NanoCpus"] = int(float(given.text("cpus")) * 1e9)
    for option, field in (("pids-limit", "PidsLimit"), ("cpu-shares", "CpuShares")):
        if given.has(option):
            found[field] = given.number(option, 0)
    if given.has("restart"):
        found["RestartPolicy"] = restart_policy(given.text("restart"))
    return found


def restart_policy(text: str) -> dict[str, Any]:
    """`always`, `on-failure:3` and the like."""
    name, _, most = text.partition(":")
    return {"Name": name, "MaximumRetryCount": int(most) if most.isdigit() else 0}


def size(text: str) -> int:
    """Bytes of `200m`, `1.5GiB` or `-1`."""
    word = text.strip().lower().removesuffix("ib").removesuffix("b") or text
    unit = _SIZES.get(word[-1:], 0)
    try:
        return int(float(word[:-1]) * unit) if unit else int(word)
    except ValueError:
        raise Ended(1, f"invalid size: '{text}'") from None


def prune(*kinds: str) -> Callable[[Engine, Given], int]:
    """A subcommand that removes what nothing uses; it asks nobody, so it needs --force."""

    def run(engine: Engine, given: Given) -> int:
        if not given.on("force"):
            raise NotUnderstood("prune without --force, which asks and waits for an answer")
        chosen = [*kinds, "volumes"] if given.on("volumes") and "volumes" not in kinds else list(kinds)
        asked: dict[str, Any] = {}
        for item in given.many("filter"):
            key, _, value = item.partition("=")
            asked.setdefault(key, []).append(value)
        freed = 0
        for kind in chosen:
            freed += _prune(engine, kind, dict(asked), everything=given.on("all"))
        if kinds != ("networks",):
            out(f"Total reclaimed space: {decimal_size(freed)}")
        return 0

    return run


def _prune(engine: Engine, kind: str, asked: dict[str, Any], *, everything: bool) -> int:
    if kind == "images":
        asked["dangling"] = ["false" if everything else "true"]
    if kind == "volumes" and everything:
        asked["all"] = ["true"]
    path = "/build/prune" if kind == "build" else f"/{kind}/prune"
    answer = engine.json("POST", path, {"filters": asked, "all": everything if kind == "build" else None}) or {}
    title = {"containers": "Containers", "networks": "Networks", "images": "Images", "volumes": "Volumes"}.get(kind)
    gone = answer.get(f"{title}Deleted") or answer.get("CachesDeleted") or []
    if gone:
        out(f"Deleted {title or 'build cache objects'}:")
        out(*(_gone(one) for one in gone), "")
    return int(answer.get("SpaceReclaimed") or 0)


def _gone(one: Any) -> str:
    if isinstance(one, dict):
        return f"untagged: {one['Untagged']}" if "Untagged" in one else f"deleted: {one.get('Deleted', '')}"
    return str(one)
