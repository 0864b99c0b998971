"""Making and removing images, networks and volumes by name."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from runbooks.standins.docker.engine import Engine
from runbooks.standins.ending import Ended, err, out
from runbooks.standins.words import Given

REMOVE = "-f/--force"
CONNECT = "--alias= --ip="
CREATE_NETWORK = "-d/--driver= --label= --internal --attachable"
CREATE_VOLUME = "-d/--driver= --label="
_PATHS = {"image": "/images/{}", "network": "/networks/{}", "volume": "/volumes/{}"}


def remove(kind: str) -> Callable[[Engine, Given], int]:
    """`rm` of one kind of thing, going on to the next name where one fails."""

    def run(engine: Engine, given: Given) -> int:
        failed = 0
        for name in given.words:
            try:
                _remove(engine, kind, name, given)
            except Ended as end:
                failed = 1
                err(end.said)
        return failed

    return run


def _remove(engine: Engine, kind: str, name: str, given: Given) -> None:
    path = _PATHS[kind].format(quote(name, safe=""))
    answer = engine.ask("DELETE", path, {"force": given.on("force")})
    if kind != "image":
        out(name)
        return
    for one in answer.json():
        out(f"Untagged: {one['Untagged']}" if "Untagged" in one else f"Deleted: {one.get('Deleted', '')}")


def connect(joined: bool) -> Callable[[Engine, Given], int]:
    """`network connect` and `network disconnect`."""

    def run(engine: Engine, given: Given) -> int:
        network, container = given.words
        body: dict[str, Any] = {"Container": container}
        if joined:
            body["EndpointConfig"] = {"Aliases": given.many("alias"), "IPAMConfig": _address(given)}
        else:
            body["Force"] = given.on("force")
        path = f"/networks/{quote(network, safe='')}/{'connect' if joined else 'disconnect'}"
        engine.ask("POST", path, body=body)
        return 0

    return run


def _address(given: Given) -> dict[str, str] | None:
    return {"IPv4Address": given.text("ip")} if given.has("ip") else None


def create_network(engine: Engine, given: Given) -> int:
    """Make a network and print its id."""
    body = {
        "Name": given.words[0],
        "Driver": given.text("driver", "bridge"),
        "CheckDuplicate": True,
        "Internal": given.on("internal"),
        "Attachable": given.on("attachable"),
        "Labels": labels(given),
    }
    out(engine.json("POST", "/networks/create", body=body)["Id"])
    return 0


def create_volume(engine: Engine, given: Given) -> int:
    """Make a volume and print its name; without a name the engine finds one."""
    body = {"Name": "".join(given.words), "Driver": given.text("driver", "local"), "Labels": labels(given)}
    out(engine.json("POST", "/volumes/create", body=body)["Name"])
    return 0


def labels(given: Given) -> dict[str, str]:
    """What --label gives."""
    return {name: value for name, _, value in (item.partition("=") for item in given.many("label"))}
