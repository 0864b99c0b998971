"""Which pods a call means, and which container of them."""

from collections.abc import Mapping
from typing import Any

from runbooks.standins.ending import Ended, err
from runbooks.standins.kubectl.cluster import Cluster
from runbooks.standins.kubectl.kinds import kind_of, known, listed
from runbooks.standins.words import Given

POD = known("pods")
_DEFAULT = "kubectl.kubernetes.io/default-container"


def pod_of(cluster: Cluster, word: str, *, troubled_first: bool = False) -> dict[str, Any]:
    """The pod called `word`, or one of those that `deployment/web` and the like select.

    For logs that is the one with the most restarts, which is said; otherwise the one with the fewest.
    """
    kind, _, name = word.rpartition("/")
    if not kind or kind_of(cluster, kind) == POD:
        return dict(cluster.json("GET", POD.path(cluster.namespace, name)))
    owner = kind_of(cluster, kind)
    found = cluster.json("GET", owner.path(cluster.namespace, name))
    pods = listed(cluster, POD, cluster.namespace, labelSelector=selector_of(found))
    if not pods:
        raise Ended(1, f"error: no pods found for {word}")
    sign = -1 if troubled_first else 1
    pods.sort(key=lambda pod: (pod["status"].get("phase") != "Running", sign * _restarts(pod)))
    if len(pods) > 1 and troubled_first:
        err(f"Found {len(pods)} pods, using pod/{pods[0]['metadata']['name']}")
    return pods[0]


def _restarts(pod: Mapping[str, Any]) -> int:
    return max((one.get("restartCount", 0) for one in pod["status"].get("containerStatuses") or []), default=0)


def selector_of(found: Mapping[str, Any]) -> str:
    """The label selector by which a deployment, service or job finds its pods."""
    chosen = found["spec"].get("selector") or {}
    plain = chosen.get("matchLabels", {}) if "matchLabels" in chosen or "matchExpressions" in chosen else chosen
    parts = [f"{key}={value}" for key, value in plain.items()]
    for one in chosen.get("matchExpressions") or []:
        values = ",".join(one.get("values") or [])
        written = {
            "In": f"{one['key']} in ({values})",
            "NotIn": f"{one['key']} notin ({values})",
            "Exists": one["key"],
            "DoesNotExist": f"!{one['key']}",
        }
        parts.append(written[one["operator"]])
    if not parts:
        raise Ended(1, f"error: {found['kind'].lower()} {found['metadata']['name']} has no selector")
    return ",".join(parts)


def container_of(pod: Mapping[str, Any], given: Given) -> str:
    """The container that is meant: named, the pod's default, or the first, which is then said."""
    if given.has("container"):
        return given.text("container")
    names = [one["name"] for one in pod["spec"]["containers"]]
    default = (pod["metadata"].get("annotations") or {}).get(_DEFAULT)
    if default in names:
        return str(default)
    if len(names) > 1:
        err(f'Defaulted container "{names[0]}" out of: {", ".join(names)}')
    return str(names[0])
