"""The kinds of things in a cluster: how they are called, and the paths of the API they are found at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runbooks.standins.ending import Ended
from runbooks.standins.kubectl.cluster import Cluster


@dataclass(frozen=True)
class Kind:
    """One kind, such as `deployments` of the group `apps`."""

    plural: str
    singular: str
    kind: str
    group: str
    version: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """The plural as messages of the cluster write it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", *below: str) -> str:
        """The path of one thing, or of all; a name is one segment, whatever is in it."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            base += f"/namespaces/{quote(namespace, safe='')}"
        return "/".join([base, self.plural, *(quote(part, safe="") for part in (name, *below) if part)])

    def named(self, name: str) -> str:
        """How a thing is called in what is printed: `deployment.apps/web`."""
        return f"{self.singular}.{self.group}/{name}" if self.group else f"{self.singular}/{name}"


# plural, kind, group, version, whether namespaced, short names
_KNOWN = """
pods Pod - v1 yes po
services Service - v1 yes svc
configmaps ConfigMap - v1 yes cm
secrets Secret - v1 yes
endpoints Endpoints - v1 yes ep
events Event - v1 yes ev
persistentvolumeclaims PersistentVolumeClaim - v1 yes pvc
serviceaccounts ServiceAccount - v1 yes sa
resourcequotas ResourceQuota - v1 yes quota
limitranges LimitRange - v1 yes limits
replicationcontrollers ReplicationController - v1 yes rc
nodes Node - v1 no no
namespaces Namespace - v1 no ns
persistentvolumes PersistentVolume - v1 no pv
deployments Deployment apps v1 yes deploy
replicasets ReplicaSet apps v1 yes rs
statefulsets StatefulSet apps v1 yes sts
daemonsets DaemonSet apps v1 yes ds
controllerrevisions ControllerRevision apps v1 yes
jobs Job batch v1 yes
cronjobs CronJob batch v1 yes cj
horizontalpodautoscalers HorizontalPodAutoscaler autoscaling v2 yes hpa
ingresses Ingress networking.k8s.io v1 yes ing
ingressclasses IngressClass networking.k8s.io v1 no
networkpolicies NetworkPolicy networking.k8s.io v1 yes netpol
poddisruptionbudgets PodDisruptionBudget policy v1 yes pdb
endpointslices EndpointSlice discovery.k8s.io v1 yes
leases Lease coordination.k8s.io v1 yes
storageclasses StorageClass storage.k8s.io v1 no sc
customresourcedefinitions CustomResourceDefinition apiextensions.k8s.io v1 no crd,crds
"""
ALL = "pods,services,daemonsets,deployments,replicasets,statefulsets,horizontalpodautoscalers,cronjobs,jobs"


def _table() -> dict[str, Kind]:
    found = {}
    for line in _KNOWN.strip().splitlines():
        plural, kind, group, version, namespaced, *short = line.split()
        known = Kind(plural, kind.lower(), kind, group.replace("-", ""), version, namespaced == "yes")
        names = {plural, known.singular, known.full, f"{known.singular}.{known.group}", *",".join(short).split(",")}
        found.update({name: known for name in names if name})
    return found


_BY_NAME = _table()


def known(name: str) -> Kind:
    """A kind that every cluster has."""
    return _BY_NAME[name]


def kind_of(cluster: Cluster, name: str) -> Kind:
    """The kind that `name` means: plural, singular or short, with or without its group."""
    wanted = name.lower()
    return _BY_NAME.get(wanted) or _discovered(cluster, wanted, name)


def _discovered(cluster: Cluster, wanted: str, said: str) -> Kind:
    """Ask the cluster which kinds it has beside the usual ones."""
    word, _, group = wanted.partition(".")
    for found in cluster.json("GET", "/apis")["groups"]:
        if group and not found["name"].startswith(group):
            continue
        version = found["preferredVersion"]["groupVersion"]
        for one in cluster.json("GET", f"/apis/{version}")["resources"]:
            names = {one["name"], one.get("singularName"), one["kind"].lower(), *(one.get("shortNames") or [])}
            if word in names and "/" not in one["name"]:
                singular = one.get("singularName") or one["kind"].lower()
                short = version.partition("/")[2]
                return Kind(one["name"], singular, one["kind"], found["name"], short, bool(one["namespaced"]))
    raise Ended(1, f'error: the server doesn\'t have a resource type "{said}"')


def chosen(cluster: Cluster, words: Sequence[str]) -> list[tuple[Kind, str]]:
    """Kinds and names of a call: `pod/a service/b`, `pods a b`, `pods,services`; an empty name means all of a kind."""
    if not words:
        raise Ended(1, "error: You must specify the type of resource, such as pods")
    if any("/" in word for word in words):
        return [_one(cluster, word) for word in words]
    first, *names = words
    kinds = [kind_of(cluster, name) for name in (ALL if first == "all" else first).split(",") if name]
    return [(kind, name) for kind in kinds for name in (names or [""])]


def _one(cluster: Cluster, word: str) -> tuple[Kind, str]:
    kind, _, name = word.partition("/")
    if not kind or not name or "/" in name:
        raise Ended(1, "error: arguments in resource/name form must have a single resource and name")
    return kind_of(cluster, kind), name


def listed(cluster: Cluster, kind: Kind, namespace: str, **selectors: str) -> list[dict[str, Any]]:
    """All things of a kind there, narrowed by `labelSelector` and `fieldSelector`."""
    query = [(name, value) for name, value in selectors.items() if value]
    return list(cluster.json("GET", kind.path(namespace), query)["items"])
