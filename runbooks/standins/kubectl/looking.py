"""`kubectl top`, `wait`, `auth can-i`, `version`, `cluster-info` and `config`."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runbooks.standins.columns import aligned
from runbooks.standins.ending import Ended, NotUnderstood, err, out
from runbooks.standins.kubectl import jsonpath
from runbooks.standins.kubectl.cluster import Cluster, config_file, contexts
from runbooks.standins.kubectl.kinds import chosen, kind_of, known, listed
from runbooks.standins.measures import span
from runbooks.standins.words import Given

TOP = "-l/--selector= --sort-by= --no-headers -A/--all-namespaces --containers --use-protocol-buffers"
WAIT = "--for= --timeout= -l/--selector= --all -A/--all-namespaces"
VERSION = "--short --client -o/--output="
CONTEXTS = "-o/--output= --no-headers"
_METRICS = "/apis/metrics.k8s.io/v1beta1"
_LOOK_EACH_S = 0.5
_UNITS = {"": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}


def quantity(text: str) -> float:
    """A number with a unit as Kubernetes writes it, such as `250m` or `64Mi`."""
    found = re.fullmatch(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})", text)
    if not found or found[2] not in _UNITS:
        raise Ended(1, f"error: {text!r} is not a quantity")
    return float(found[1]) * _UNITS[found[2]]


def _cpu(cores: float) -> str:
    return f"{-int(-cores * 1000 // 1)}m"


def _memory(count: float) -> str:
    return f"{int(count / 2**20)}Mi"


def top_pods(cluster: Cluster, given: Given) -> int:
    """What pods use, or each container of theirs."""
    path = _METRICS + ("" if given.on("all-namespaces") else f"/namespaces/{cluster.namespace}") + "/pods"
    if given.words:
        items = [cluster.json("GET", f"{path}/{name}") for name in given.words]
    else:
        items = cluster.json("GET", path, [("labelSelector", given.text("selector"))] if given.has("selector") else [])[
            "items"
        ]
    if not items:
        err("No resources found" + ("" if given.on("all-namespaces") else f" in {cluster.namespace} namespace."))
        return 0
    items.sort(key=lambda item: (item["metadata"].get("namespace", ""), item["metadata"]["name"]))
    _sort(items, given)
    header, lines = _header(given, "POD" if given.on("containers") else ""), []
    for item in items:
        space = [item["metadata"].get("namespace", "")] * given.on("all-namespaces")
        name = item["metadata"]["name"]
        if given.on("containers"):
            lines += [[*space, name, one["name"], *_written(_of([one]))] for one in item["containers"]]
        else:
            lines.append([*space, name, *_written(_of(item["containers"]))])
    out(*aligned([*header, *lines], least=6, to_the_end=True))
    return 0


def _header(given: Given, first: str) -> list[list[str]]:
    names = ["NAMESPACE"] * given.on("all-namespaces") + [first] * bool(first) + ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    return [] if given.on("no-headers") else [names]


def _of(containers: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    used = [one["usage"] for one in containers]
    return sum(quantity(one["cpu"]) for one in used), sum(quantity(one["memory"]) for one in used)


def _written(used: tuple[float, float]) -> list[str]:
    return [_cpu(used[0]), _memory(used[1])]


def _sort(items: list[dict[str, Any]], given: Given) -> None:
    by = given.text("sort-by")
    if by not in ("", "cpu", "memory"):
        raise Ended(1, "error: --sort-by accepts only cpu or memory")
    if by:
        at = 0 if by == "cpu" else 1
        items.sort(key=lambda item: -_of(item.get("containers") or [item])[at])


def top_nodes(cluster: Cluster, given: Given) -> int:
    """What nodes use, also as a share of what pods may have there."""
    query = [("labelSelector", given.text("selector"))] if given.has("selector") else []
    items = cluster.json("GET", f"{_METRICS}/nodes", query)["items"]
    items = [item for item in items if not given.words or item["metadata"]["name"] in given.words]
    room = {one["metadata"]["name"]: one["status"]["allocatable"] for one in listed(cluster, known("nodes"), "")}
    items.sort(key=lambda item: item["metadata"]["name"])
    _sort(items, given)
    lines = [] if given.on("no-headers") else [["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]]
    for item in items:
        name = item["metadata"]["name"]
        cpu, memory = _of([item])
        shares = [used / quantity(room[name][what]) * 100 for what, used in (("cpu", cpu), ("memory", memory))]
        lines.append([name, _cpu(cpu), f"{int(shares[0])}%", _memory(memory), f"{int(shares[1])}%"])
    out(*aligned(lines, least=6, to_the_end=True))
    return 0


def wait(cluster: Cluster, given: Given) -> int:
    """Until things are as `--for` says: a condition, a value at a path, or gone."""
    holds = _expected(given.text("for"))
    deadline = time.monotonic() + span(given.text("timeout", "30s"))
    things = []
    for kind, name in chosen(cluster, given.words):
        space = "" if given.on("all-namespaces") else cluster.namespace
        names = [(space, name)]
        if not name:
            items = listed(cluster, kind, space, labelSelector=given.text("selector"))
            names = [(one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in items]
        things += [(kind, where, one) for where, one in names]
    if not things:
        raise Ended(1, "error: no matching resources found")
    for kind, where, name in things:
        while not holds(_there(cluster, kind.path(where, name))):
            if time.monotonic() >= deadline:
                raise Ended(1, f"error: timed out waiting for the condition on {kind.full}/{name}")
            time.sleep(_LOOK_EACH_S)
        out(f"{kind.named(name)} {'deleted' if given.text('for') == 'delete' else 'condition met'}")
    return 0


def _there(cluster: Cluster, path: str) -> Any:
    try:
        return cluster.json("GET", path)
    except Ended as end:
        if "(NotFound)" in end.said:
            return None
        raise


def _expected(said: str) -> Callable[[Any], bool]:
    way, _, rest = said.partition("=")
    if said == "delete":
        return lambda found: found is None
    if way == "condition" and rest:
        name, _, value = rest.partition("=")
        return lambda found: any(
            one["type"].lower() == name.lower() and one["status"].lower() == (value or "True").lower()
            for one in (found or {}).get("status", {}).get("conditions") or []
        )
    if way == "jsonpath" and "}=" in rest:
        path, _, value = rest.partition("}=")
        template = jsonpath.JsonPath(path.strip("'\"") + "}")
        return lambda found: found is not None and template.render(found) == value.strip("'\"")
    raise NotUnderstood(f"wait --for={said}")


def can_i(cluster: Cluster, given: Given) -> int:
    """Whether the credential may do something: prints yes or no; no is exit status 1."""
    verb, what, *rest = given.words
    word, _, name = what.partition("/")
    kind = kind_of(cluster, word)
    asked = {
        "verb": verb,
        "resource": kind.plural,
        "group": kind.group,
        "name": name or (rest[0] if rest else ""),
        "namespace": cluster.namespace if kind.namespaced else "",
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    allowed = cluster.json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", (), body)["status"][
        "allowed"
    ]
    out("yes" if allowed else "no")
    return 0 if allowed else 1


def version(cluster: Cluster, given: Given) -> int:
    """What speaks here and what answers there."""
    # Loaded already, with the cluster.
    import kubernetes

    if given.has("output"):
        raise NotUnderstood("version --output")
    out(f"Client Version: {kubernetes.__version__} (Python, a stand-in of erpops)")
    if not given.on("client"):
        out(f"Server Version: {cluster.json('GET', '/version')['gitVersion']}")
    return 0


def info(cluster: Cluster, given: Given) -> int:
    """Where the cluster and the services that belong to it are reached."""
    found = listed(cluster, known("services"), "kube-system", labelSelector="kubernetes.io/cluster-service=true")
    out(f"Kubernetes control plane is running at {cluster.host}")
    for one in found:
        meta, ports = one["metadata"], one["spec"].get("ports") or [{}]
        name = (meta.get("labels") or {}).get("kubernetes.io/name") or meta["name"]
        port = f":{ports[0]['name']}" if ports[0].get("name") else ""
        out(f"{name} is running at {cluster.host}/api/v1/namespaces/kube-system/services/{meta['name']}{port}/proxy")
    out("", "To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.")
    return 0


def current_context(given: Given) -> int:
    """The context that is meant when none is named."""
    path = config_file(given)
    if not path:
        raise Ended(1, "error: current-context is not set")
    out(contexts(path)[1])
    return 0


def get_contexts(given: Given) -> int:
    """All contexts of the kubeconfig."""
    path = config_file(given)
    found, current = contexts(path) if path else ([], "")
    if given.text("output") == "name":
        out(*sorted(str(one["name"]) for one in found))
        return 0
    lines = [] if given.on("no-headers") else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
    for one in sorted(found, key=lambda one: str(one["name"])):
        inner = one["context"]
        star = "*" if one["name"] == current else ""
        lines.append([star, one["name"], inner["cluster"], inner["user"], inner.get("namespace", "")])
    out(*aligned(lines, least=6))
    return 0
