"""The program `kubectl`: its subcommands, and the options that may stand anywhere."""

from collections.abc import Mapping

from runbooks.standins.ending import Ended
from runbooks.standins.kubectl import changing, describing, getting, logs, looking, rollout
from runbooks.standins.kubectl.cluster import OPTIONS, Cluster
from runbooks.standins.words import Given, Known, Subcommand, choose, read

EXEC_OPTIONS = "-c/--container= -i/--stdin -t/--tty -q/--quiet --pod-running-timeout="


def _exec(cluster: Cluster, given: Given) -> int:
    # It loads the websocket's client, which no other subcommand needs.
    from runbooks.standins.kubectl.execing import run

    return run(cluster, given)


_TOP_POD = Subcommand(looking.top_pods, looking.TOP)
_TOP_NODE = Subcommand(looking.top_nodes, looking.TOP)
SUBCOMMANDS: Mapping[str, Subcommand] = {
    "get": Subcommand(getting.run, getting.OPTIONS, least=1),
    "describe": Subcommand(describing.run, describing.OPTIONS, least=1),
    "logs": Subcommand(logs.run, logs.OPTIONS, most=2),
    "exec": Subcommand(_exec, EXEC_OPTIONS, least=1, stops=True),
    "rollout status": Subcommand(rollout.status, rollout.STATUS, least=1, most=2),
    "rollout restart": Subcommand(rollout.restart, rollout.RESTART, least=1),
    "rollout undo": Subcommand(rollout.undo, rollout.UNDO, least=1),
    "rollout history": Subcommand(rollout.history, rollout.HISTORY, least=1),
    "rollout pause": Subcommand(rollout.hold(True), "", least=1),
    "rollout resume": Subcommand(rollout.hold(False), "", least=1),
    "scale": Subcommand(changing.scale, changing.SCALE, least=1),
    "set image": Subcommand(changing.set_image, changing.SET, least=2),
    "set env": Subcommand(changing.set_env, changing.SET_ENV, least=1),
    "set resources": Subcommand(changing.set_resources, changing.SET_RESOURCES, least=1),
    "patch": Subcommand(changing.patch, changing.PATCH, least=1),
    "label": Subcommand(changing.mark("labels", "labeled"), changing.LABEL, least=1),
    "annotate": Subcommand(changing.mark("annotations", "annotated"), changing.LABEL, least=1),
    "delete": Subcommand(changing.delete, changing.DELETE, least=1),
    "cordon": Subcommand(changing.cordon(True), changing.CORDON),
    "uncordon": Subcommand(changing.cordon(False), changing.CORDON),
    **dict.fromkeys(("top pod", "top pods", "top po"), _TOP_POD),
    **dict.fromkeys(("top node", "top nodes", "top no"), _TOP_NODE),
    "wait": Subcommand(looking.wait, looking.WAIT, least=1),
    "auth can-i": Subcommand(looking.can_i, "", least=2, most=3),
    "version": Subcommand(looking.version, looking.VERSION, most=0),
    "cluster-info": Subcommand(looking.info, "", most=0),
}
# These read the kubeconfig and ask nobody.
LOCAL: Mapping[str, Subcommand] = {
    "config current-context": Subcommand(lambda _, given: looking.current_context(given), "", most=0),
    "config get-contexts": Subcommand(lambda _, given: looking.get_contexts(given), looking.CONTEXTS, most=0),
}


def main(words: list[str]) -> int:
    """The exit status of `kubectl` with `words`."""
    before = read(words, Known.of(OPTIONS), stops=True)
    name, subcommand, rest = choose({**SUBCOMMANDS, **LOCAL}, before.words)
    given = read(rest, Known.of(OPTIONS, subcommand.options), stops=False)
    if not subcommand.stops:
        given.words += given.after
        given.after = []
    given.options = {**before.options, **given.options}
    count = len(given.words)
    if count < subcommand.least or (subcommand.most is not None and count > subcommand.most):
        raise Ended(1, f"error: kubectl {name} was called with {count} arguments, which it cannot be")
    return subcommand.run(None if name in LOCAL else Cluster(given), given)
