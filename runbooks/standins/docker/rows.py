"""Lists as the docker command prints them: a table, names alone, or a format of one's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from runbooks.standins.columns import aligned
from runbooks.standins.ending import out
from runbooks.standins.gotemplate import Template, as_json
from runbooks.standins.words import Given

HEADERS = {
    "ID": "ID",
    "Names": "NAMES",
    "Name": "NAME",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "CreatedSince": "CREATED",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "Mountpoint": "MOUNTPOINT",
    "Container": "CONTAINER",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Reclaimable": "RECLAIMABLE",
    "Service": "SERVICE",
    "Project": "PROJECT",
}


def show(
    rows: Sequence[Mapping[str, Any]],
    given: Given,
    table: str,
    *,
    headers: Mapping[str, str] | None = None,
    quiet: str = "ID",
) -> int:
    """Print `rows` as `--quiet` and `--format` say, as `table` (field names) otherwise."""
    rows = [dict(sorted(row.items())) for row in rows]
    form = given.text("format").replace("\\t", "\t").replace("\\n", "\n")
    if given.on("quiet") and not form:
        out(*(str(row[quiet]) for row in rows))
    elif form == "json":
        out(*(as_json(row) for row in rows))
    elif form and not form.startswith("table"):
        template = Template(form)
        out(*(template.render(row) for row in rows))
    else:
        form = form.removeprefix("table").strip() or "\t".join(f"{{{{.{name}}}}}" for name in table.split())
        template = Template(form)
        lines = [template.render({**HEADERS, **(headers or {})}), *(template.render(row) for row in rows)]
        out(*aligned([line.split("\t") for line in lines], least=10))
    return 0


def filters(given: Given) -> dict[str, list[str]]:
    """What --filter asks for, as the engine reads it."""
    found: dict[str, list[str]] = {}
    for item in given.many("filter"):
        name, _, value = item.partition("=")
        found.setdefault(name, []).append(value)
    return found
