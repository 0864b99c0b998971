"""`docker inspect`, `logs`, `top`, `port`, `diff` and `events`."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from runbooks.standins.columns import aligned
from runbooks.standins.docker import streams
from runbooks.standins.docker.engine import Engine, container_path
from runbooks.standins.docker.rows import filters
from runbooks.standins.ending import Ended, err, out
from runbooks.standins.gotemplate import Template, as_json
from runbooks.standins.measures import instant, span
from runbooks.standins.words import Given

INSPECT = "-f/--format= -s/--size --type="
LOGS = "-f/--follow --since= --until= -n/--tail= -t/--timestamps --details"
EVENTS = "--since= --until= -f/--filter= --format="
_KINDS = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
}
_NOT_FOUND = "Error response from daemon: "


def inspect_as(kind: str = "") -> Callable[[Engine, Given], int]:
    """`inspect` for one kind of thing, or for the first kind that has one of that name."""

    def run(engine: Engine, given: Given) -> int:
        form = given.text("format")
        template = Template(form) if form and form != "json" else None
        kinds = [kind or given.text("type")] if kind or given.text("type") else list(_KINDS)
        found, failed = [], 0
        for name in given.words:
            try:
                found.append(_found(engine, kinds, name))
            except Ended as end:
                failed = 1
                err(end.said)
        if template is not None:
            out(*(template.render(one) for one in found))
        elif form == "json":
            out(as_json(found))
        else:
            out(json.dumps(found, indent=4, ensure_ascii=False))
        return failed

    return run


def _found(engine: Engine, kinds: list[str], name: str) -> Any:
    missing = f"Error: No such object: {name}"
    for kind in kinds:
        try:
            return engine.json("GET", _KINDS[kind].format(quote(name, safe="")))
        except KeyError:
            raise Ended(1, f'unknown type: "{kind}"') from None
        except Ended as end:
            if "no such" not in end.said.lower() and "not found" not in end.said.lower():
                raise
            missing = end.said if len(kinds) == 1 else missing
    raise Ended(1, missing)


def logs(engine: Engine, given: Given) -> int:
    """What a container has printed, its two streams apart."""
    [name] = given.words
    show_logs(engine, name, given)
    return 0


def show_logs(engine: Engine, name: str, given: Given, sink: streams.Sink = streams.raw) -> None:
    """Pass on a container's output as the options bound it."""
    query = {
        "stdout": True,
        "stderr": True,
        "follow": given.on("follow"),
        "timestamps": given.on("timestamps"),
        "details": given.on("details"),
        "tail": given.text("tail", "all"),
        "since": moment(engine, given.text("since")),
        "until": moment(engine, given.text("until")),
    }
    framed = not engine.container(name)["Config"]["Tty"]
    streams.show(engine.pieces(container_path(name, "/logs"), query), framed=framed, sink=sink)


def moment(engine: Engine, said: str) -> str:
    """What --since and --until mean as seconds of the engine's clock: a span back from now, or an instant."""
    if not said:
        return ""
    try:
        then = engine.exact_now().timestamp() - span(said)
    except ValueError:
        try:
            then = float(said) if said.replace(".", "", 1).isdigit() else instant(said).timestamp()
        except ValueError:
            raise Ended(1, f'invalid value for "since" or "until": failed to parse value as time: {said}') from None
    return f"{then:.9f}"


def top(engine: Engine, given: Given) -> int:
    """The processes of a container."""
    name, *options = given.words
    found = engine.json("GET", container_path(name, "/top"), {"ps_args": " ".join(options)})
    out(*aligned([found["Titles"], *(found["Processes"] or [])], least=20))
    return 0


def port(engine: Engine, given: Given) -> int:
    """Where the ports of a container are reached."""
    name, *wanted = given.words
    found = engine.container(name)["NetworkSettings"]["Ports"] or {}
    asked = [one if "/" in one else f"{one}/tcp" for one in wanted]
    lines = []
    for inner, outer in sorted(found.items(), key=lambda item: (int(item[0].split("/")[0]), item[0])):
        for place in (outer or []) if not asked or inner in asked else []:
            host = f"[{place['HostIp']}]" if ":" in place["HostIp"] else place["HostIp"]
            lines.append(f"{host}:{place['HostPort']}" if asked else f"{inner} -> {host}:{place['HostPort']}")
    if asked and not lines:
        raise Ended(1, f"Error: No public port '{asked[0]}' published for {name}")
    out(*lines)
    return 0


def diff(engine: Engine, given: Given) -> int:
    """What was changed in the files of a container."""
    kinds = {0: "C", 1: "A", 2: "D"}
    for change in engine.json("GET", container_path(given.words[0], "/changes")) or []:
        out(f"{kinds.get(change['Kind'], '?')} {change['Path']}")
    return 0


def events(engine: Engine, given: Given) -> int:
    """What happened on the engine, until `--until` or for as long as somebody looks."""
    query = {
        "since": moment(engine, given.text("since")),
        "until": moment(engine, given.text("until")),
        "filters": filters(given),
    }
    form = given.text("format")
    template = Template(form) if form and form != "json" else None
    for event in _documents(engine.pieces("/events", query)):
        if form:
            out(template.render(event) if template else as_json(event))
        else:
            out(_event(event))
    return 0


def _documents(pieces: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    waiting = b""
    for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
    if waiting.strip():
        yield json.loads(waiting)


def _event(event: dict[str, Any]) -> str:
    seconds, rest = divmod(event.get("timeNano") or event["time"] * 10**9, 10**9)
    when = instant("1970-01-01T00:00:00Z").fromtimestamp(seconds, tz=instant("1970-01-01").tzinfo)
    actor = event.get("Actor") or {}
    attributes = ", ".join(f"{key}={value}" for key, value in sorted((actor.get("Attributes") or {}).items()))
    said = f"{when:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z {event['Type']} {event['Action']} {actor.get('ID', '')}"
    return f"{said} ({attributes})" if attributes else said
