"""`kubectl scale`, `set`, `patch`, `label`, `annotate`, `delete pod`, `cordon` and `uncordon`."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from runbooks.standins.ending import Ended, NotUnderstood, err, out
from runbooks.standins.kubectl.cluster import Cluster
from runbooks.standins.kubectl.kinds import Kind, chosen, known, listed
from runbooks.standins.kubectl.pods import POD
from runbooks.standins.measures import span
from runbooks.standins.words import Given

SCALE = "--replicas= --current-replicas= -l/--selector= --timeout="
PATCH = "-p/--patch= --type="
SET = "-c/--containers= -l/--selector="
SET_ENV = SET + " --list -e/--env="
SET_RESOURCES = SET + " --limits= --requests="
LABEL = "-l/--selector= --overwrite --all"
DELETE = (
    "-l/--selector= --field-selector= --all --grace-period= --force --now --wait= --ignore-not-found --timeout= "
    "-o/--output="
)
CORDON = "-l/--selector="
_LOOK_EACH_S = 0.5
_GONE_S = 300.0


def _things(cluster: Cluster, given: Given, words: list[str]) -> list[tuple[Kind, str]]:
    """What a call names, or what its selector finds."""
    found = []
    for kind, name in chosen(cluster, words):
        if name:
            found.append((kind, name))
        elif given.text("selector") or given.on("all"):
            items = listed(
                cluster,
                kind,
                cluster.namespace,
                labelSelector=given.text("selector"),
                fieldSelector=given.text("field-selector"),
            )
            found += [(kind, str(item["metadata"]["name"])) for item in items]
        else:
            raise Ended(1, "error: resource(s) were provided, but no name was specified")
    return found


def scale(cluster: Cluster, given: Given) -> int:
    """Set how many replicas there are to be."""
    if not given.has("replicas"):
        raise Ended(1, "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    count = given.number("replicas", 0)
    for kind, name in _things(cluster, given, given.words):
        path = kind.path(cluster.namespace, name, "scale")
        if given.has("current-replicas"):
            expected, there = given.number("current-replicas", 0), cluster.json("GET", path)["spec"].get("replicas", 0)
            if expected != there:
                raise Ended(1, f"error: Expected replicas to be {expected}, was {there}")
        cluster.patch(path, {"spec": {"replicas": count}}, "merge")
        out(f"{kind.named(name)} scaled")
    return 0


def patch(cluster: Cluster, given: Given) -> int:
    """Change an object by a patch of one's own."""
    kinds = {"strategic": "strategic-merge", "merge": "merge", "json": "json"}
    way = given.text("type", "strategic")
    if way not in kinds:
        raise Ended(1, f'error: --type must be one of [json merge strategic], not "{way}"')
    try:
        body = yaml.safe_load(given.text("patch"))
    except yaml.YAMLError as error:
        raise Ended(1, f"error: unable to parse {given.text('patch')!r}: {error}") from None
    if not body:
        raise Ended(1, "error: must specify --patch or --patch-file containing the contents of the patch")
    for kind, name in _things(cluster, given, given.words):
        path = kind.path(cluster.namespace, name)
        before = cluster.json("GET", path)
        after = cluster.patch(path, body, kinds[way])
        out(f"{kind.named(name)} patched{'' if _differ(before, after) else ' (no change)'}")
    return 0


def _differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    versions = [one.get("metadata", {}).get("resourceVersion") for one in (before, after)]
    return versions[0] is None or versions[0] != versions[1]


def set_image(cluster: Cluster, given: Given) -> int:
    """Give containers another image."""
    words, pairs = _pairs(given.words)
    _each_template(cluster, given, words, "image", lambda names: _images(pairs, names))
    return 0


