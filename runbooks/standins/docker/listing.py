"""`docker ps`, `images`, `network ls` and `volume ls`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runbooks.standins.docker.engine import Engine
from runbooks.standins.docker.rows import filters, show
from runbooks.standins.measures import decimal_size, docker_age
from runbooks.standins.words import Given

_FORMAT = " -f/--filter= --format= -q/--quiet --no-trunc"
PS = "-a/--all -n/--last= -l/--latest -s/--size" + _FORMAT
IMAGES = "-a/--all" + _FORMAT
LS = _FORMAT
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ps(engine: Engine, given: Given) -> int:
    """The containers of the engine."""
    last = 1 if given.on("latest") else given.number("last", -1)
    sized = given.on("size") or ".Size" in given.text("format")
    query = {"all": given.on("all"), "limit": last if last > 0 else None, "size": sized, "filters": filters(given)}
    found = engine.json("GET", "/containers/json", query)
    rows = [container_row(engine, item, full=given.on("no-trunc")) for item in found]
    table = "ID Image Command RunningFor Status Ports Names"
    return show(rows, given, table + (" Size" if given.on("size") else ""), headers={"ID": "CONTAINER ID"})


def container_row(engine: Engine, item: Mapping[str, Any], *, full: bool) -> dict[str, Any]:
    """One container as `ps` writes it."""
    command = item["Command"] if full else shortened(item["Command"], 20)
    labels = item.get("Labels") or {}
    mounts = [mount.get("Name") or mount.get("Source", "") for mount in item.get("Mounts", [])]
    return {
        "ID": item["Id"] if full else item["Id"][:12],
        "Image": item["Image"] if full else short_id(item["Image"]),
        "Command": json.dumps(command, ensure_ascii=False),
        "CreatedAt": f"{at(item['Created']):%Y-%m-%d %H:%M:%S} +0000 UTC",
        "RunningFor": ago(engine, item["Created"]),
        "Ports": ports(item.get("Ports") or []),
        "State": item["State"],
        "Status": item["Status"],
        "Size": _size(item),
        "Names": ",".join(name.removeprefix("/") for name in item["Names"] if name.count("/") == 1),
        "Labels": ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
        "Mounts": ",".join(mount if full else shortened(mount, 15) for mount in mounts),
        "Networks": ",".join((item.get("NetworkSettings") or {}).get("Networks") or {}),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in item.get("Mounts", []))),
    }


def _size(item: Mapping[str, Any]) -> str:
    whole = item.get("SizeRootFs")
    own = decimal_size(item.get("SizeRw", 0), 3)
    return f"{own} (virtual {decimal_size(whole, 3)})" if whole else own


def at(seconds: float) -> datetime:
    """An instant that the engine gave in seconds."""
    return _EPOCH + timedelta(seconds=seconds)


def ago(engine: Engine, seconds: float) -> str:
    """How long ago, by the engine's clock."""
    return docker_age((engine.now() - at(seconds)).total_seconds()) + " ago"


def shortened(text: str, most: int) -> str:
    """At most that many characters, the last of which says that there were more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def short_id(name: str) -> str:
    """An image's name as it is; of an id its first twelve digits."""
    return name.removeprefix("sha256:")[:12] if name.startswith("sha256:") else name


def ports(found: list[dict[str, Any]]) -> str:
    """`0.0.0.0:8080->80/tcp, 443/tcp`."""
    ordered = sorted(found, key=lambda one: (one["PrivatePort"], one["Type"], ":" in one.get("IP", "")))
    written = []
    for one in ordered:
        inner = f"{one['PrivatePort']}/{one['Type']}"
        host = one.get("IP", "")
        host = f"[{host}]" if ":" in host else host
        written.append(f"{host}:{one['PublicPort']}->{inner}" if one.get("PublicPort") else inner)
    return ", ".join(written)


def images(engine: Engine, given: Given) -> int:
    """The images of the engine, a line for each name."""
    asked = filters(given)
    if given.words:
        asked.setdefault("reference", []).append(given.words[0])
    rows = []
    for item in engine.json("GET", "/images/json", {"all": given.on("all"), "filters": asked}):
        for name in [name for name in item.get("RepoTags") or [] if name != "<none>:<none>"] or ["<none>:<none>"]:
            rows.append(_image_row(engine, item, name, full=given.on("no-trunc")))
    return show(rows, given, "Repository Tag ID CreatedSince Size", headers={"ID": "IMAGE ID"})


def _image_row(engine: Engine, item: Mapping[str, Any], name: str, *, full: bool) -> dict[str, Any]:
    repository, _, tag = name.rpartition(":")
    return {
        "Repository": repository,
        "Tag": tag,
        "ID": item["Id"] if full else short_id(item["Id"]),
        "CreatedSince": ago(engine, item["Created"]),
        "CreatedAt": f"{at(item['Created']):%Y-%m-%d %H:%M:%S} +0000 UTC",
        "Size": decimal_size(item["Size"], 3),
        "Digest": next((digest.rpartition("@")[2] for digest in item.get("RepoDigests") or []), "<none>"),
        "Containers": "N/A" if item.get("Containers", -1) < 0 else str(item["Containers"]),
    }


def networks(engine: Engine, given: Given) -> int:
    """The networks of the engine."""
    found = engine.json("GET", "/networks", {"filters": filters(given)})
    rows = [
        {
            "ID": item["Id"] if given.on("no-trunc") else item["Id"][:12],
            "Name": item["Name"],
            "Driver": item["Driver"],
            "Scope": item["Scope"],
            "CreatedAt": item["Created"],
            "Internal": str(item["Internal"]).lower(),
            "Labels": _labels(item),
        }
        for item in sorted(found, key=lambda item: item["Name"])
    ]
    return show(rows, given, "ID Name Driver Scope", headers={"ID": "NETWORK ID"})


def volumes(engine: Engine, given: Given) -> int:
    """The volumes of the engine."""
    found = engine.json("GET", "/volumes", {"filters": filters(given)})["Volumes"] or []
    rows = [
        {
            "Name": item["Name"],
            "Driver": item["Driver"],
            "Mountpoint": item["Mountpoint"],
            "Scope": item["Scope"],
            "Labels": _labels(item),
        }
        for item in sorted(found, key=lambda item: item["Name"])
    ]
    return show(rows, given, "Driver Name", headers={"Name": "VOLUME NAME"}, quiet="Name")


def _labels(item: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((item.get("Labels") or {}).items()))
