"""`kubectl logs`, bounded by the cluster as the options say."""

from collections.abc import Iterator, Mapping
from typing import Any

from runbooks.standins.ending import Ended, NotUnderstood, err, raw
from runbooks.standins.kubectl.cluster import Cluster
from runbooks.standins.kubectl.kinds import listed
from runbooks.standins.kubectl.pods import POD, container_of, pod_of
from runbooks.standins.measures import span
from runbooks.standins.words import Given

OPTIONS = (
    "-c/--container= -f/--follow -p/--previous --tail= --since= --since-time= --timestamps -l/--selector= "
    "--all-containers --prefix --limit-bytes= --max-log-requests= --ignore-errors --pod-running-timeout="
)
# What kubectl shows of each when it shows several.
_TAIL_OF_SELECTED = "10"


def run(cluster: Cluster, given: Given) -> int:
    """What containers have printed, one after the other."""
    if given.has("selector"):
        pods = listed(cluster, POD, cluster.namespace, labelSelector=given.text("selector"))
        if not pods:
            err(f"No resources found in {cluster.namespace} namespace.")
    elif given.words:
        pods = [_named(cluster, given.words[0])]
    else:
        raise Ended(1, "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.")
    if len(given.words) == 2:
        given.options["container"] = [given.words[1]]
    chosen = [(pod, name) for pod in pods for name in _containers(pod, given)]
    if given.on("follow") and len(chosen) > 1:
        raise NotUnderstood("logs --follow of several containers")
    for pod, name in chosen:
        _show(cluster, pod, name, given)
    return 0


def _named(cluster: Cluster, word: str) -> dict[str, Any]:
    try:
        return pod_of(cluster, word, troubled_first=True)
    except Ended as end:
        if "(NotFound)" not in end.said:
            raise
        said = end.said[0].lower() + end.said[1:]
        raise Ended(1, f'error: {said} in namespace "{cluster.namespace}"') from None


def _containers(pod: Mapping[str, Any], given: Given) -> list[str]:
    spec = pod["spec"]
    there = [one["name"] for one in [*(spec.get("initContainers") or []), *spec["containers"]]]
    chosen = there if given.on("all-containers") else [container_of(pod, given)]
    for name in chosen:
        if name not in there:
            raise Ended(1, f"error: container {name} is not valid for pod {pod['metadata']['name']}")
    return chosen


def _show(cluster: Cluster, pod: Mapping[str, Any], container: str, given: Given) -> None:
    name = pod["metadata"]["name"]
    path = POD.path(pod["metadata"].get("namespace", cluster.namespace), name, "log")
    pieces = cluster.pieces(path, [("container", container), *_query(given)])
    prefix = f"[pod/{name}/{container}] ".encode() if given.on("prefix") else b""
    try:
        for piece in _prefixed(pieces, prefix) if prefix else pieces:
            raw("out", piece)
    except Ended as end:
        if not given.on("ignore-errors"):
            raise
        err(end.said)


def _query(given: Given) -> list[tuple[str, str]]:
    tail = given.text("tail", _TAIL_OF_SELECTED if given.has("selector") else "-1")
    asked = [
        ("follow", "true" if given.on("follow") else ""),
        ("previous", "true" if given.on("previous") else ""),
        ("timestamps", "true" if given.on("timestamps") else ""),
        ("tailLines", "" if tail == "-1" else tail),
        ("sinceSeconds", _seconds(given.text("since"))),
        ("sinceTime", given.text("since-time")),
        ("limitBytes", given.text("limit-bytes")),
    ]
    return [(name, value) for name, value in asked if value]


def _seconds(said: str) -> str:
    try:
        # A part of a second counts as a whole one, so that nothing is missed.
        return str(-int(-span(said) // 1)) if said and said not in ("0", "0s") else ""
    except ValueError as error:
        raise Ended(1, f'error: invalid argument "{said}" for "--since" flag: {error}') from None


def _prefixed(pieces: Iterator[bytes], prefix: bytes) -> Iterator[bytes]:
    waiting = b""
    for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        yield b"".join(prefix + line + b"\n" for line in lines)
    if waiting:
        yield prefix + waiting
