"""What is in the tests' cluster, and how its objects are selected, changed and laid out as tables."""

import copy
import re
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
_CREATED = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class Resource:
    """One kind as discovery tells it."""

    plural: str
    kind: str
    group: str
    version: str
    namespaced: bool
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def told(self) -> Object:
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        names = {
            "name": self.plural,
            "singularName": self.kind.lower(),
            "kind": self.kind,
            "shortNames": list(self.short),
        }
        return {**names, "namespaced": self.namespaced, "verbs": verbs}


RESOURCES = {
    one.plural: one
    for one in (
        Resource("pods", "Pod", "", "v1", True, ("po",)),
        Resource("services", "Service", "", "v1", True, ("svc",)),
        Resource("configmaps", "ConfigMap", "", "v1", True, ("cm",)),
        Resource("secrets", "Secret", "", "v1", True),
        Resource("events", "Event", "", "v1", True, ("ev",)),
        Resource("endpoints", "Endpoints", "", "v1", True, ("ep",)),
        Resource("nodes", "Node", "", "v1", False, ("no",)),
        Resource("namespaces", "Namespace", "", "v1", False, ("ns",)),
        Resource("deployments", "Deployment", "apps", "v1", True, ("deploy",)),
        Resource("replicasets", "ReplicaSet", "apps", "v1", True, ("rs",)),
        Resource("statefulsets", "StatefulSet", "apps", "v1", True, ("sts",)),
        Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", "v1", True, ("netpol",)),
        Resource("certificates", "Certificate", "cert-manager.io", "v1", True, ("cert",)),
    )
}


def _discovery() -> dict[str, Object]:
    groups = sorted(
        {(one.group, one.version) for one in RESOURCES.values() if one.group} | {("metrics.k8s.io", "v1beta1")}
    )
    listed = []
    for group, version in groups:
        spoken = {"groupVersion": f"{group}/{version}", "version": version}
        listed.append({"name": group, "versions": [spoken], "preferredVersion": spoken})
    found: dict[str, Object] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed},
        "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0", "platform": "linux/amd64"},
    }
    metrics = [
        {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]},
        {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
    ]
    for group, version in [("", "v1"), *groups]:
        own = [one.told() for one in RESOURCES.values() if (one.group, one.version) == (group, version)]
        path = f"/apis/{group}/{version}" if group else "/api/v1"
        name = f"{group}/{version}" if group else "v1"
        resources = metrics if group == "metrics.k8s.io" else own
        found[path] = {"kind": "APIResourceList", "groupVersion": name, "resources": resources}
    return found


DISCOVERY = _discovery()
METRICS: dict[str, list[Object]] = {
    "pods": [
        {
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": _CREATED},
            "timestamp": _CREATED,
            "window": "30s",
            "containers": [{"name": "api", "usage": {"cpu": cpu, "memory": memory}}],
        }
        for name, cpu, memory in (("api-1", "1500000n", "64Mi"), ("api-2", "250m", "131072Ki"))
    ],
    "nodes": [
        {
            "metadata": {"name": "node-a", "creationTimestamp": _CREATED},
            "timestamp": _CREATED,
            "window": "30s",
            "usage": {"cpu": "500m", "memory": "1Gi"},
        }
    ],
}


def _meta(name: str, namespace: str = "shop", **more: Any) -> Object:
    place = {"namespace": namespace} if namespace else {}
    uid = f"uid-{name}"
    return {"name": name, **place, "uid": uid, "resourceVersion": "1", "creationTimestamp": _CREATED, **more}


def _pod(name: str, *containers: str, app: str = "api", phase: str = "Running", restarts: int = 0) -> Object:
    ready = phase == "Running"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _meta(name, labels={"app": app, "tier": "back"}),
        "spec": {
            "nodeName": "node-a",
            "containers": [
                {"name": one, "image": f"{one}:1", "resources": {"limits": {"memory": "1Gi"}}} for one in containers
            ],
        },
        "status": {
            "phase": phase,
            "podIP": "10.0.0.1",
            "hostIP": "10.1.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {"name": one, "ready": ready, "restartCount": restarts, "state": {"running": {"startedAt": _CREATED}}}
                for one in containers
            ],
        },
    }


