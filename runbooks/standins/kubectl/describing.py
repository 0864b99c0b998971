"""`kubectl describe`: a readable summary of a thing and of what happened to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from runbooks.standins.columns import aligned
from runbooks.standins.ending import err, out
from runbooks.standins.kubectl.cluster import Cluster
from runbooks.standins.kubectl.kinds import Kind, chosen, known, listed
from runbooks.standins.measures import instant, kubernetes_age
from runbooks.standins.words import Given

OPTIONS = "-l/--selector= -A/--all-namespaces --show-events="
_Lines = list[str]
# Values of secrets are never shown, as kubectl does.
_HIDDEN = ("data", "stringData")


def run(cluster: Cluster, given: Given) -> int:
    """Describe everything that a call names."""
    shown = 0
    for kind, name in chosen(cluster, given.words):
        space = "" if given.on("all-namespaces") else cluster.namespace
        found = (
            [cluster.json("GET", kind.path(space, name))]
            if name
            else listed(cluster, kind, space, labelSelector=given.text("selector"))
        )
        for one in found:
            out(*([""] * bool(shown)), *_described(kind, one))
            if given.text("show-events", "true") == "true":
                out(*_events(cluster, one))
            shown += 1
    if not shown:
        err(f"No resources found in {cluster.namespace} namespace.")
    return 0


def _described(kind: Kind, found: Mapping[str, Any]) -> _Lines:
    meta = found["metadata"]
    lines = [_line("Name", meta["name"])]
    if meta.get("namespace"):
        lines.append(_line("Namespace", meta["namespace"]))
    lines += _pairs("Labels", meta.get("labels"), "=") + _pairs("Annotations", meta.get("annotations"), ": ")
    lines.append(_line("Created", meta.get("creationTimestamp", "<unknown>")))
    for owner in meta.get("ownerReferences") or []:
        lines.append(_line("Controlled By", f"{owner['kind']}/{owner['name']}"))
    special = {
        "pods": _pod,
        "nodes": _node,
        "deployments": _workload,
        "statefulsets": _workload,
        "daemonsets": _workload,
    }
    return lines + special.get(kind.plural, _anything)(found)


def _line(title: str, value: Any) -> str:
    return f"{title + ':':<18}{value}"


def _pairs(title: str, found: Mapping[str, str] | None, between: str) -> _Lines:
    pairs = [f"{key}{between}{value}" for key, value in sorted((found or {}).items())] or ["<none>"]
    return [_line(title, pairs[0]), *(f"{'':<18}{pair}" for pair in pairs[1:])]


def _pod(found: Mapping[str, Any]) -> _Lines:
    spec, status = found["spec"], found.get("status") or {}
    lines = [
        _line("Node", "/".join(filter(None, (spec.get("nodeName", "<none>"), status.get("hostIP"))))),
        _line("Status", status.get("phase", "<unknown>")),
        *([_line("Reason", status["reason"])] if status.get("reason") else []),
        *([_line("Message", status["message"])] if status.get("message") else []),
        _line("IP", status.get("podIP", "")),
    ]
    for title, part in (("Init Containers", "initContainers"), ("Containers", "containers")):
        if spec.get(part):
            states = status.get("initContainerStatuses" if "init" in part else "containerStatuses") or []
            by_name = {one["name"]: one for one in states}
            lines.append(f"{title}:")
            for one in spec[part]:
                lines += _container(one, by_name.get(one["name"], {}))
    return lines + _conditions(status)


def _container(spec: Mapping[str, Any], status: Mapping[str, Any]) -> _Lines:
    lines = [f"  {spec['name']}:", f"    Image:          {spec['image']}"]
    lines += _state("State", status.get("state")) + _state("Last State", status.get("lastState"))
    if status:
        lines.append(f"    Ready:          {status.get('ready', False)}")
        lines.append(f"    Restart Count:  {status.get('restartCount', 0)}")
    for title, part in (("Limits", "limits"), ("Requests", "requests")):
        values = (spec.get("resources") or {}).get(part)
        if values:
            lines.append(f"    {title}:")
            lines += [f"      {name}:  {value}" for name, value in sorted(values.items())]
    if spec.get("env"):
        lines.append("    Environment:")
        lines += [f"      {one['name']}:  {one.get('value', '<set from elsewhere>')}" for one in spec["env"]]
    return lines


def _state(title: str, found: Mapping[str, Any] | None) -> _Lines:
    if not found:
        return []
    [(state, details)] = list(found.items())[:1]
    lines = [f"    {title + ':':<16}{state.capitalize()}"]
    names = {
        "reason": "Reason",
        "message": "Message",
        "exitCode": "Exit Code",
        "startedAt": "Started",
        "finishedAt": "Finished",
    }
    return lines + [f"      {names[key] + ':':<14}{value}" for key, value in (details or {}).items() if key in names]


def _workload(found: Mapping[str, Any]) -> _Lines:
    spec, status = found["spec"], found.get("status") or {}
    selector = spec.get("selector", {}).get("matchLabels") or {}
    lines = [_line("Selector", ",".join(f"{key}={value}" for key, value in selector.items()) or "<none>")]
    counts = {key: value for key, value in status.items() if isinstance(value, int) and key != "observedGeneration"}
    wanted = f"{spec['replicas']} desired | " if "replicas" in spec else ""
    lines.append(_line("Replicas", wanted + " | ".join(f"{value} {key}" for key, value in sorted(counts.items()))))
    strategy = (spec.get("strategy") or spec.get("updateStrategy") or {}).get("type")
    lines += [_line("Strategy", strategy)] if strategy else []
    lines += ["Pod Template:", "  Containers:"]
    for one in spec["template"]["spec"]["containers"]:
        lines += [f" {line}" for line in _container(one, {})]
    return lines + _conditions(status)


def _node(found: Mapping[str, Any]) -> _Lines:
    spec, status = found["spec"], found.get("status") or {}
    taints = [f"{one['key']}={one.get('value', '')}:{one['effect']}" for one in spec.get("taints") or []] or ["<none>"]
    lines = [_line("Taints", ", ".join(taints)), _line("Unschedulable", str(spec.get("unschedulable", False)).lower())]
    lines += _conditions(status)
    for title, part in (("Addresses", "addresses"), ("Capacity", "capacity"), ("Allocatable", "allocatable")):
        values = status.get(part) or {}
        pairs = (
            [(one["type"], one["address"]) for one in values] if isinstance(values, list) else sorted(values.items())
        )
        lines += [f"{title}:", *(f"  {name + ':':<20}{value}" for name, value in pairs)]
    info = status.get("nodeInfo") or {}
    return [*lines, "System Info:", *(f"  {name}: {value}" for name, value in sorted(info.items()))]


def _conditions(status: Mapping[str, Any]) -> _Lines:
    found = status.get("conditions") or []
    if not found:
        return []
    rows = [["  Type", "Status", "Reason", "Message"]]
    rows += [[f"  {one['type']}", one["status"], one.get("reason", ""), one.get("message", "")] for one in found]
    return ["Conditions:", *(line.rstrip() for line in aligned(rows, least=6))]


def _anything(found: Mapping[str, Any]) -> _Lines:
    """What there is no summary for, as it is."""
    rest = {key: value for key, value in found.items() if key not in ("apiVersion", "kind", "metadata")}
    if found.get("kind") == "Secret":
        for part in _HIDDEN:
            if part in rest:
                rest[part] = {key: f"{len(str(value))} bytes, encoded" for key, value in (rest[part] or {}).items()}
    return yaml.safe_dump(rest, allow_unicode=True, sort_keys=False).rstrip().splitlines() if rest else []


def _events(cluster: Cluster, found: Mapping[str, Any]) -> _Lines:
    meta = found["metadata"]
    selector = f"involvedObject.name={meta['name']}"
    if meta.get("uid"):
        selector += f",involvedObject.uid={meta['uid']}"
    events = listed(cluster, known("events"), meta.get("namespace") or "default", fieldSelector=selector)
    if not events:
        return [_line("Events", "<none>")]
    rows = [["  Type", "Reason", "Age", "From", "Message"]]
    for one in sorted(events, key=_when):
        age = kubernetes_age((cluster.now() - instant(_when(one))).total_seconds()) if _when(one) else "<unknown>"
        times = f" (x{one['count']})" if one.get("count", 1) > 1 else ""
        source = (one.get("source") or {}).get("component", "")
        rows.append(
            [f"  {one.get('type', '')}", one.get("reason", ""), age + times, source, one.get("message", "").strip()]
        )
    return ["Events:", *aligned(rows, least=6)]


def _when(event: Mapping[str, Any]) -> str:
    times: Sequence[Any] = (event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    return str(next((one for one in times if one), ""))