def _pairs(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """The words before the first `name=value`, and those pairs."""
    plain = [word for word in words if "=" not in word]
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    return plain, pairs


def _images(pairs: Mapping[str, str], names: list[str]) -> list[dict[str, Any]]:
    if not pairs:
        raise Ended(1, "error: at least one image update is required")
    for name in pairs:
        if name != "*" and name not in names:
            raise Ended(1, f'error: unable to find container named "{name}"')
    images = {name: pairs.get(name) or pairs.get("*") for name in names}
    return [{"name": name, "image": image} for name, image in images.items() if image]


def set_env(cluster: Cluster, given: Given) -> int:
    """Set, or with a minus at the end remove, variables of containers."""
    said = [*given.words, *given.many("env")]
    words = [word for word in given.words if "=" not in word and not word.endswith("-")]
    if given.on("list"):
        return _list_env(cluster, given, words)
    changes: list[dict[str, Any]] = []
    for word in said:
        name, equals, value = word.partition("=")
        if equals:
            changes.append({"name": name, "value": value, "valueFrom": None})
        elif word.endswith("-"):
            changes.append({"name": word[:-1], "$patch": "delete"})
    if not changes:
        raise Ended(1, "error: at least one environment variable must be provided")
    _each_template(cluster, given, words, "env", lambda names: [{"name": name, "env": changes} for name in names])
    return 0


def _list_env(cluster: Cluster, given: Given, words: list[str]) -> int:
    for kind, name in _things(cluster, given, words):
        for one in cluster.json("GET", kind.path(cluster.namespace, name))["spec"]["template"]["spec"]["containers"]:
            out(f"# {kind.kind} {name}, container {one['name']}")
            for item in one.get("env") or []:
                source = "" if "valueFrom" not in item else f"# {item['name']} from {next(iter(item['valueFrom']))}"
                out(source or f"{item['name']}={item.get('value', '')}")
    return 0


def set_resources(cluster: Cluster, given: Given) -> int:
    """Set limits and requests of containers."""
    wanted = {}
    for part in ("limits", "requests"):
        if given.has(part):
            wanted[part] = dict(pair.split("=", 1) for pair in given.text(part).split(",") if "=" in pair)
    if not any(wanted.values()):
        raise Ended(1, "error: you must specify an update to requests or limits (in the form of --requests/--limits)")
    _each_template(
        cluster,
        given,
        list(given.words),
        "resource requirements",
        lambda names: [{"name": name, "resources": wanted} for name in names],
    )
    return 0


def _each_template(
    cluster: Cluster,
    given: Given,
    words: list[str],
    what: str,
    changes: Callable[[list[str]], list[dict[str, Any]]],
) -> None:
    """Change the containers of pod templates; -c narrows them down."""
    for kind, name in _things(cluster, given, words):
        path = kind.path(cluster.namespace, name)
        found = cluster.json("GET", path)
        if "template" not in found.get("spec", {}):
            raise NotUnderstood(f"set on {kind.plural}")
        wanted = given.text("containers", "*")
        names = [one["name"] for one in found["spec"]["template"]["spec"]["containers"] if wanted in ("*", one["name"])]
        if not names:
            raise Ended(1, f'error: unable to find container named "{wanted}"')
        cluster.patch(path, {"spec": {"template": {"spec": {"containers": changes(names)}}}})
        out(f"{kind.named(name)} {what} updated")


def mark(field: str, done: str) -> Callable[[Cluster, Given], int]:
    """`label` or `annotate`: set `name=value`, remove `name-`; what is there stays unless --overwrite is given."""

    def run(cluster: Cluster, given: Given) -> int:
        words = [word for word in given.words if "=" not in word and not word.endswith("-")]
        changes: dict[str, str | None] = {}
        changes |= {name: value for name, _, value in (word.partition("=") for word in given.words if "=" in word)}
        changes |= {word[:-1]: None for word in given.words if "=" not in word and word.endswith("-")}
        if not changes:
            raise Ended(1, f"error: at least one {field[:-1]} update is required")
        for kind, name in _things(cluster, given, words):
            path = kind.path(cluster.namespace, name)
            there = cluster.json("GET", path)["metadata"].get(field) or {}
            for key, value in changes.items():
                if key in there and value not in (None, there[key]) and not given.on("overwrite"):
                    raise Ended(1, f"error: '{key}' already has a value ({there[key]}), and --overwrite is false")
            cluster.patch(path, {"metadata": {field: changes}}, "merge")
            removed_only = field == "labels" and all(value is None for value in changes.values())
            out(f"{kind.named(name)} {'unlabeled' if removed_only else done}")
        return 0

    return run


def delete(cluster: Cluster, given: Given) -> int:
    """Delete pods, which what owns them replaces, and wait until they are gone."""
    for kind, _ in chosen(cluster, given.words):
        if kind != POD:
            raise NotUnderstood(f"delete {kind.singular}: here only pods can be deleted")
    failed, gone = 0, []
    for _, name in _things(cluster, given, given.words):
        path = POD.path(cluster.namespace, name)
        try:
            cluster.json("DELETE", path, (), {"apiVersion": "v1", "kind": "DeleteOptions", **_grace(given)})
        except Ended as end:
            if not (given.on("ignore-not-found") and "(NotFound)" in end.said):
                failed = 1
                err(end.said)
            continue
        forced = " force" if given.on("force") else ""
        out(f"pod/{name}" if given.text("output") == "name" else f'pod "{name}"{forced} deleted')
        gone.append(path)
    if given.text("wait", "true") == "true" and not given.on("force"):
        _wait_gone(cluster, gone, span(given.text("timeout", "0s")) or _GONE_S)
    return failed


def _grace(given: Given) -> dict[str, int]:
    if given.on("now"):
        return {"gracePeriodSeconds": 1}
    if given.on("force"):
        return {"gracePeriodSeconds": max(given.number("grace-period", 0), 0)}
    return {"gracePeriodSeconds": given.number("grace-period", 30)} if given.has("grace-period") else {}


def _wait_gone(cluster: Cluster, paths: list[str], limit: float) -> None:
    deadline = time.monotonic() + limit
    while paths:
        try:
            cluster.json("GET", paths[0])
        except Ended as end:
            if "(NotFound)" not in end.said:
                raise
            paths.pop(0)
            continue
        if time.monotonic() >= deadline:
            raise Ended(1, f"error: timed out waiting for the condition on {paths[0].rpartition('/')[2]}")
        time.sleep(_LOOK_EACH_S)


def cordon(closed: bool) -> Callable[[Cluster, Given], int]:
    """`cordon` keeps new pods off a node, `uncordon` lets them come again."""
    done = "cordoned" if closed else "uncordoned"

    def run(cluster: Cluster, given: Given) -> int:
        node = known("nodes")
        for _, name in _things(cluster, given, ["nodes", *(word.removeprefix("node/") for word in given.words)]):
            path = node.path("", name)
            if bool(cluster.json("GET", path)["spec"].get("unschedulable")) == closed:
                out(f"node/{name} already {done}")
                continue
            cluster.patch(path, {"spec": {"unschedulable": closed or None}})
            out(f"node/{name} {done}")
        return 0

    return run