def _template(image: str, **labels: str) -> Object:
    containers = [{"name": "api", "image": image, "env": [{"name": "LEVEL", "value": "info"}]}]
    return {"metadata": {"labels": {"app": "api", **labels}}, "spec": {"containers": containers}}


def _deployment() -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta("api", generation=3, annotations={"deployment.kubernetes.io/revision": "2"}),
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "api"}}, "template": _template("api:2")},
        "status": {
            "observedGeneration": 9,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}],
        },
    }


def _replica_set(revision: int) -> Object:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api", "uid": "uid-api", "controller": True}
    notes = {"deployment.kubernetes.io/revision": str(revision)}
    labels = {"app": "api", "pod-template-hash": f"h{revision}"}
    template = _template(f"api:{revision}", **{"pod-template-hash": f"h{revision}"})
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": _meta(f"api-h{revision}", labels=labels, annotations=notes, ownerReferences=[owner]),
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        "status": {"replicas": 1},
    }


def _event(name: str, kind: str, reason: str, about: str) -> Object:
    involved = {"kind": "Pod", "name": about, "namespace": "shop", "uid": f"uid-{about}"}
    times = {"firstTimestamp": _CREATED, "lastTimestamp": _CREATED, "count": 1}
    body = {"apiVersion": "v1", "kind": "Event", "metadata": _meta(name), "type": kind, "reason": reason}
    return {
        **body,
        "message": f"{reason} of {about}",
        "involvedObject": involved,
        "source": {"component": "kubelet"},
        **times,
    }


def _node() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _meta("node-a", "", labels={"zone": "a"}),
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "capacity": {"cpu": "2", "memory": "4Gi"},
            "allocatable": {"cpu": "2", "memory": "4Gi"},
            "nodeInfo": {"kubeletVersion": "v1.32.0"},
        },
    }


