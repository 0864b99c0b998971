"""`kubectl rollout`: restarting, watching, undoing and pausing what runs pods."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from runbooks.standins.columns import aligned
from runbooks.standins.ending import Ended, NotUnderstood, out
from runbooks.standins.kubectl.cluster import Cluster
from runbooks.standins.kubectl.kinds import Kind, chosen, known, listed
from runbooks.standins.kubectl.pods import selector_of
from runbooks.standins.measures import span
from runbooks.standins.words import Given

RESTART = "-l/--selector="
STATUS = "--timeout= -w/--watch= --revision="
UNDO = "--to-revision="
HISTORY = "--revision="
_REVISION = "deployment.kubernetes.io/revision"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_CAUSE = "kubernetes.io/change-cause"
_LOOK_EACH_S = 0.5
_KINDS = ("deployments", "daemonsets", "statefulsets")


def _named(cluster: Cluster, given: Given) -> list[tuple[Kind, str]]:
    found = []
    for kind, name in chosen(cluster, given.words):
        if kind.plural not in _KINDS:
            raise Ended(1, f"error: {kind.plural} {name!r} has no rollout")
        names = [name]
        if not name:
            items = listed(cluster, kind, cluster.namespace, labelSelector=given.text("selector"))
            names = [item["metadata"]["name"] for item in items]
        found += [(kind, one) for one in names]
    return found


def restart(cluster: Cluster, given: Given) -> int:
    """Replace the pods one by one: a new note on their template says when."""
    for kind, name in _named(cluster, given):
        path = kind.path(cluster.namespace, name)
        cluster.json("GET", path)
        note = {_RESTARTED: f"{cluster.now():%Y-%m-%dT%H:%M:%SZ}"}
        cluster.patch(path, {"spec": {"template": {"metadata": {"annotations": note}}}})
        out(f"{kind.named(name)} restarted")
    return 0


def hold(paused: bool) -> Callable[[Cluster, Given], int]:
    """`rollout pause` or `rollout resume`."""
    done, already = ("paused", "is already paused") if paused else ("resumed", "is not paused")

    def run(cluster: Cluster, given: Given) -> int:
        for kind, name in _named(cluster, given):
            if kind.plural != "deployments":
                raise Ended(1, f"error: {kind.plural} cannot be {done}")
            path = kind.path(cluster.namespace, name)
            if bool(cluster.json("GET", path)["spec"].get("paused")) == paused:
                raise Ended(1, f'error: {kind.plural}.{kind.group} "{name}" {already}')
            cluster.patch(path, {"spec": {"paused": paused or None}})
            out(f"{kind.named(name)} {done}")
        return 0

    return run


def status(cluster: Cluster, given: Given) -> int:
    """Say how far a rollout is until it is done, or until the time is over."""
    [(kind, name)] = _named(cluster, given)
    limit = span(given.text("timeout", "0s"))
    deadline = time.monotonic() + limit if limit else None
    said = ""
    while True:
        now, done = _progress(kind, cluster.json("GET", kind.path(cluster.namespace, name)))
        if now != said:
            out(now)
            said = now
        if done or given.text("watch", "true") == "false":
            return 0
        if deadline is not None and time.monotonic() >= deadline:
            raise Ended(1, "error: timed out waiting for the condition")
        time.sleep(_LOOK_EACH_S)


def _progress(kind: Kind, found: Mapping[str, Any]) -> tuple[str, bool]:
    """A sentence on how far it is, and whether it is done."""
    if found["metadata"].get("generation", 0) > found.get("status", {}).get("observedGeneration", 0):
        return f"Waiting for {kind.singular} spec update to be observed...", False
    return {"deployments": _of_deployment, "daemonsets": _of_daemons, "statefulsets": _of_stateful}[kind.plural](found)


def _of_deployment(found: Mapping[str, Any]) -> tuple[str, bool]:
    name, status_ = found["metadata"]["name"], found["status"]
    wanted = found["spec"].get("replicas", 1)
    updated, there = status_.get("updatedReplicas", 0), status_.get("replicas", 0)
    available = status_.get("availableReplicas", 0)
    for condition in status_.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            raise Ended(1, f'error: deployment "{name}" exceeded its progress deadline')
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...", False
    if there > updated:
        return f"{waiting}{there - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def _of_daemons(found: Mapping[str, Any]) -> tuple[str, bool]:
    name, status_ = found["metadata"]["name"], found["status"]
    wanted, updated = status_.get("desiredNumberScheduled", 0), status_.get("updatedNumberScheduled", 0)
    available = status_.get("numberAvailable", 0)
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new pods have been updated...", False
    if available < wanted:
        return f"{waiting}{available} of {wanted} updated pods are available...", False
    return f'daemon set "{name}" successfully rolled out', True


def _of_stateful(found: Mapping[str, Any]) -> tuple[str, bool]:
    status_, wanted = found["status"], found["spec"].get("replicas", 1)
    ready = status_.get("readyReplicas", 0)
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...", False
    if status_.get("updateRevision") != status_.get("currentRevision"):
        return (
            f"waiting for statefulset rolling update to complete {status_.get('updatedReplicas', 0)} pods at "
            f"revision {status_.get('updateRevision')}...",
            False,
        )
    count = status_.get("currentReplicas", 0)
    return f"statefulset rolling update complete {count} pods at revision {status_.get('currentRevision')}...", True


def history(cluster: Cluster, given: Given) -> int:
    """The revisions that can be gone back to."""
    for kind, name in _named(cluster, given):
        found = cluster.json("GET", kind.path(cluster.namespace, name))
        revisions = _revisions(cluster, kind, found)
        wanted = given.number("revision", 0)
        if wanted:
            _show_revision(kind, name, revisions, wanted)
            continue
        out(f"{kind.named(name)} ")
        lines = [["REVISION", "CHANGE-CAUSE"]]
        for number in sorted(revisions):
            notes = revisions[number]["metadata"].get("annotations") or {}
            lines.append([str(number), notes.get(_CAUSE, "<none>")])
        out(*aligned(lines, least=10, gap=2), "")
    return 0


def _revisions(cluster: Cluster, kind: Kind, found: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """What was rolled out before, by number: replica sets of a deployment, controller revisions of the others."""
    of_deployment = kind.plural == "deployments"
    holder = known("replicasets" if of_deployment else "controllerrevisions")
    revisions = {}
    for item in listed(cluster, holder, cluster.namespace, labelSelector=selector_of(found)):
        owners = [owner.get("uid") for owner in item["metadata"].get("ownerReferences") or []]
        if found["metadata"].get("uid") in owners:
            notes = item["metadata"].get("annotations") or {}
            revisions[int(notes.get(_REVISION, 0)) if of_deployment else int(item["revision"])] = item
    return revisions


def _show_revision(kind: Kind, name: str, revisions: Mapping[int, Mapping[str, Any]], wanted: int) -> None:
    if wanted not in revisions:
        raise Ended(1, f"error: unable to find the specified revision {wanted}")
    found = revisions[wanted]
    template = found.get("spec", {}).get("template") or found.get("data", {}).get("spec", {}).get("template", {})
    out(f"{kind.named(name)} with revision #{wanted}", "Pod Template:", "  Containers:")
    for one in template.get("spec", {}).get("containers", []):
        out(f"   {one['name']}:", f"    Image:\t{one['image']}")


def undo(cluster: Cluster, given: Given) -> int:
    """Put the pod template of an earlier revision back."""
    for kind, name in _named(cluster, given):
        if kind.plural != "deployments":
            raise NotUnderstood(f"rollout undo of {kind.plural}")
        path = kind.path(cluster.namespace, name)
        found = cluster.json("GET", path)
        revisions = _revisions(cluster, kind, found)
        number = given.number("to-revision", 0) or _before(revisions, found, kind.named(name))
        if number not in revisions:
            raise Ended(1, f"error: unable to find specified revision {number} in history")
        template = _without_hash(revisions[number]["spec"]["template"])
        if template == found["spec"]["template"]:
            out(f"{kind.named(name)} skipped rollback (current template already matches revision {number})")
            continue
        # The whole template is replaced, so what was added since goes too; the test keeps a change of meanwhile.
        version = found["metadata"].get("resourceVersion")
        tests = [{"op": "test", "path": "/metadata/resourceVersion", "value": version}] if version else []
        cluster.patch(path, [*tests, {"op": "replace", "path": "/spec/template", "value": template}], "json")
        out(f"{kind.named(name)} rolled back")
    return 0


def _before(revisions: Mapping[int, Any], found: Mapping[str, Any], called: str) -> int:
    current = int((found["metadata"].get("annotations") or {}).get(_REVISION, 0)) or max(revisions, default=0)
    older = [number for number in revisions if number < current]
    if not older:
        raise Ended(1, f"error: no rollout history found for {called}")
    return max(older)


def _without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != "pod-template-hash"}
    return {**template, "metadata": meta}