def _plain(version: str, kind: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": _meta(name, "")}


def initial() -> dict[tuple[str, str, str], Object]:
    """Everything that a cluster begins with."""
    plain = [("services", "Service"), ("configmaps", "ConfigMap"), ("certificates", "Certificate")]
    found = [
        ("pods", _pod("api-1", "api")),
        ("pods", _pod("api-2", "api", restarts=3)),
        ("pods", _pod("twin", "first", "second", app="twin")),
        ("pods", _pod("waiting", "job", app="job", phase="Pending")),
        ("deployments", _deployment()),
        *(("replicasets", _replica_set(number)) for number in (1, 2)),
        ("events", _event("e1", "Normal", "Pulled", "api-1")),
        ("events", _event("e2", "Warning", "BackOff", "api-2")),
        ("nodes", _node()),
        *(("namespaces", _plain("v1", "Namespace", name)) for name in ("shop", "other")),
    ]
    for plural, kind in plain:
        group = RESOURCES[plural].api_version
        spec = {"spec": {"selector": {"app": "api"}}} if plural == "services" else {}
        found.append((plural, {"apiVersion": group, "kind": kind, "metadata": _meta("web"), **spec}))
    return {(plural, one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for plural, one in found}


def created(sent: Object, namespace: str) -> Object:
    """An object as a cluster keeps what it was sent."""
    meta = {**_meta(sent["metadata"]["name"], namespace), **sent["metadata"]}
    return {**sent, "metadata": meta | ({"namespace": namespace} if namespace else {})}


def again(found: Object) -> Object:
    """Another one under its name."""
    return {**found, "metadata": {**found["metadata"], "uid": f"{found['metadata']['uid']}-again"}}


def matches(found: Object, labels: str, fields: str) -> bool:
    """Whether an object is what a label selector and a field selector ask for."""
    own = found["metadata"].get("labels") or {}
    for part in re.split(r",(?![^(]*\))", labels) if labels else []:
        if not _label(own, part.strip()):
            return False
    return all(_field(found, part) for part in fields.split(",") if part)


def _label(own: dict[str, str], part: str) -> bool:
    chosen = re.fullmatch(r"(\S+) (in|notin) \(([^)]*)\)", part)
    if chosen:
        inside = own.get(chosen[1]) in [word.strip() for word in chosen[3].split(",")]
        return inside if chosen[2] == "in" else not inside
    for sign in ("!=", "==", "="):
        if sign in part:
            key, value = part.split(sign, 1)
            return (own.get(key) == value) != (sign == "!=")
    return part[1:] not in own if part.startswith("!") else part in own


def _field(found: Object, part: str) -> bool:
    sign = "!=" if "!=" in part else "=" if "==" not in part else "=="
    path, value = part.split(sign, 1)
    here: Any = found
    for name in path.split("."):
        here = here.get(name, {}) if isinstance(here, dict) else {}
    return (here == value) != (sign == "!=")


def changed(found: Object, kind: str, patch: Any) -> Object:
    """An object after a patch of one of the three kinds."""
    after = copy.deepcopy(found)
    if kind == "application/json-patch+json":
        for step in patch:
            *path, last = step["path"].strip("/").split("/")
            here = after
            for name in path:
                here = here[name]
            if step["op"] == "test":
                assert here[last] == step["value"]
            else:
                here[last] = step["value"]
    else:
        _merge(after, patch, by_name=kind == "application/strategic-merge-patch+json")
    if after != found:
        after["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
    return after


def _merge(into: Object, patch: Object, *, by_name: bool) -> None:
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, by_name=by_name)
        elif by_name and isinstance(value, list) and value and isinstance(value[0], dict) and "name" in value[0]:
            into[key] = _merged(into.get(key) or [], value)
        else:
            into[key] = {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _merged(there: list[Object], patches: list[Object]) -> list[Object]:
    found = {one["name"]: one for one in there}
    for one in patches:
        if one.get("$patch") == "delete":
            found.pop(one["name"], None)
            continue
        _merge(found.setdefault(one["name"], {"name": one["name"]}), one, by_name=True)
    return list(found.values())


_COLUMNS: dict[str, list[tuple[str, int]]] = {
    "pods": [("Name", 0), ("Ready", 0), ("Status", 0), ("Restarts", 0), ("Age", 0), ("IP", 1), ("Node", 1)],
    "deployments": [("Name", 0), ("Ready", 0), ("Up-to-date", 0), ("Available", 0), ("Age", 0)],
    "events": [("Last Seen", 0), ("Type", 0), ("Reason", 0), ("Object", 0), ("Message", 0)],
}


def table(plural: str, found: list[Object]) -> Object:
    """Objects as a cluster lays them out. Its ages never change."""
    columns = _COLUMNS.get(plural, [("Name", 0), ("Age", 0)])
    kept = [{"cells": _cells(plural, one), "object": one} for one in found]
    told = [
        {
            "name": name,
            "type": "string",
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": level,
        }
        for name, level in columns
    ]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "1"}}
    return {**head, "columnDefinitions": told, "rows": kept}


def _cells(plural: str, one: Object) -> list[Any]:
    name = one["metadata"]["name"]
    if plural == "pods":
        states = one["status"]["containerStatuses"]
        ready = f"{sum(state['ready'] for state in states)}/{len(states)}"
        restarts = sum(state["restartCount"] for state in states)
        return [name, ready, one["status"]["phase"], restarts, "5d", one["status"]["podIP"], one["spec"]["nodeName"]]
    if plural == "deployments":
        status, wanted = one["status"], one["spec"]["replicas"]
        return [
            name,
            f"{status['readyReplicas']}/{wanted}",
            status["updatedReplicas"],
            status["availableReplicas"],
            "5d",
        ]
    if plural == "events":
        about = one["involvedObject"]
        return ["5d", one["type"], one["reason"], f"{about['kind'].lower()}/{about['name']}", one["message"]]
    return [name, "5d"]
