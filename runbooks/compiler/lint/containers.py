"""Docker, Compose and Kubernetes: what their tools refuse, and what they do besides."""

import re
from collections.abc import Iterator, Sequence

from runbooks.compiler.contract import Command, Document
from runbooks.compiler.findings import all_commands
from runbooks.compiler.lint.found import Found, joined

# Options without which a command is always refused.
_REQUIRED = {
    ("aws", "wafv2", "update-ip-set"): ("--scope", "--lock-token"),
    ("kubectl", "wait"): ("--for",),
    ("kubectl", "scale"): ("--replicas",),
    ("kubectl", "set", "image"): ("=",),
    ("docker", "cp"): (":",),
}
_RENAMED = re.compile(r"\bkubectl\s+patch\b.*[\"']metadata[\"']\s*:\s*\{\s*[\"']name[\"']", re.DOTALL)
_SELECTED = re.compile(r"\b(?:kubectl|oc)\s+(?:-\S+\s+)*logs\b[^|;&]*\s(?:-l|--selector)[ =]")
_DASHES = re.compile(r"\bkubectl\s+(?:-n\s+\S+\s+|--\S+\s+)*exec\s+(?P<rest>[^|;&]+)")
_STDIN = re.compile(r"(?P<fed>\|\s*)?\b(?P<tool>docker|podman|kubectl|oc)\s+(?:-n\s+\S+\s+)?exec\b(?P<rest>[^|;&]*)")
_PODS_ROLLED = re.compile(
    r"\bkubectl\s+(?:-n\s+\S+\s+)?rollout\s+(?P<verb>restart|undo|status|history)\s+(?P<what>pods?|po|svc|service|job|cronjob)(?=[/\s])"
)
_FORCED = re.compile(
    r"\bkubectl\s+(?:-n\s+\S+\s+)?delete\s+(?:pods?|po)\b[^|;&]*(?=.*--force)(?=.*--grace-period[= ]0)"
)
_DRAIN = re.compile(r"\b(?:kubectl|oc)\s+(?:adm\s+)?drain\s+(?P<rest>[^|;&]*)")
_ONE_DOWN = re.compile(r"\bdocker[ -]compose\b.*\sdown\s+(?:-[vt]+\s+(?:\d+\s+)?|--\S+\s+)*(?!-)[\w.-]+")
_PRUNED_ALL = re.compile(r"\bdocker\s+(?:system|image)\s+prune\b[^|;&]*\s(?:-\w*a\w*|--all)\b")
_LATEST = re.compile(r"\b(?:docker|podman)\s+run\b[^|;&]*\s[\w./-]+:latest\b|\bkubectl\s+set\s+image\b[^|;&]*:latest\b")
_VERSION_ONE = re.compile(r"(?:^|[\s`(])docker-compose\s+[a-z-]")
_COMPOSE = re.compile(
    r"\bdocker[ -]compose(?=\s)(?!\s+version\b)(?:\s+--(?!file)[\w-]+(?:=\S+)?)*(?:\s+(?:-f|--file)[ =]?(?P<file>\S+))?"
)
_REPLACES = re.compile(r"\baws\s+wafv2\s+update-ip-set\b", re.DOTALL)


def renamed(command: Command) -> Iterator[Found]:
    if _RENAMED.search(command["text"]):
        message = "A Kubernetes object cannot be renamed: this patch is refused."
        yield (
            command["line"],
            "kubectl.rename",
            "error",
            message,
            "Create the object under the new name and delete the old one.",
        )


def last_lines(command: Command) -> Iterator[Found]:
    """With a selector kubectl logs prints the last ten lines of each pod."""
    text = joined(command["text"])
    if _SELECTED.search(text) and not re.search(r"--tail\b|\s-\w*f\w*\b|--follow\b", text.split("|")[0]):
        message = "With a selector kubectl prints the last 10 lines of each pod only."
        yield command["line"], "kubectl.last-lines", "warning", message, "Add --tail=-1."


def no_dashes(command: Command) -> Iterator[Found]:
    match = _DASHES.search(joined(command["text"]))
    if match is None or re.search(r"\s--(?:\s|$)", match["rest"]):
        return
    words = re.sub(r"(?:^|\s)(?:-n|--namespace|-c|--container|--context|--kubeconfig)[ =]\S+", " ", match["rest"])
    plain = [word for word in words.split() if not word.startswith("-")]
    if len(plain) > 1:
        message = "kubectl exec wants -- before the command; newer versions refuse it without."
        yield command["line"], "kubectl.exec-dashes", "warning", message, "Write kubectl exec POD -- COMMAND."


def stdin(command: Command) -> Iterator[Found]:
    """Data that is sent to a command in a container which does not listen, or only to a terminal."""
    text = joined(command["text"])
    for match in _STDIN.finditer(text):
        rest = match["rest"]
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "''", rest)
        fed = bool(match["fed"]) or bool(re.search(r"(?<!<)<(?![<\w(])\s*\S|<<", unquoted))
        if " -- " in rest:
            options = rest.partition(" -- ")[0]
        else:
            own = re.match(r"(?:\s+-\S+(?:[ =](?!-)\S+(?=\s+-))?)*", rest)
            options = own.group() if own else ""
        listens = re.search(r"\s-\w*i\w*\b|--interactive\b|--stdin\b", options)
        if fed and not listens:
            message = f"{match['tool']} exec does not pass the input on without -i: the command gets nothing."
            yield command["line"], "exec.no-input", "error", message, "Add -i."
        elif fed and match["tool"] in ("docker", "podman") and re.search(r"\s-\w*t\w*\b|--tty\b", options):
            message = "With -t docker exec refuses input that is no terminal."
            yield command["line"], "exec.terminal-input", "error", message, "Write -i without t."


def kind_of_rollout(command: Command) -> Iterator[Found]:
    if match := _PODS_ROLLED.search(command["text"]):
        message = f"kubectl rollout {match['verb']} takes no {match['what']}."
        yield command["line"], "command.refused", "error", message, "Name the deployment, statefulset or daemonset."


def forced(command: Command) -> Iterator[Found]:
    if _FORCED.search(joined(command["text"])):
        message = "The pod is forgotten, not stopped: it may go on running on its node beside the new one."
        yield (
            command["line"],
            "kubectl.forced",
            "warning",
            message,
            "Delete it without --force first, and find out why it hangs.",
        )


def drain(command: Command) -> Iterator[Found]:
    match = _DRAIN.search(joined(command["text"]))
    if match and "--ignore-daemonsets" not in match["rest"] and "--help" not in match["rest"]:
        message = "kubectl drain stops at the first pod of a DaemonSet, and nearly every node has one."
        yield command["line"], "kubectl.drain", "warning", message, "Add --ignore-daemonsets."


def one_down(command: Command) -> Iterator[Found]:
    text = command["text"]
    if _ONE_DOWN.search(text) and re.search(r"docker-compose\b[^|;&]*\sdown\s", text):
        message = "docker-compose down takes the whole project down; version 1 refuses a service name."
        yield command["line"], "compose.down-service", "warning", message, "Use stop, or rm --stop, for one service."


def pruned(command: Command) -> Iterator[Found]:
    if _PRUNED_ALL.search(command["text"]):
        message = "With -a this also removes the images that a rollback would need."
        yield command["line"], "docker.prune-all", "info", message, "Leave -a out, or add --filter until=168h."


def latest(command: Command) -> Iterator[Found]:
    if _LATEST.search(joined(command["text"])):
        message = "Nobody knows which version :latest is at that moment."
        yield command["line"], "docker.latest", "info", message, "Name the version."


def replaced(command: Command) -> Iterator[Found]:
    if _REPLACES.search(command["text"]):
        message = "update-ip-set replaces the whole list: every address that is blocked now is let in again."
        yield (
            command["line"],
            "command.replaces-list",
            "warning",
            message,
            "Read the list first, and send it with the new address.",
        )


def required(command: Command) -> Iterator[Found]:
    words = command["text"].split()
    plain = tuple(word for word in words if not word.startswith("-"))
    for names, options in _REQUIRED.items():
        if plain[: len(names)] != names:
            continue
        missing = [option for option in options if option not in command["text"]]
        if missing and "--help" not in words:
            message = f"{' '.join(names)} needs {' and '.join(missing)}."
            yield command["line"], "command.missing-option", "error", message, "Add what is missing."


def of_document(document: Document, lines: Sequence[str]) -> Iterator[Found]:
    """Compose version 1, told once; commands that leave out the file which others of the document name."""
    for number, line in enumerate(lines, 1):
        if "docker-compose" in line and _VERSION_ONE.search(line):
            message = "docker-compose is version 1 of Compose, which has ended in July 2023."
            yield number, "compose.v1", "info", message, "Write docker compose."
            break
    calls = [(command, match) for command in all_commands(document) for match in _COMPOSE.finditer(command["text"])]
    named = [(match["file"], command["line"]) for command, match in calls if match["file"]]
    if not named or len({file for file, _ in named}) > 1:
        return
    file, at = named[0]
    for command, match in calls:
        if not match["file"] and "COMPOSE_FILE" not in command["text"]:
            message = f"This works with the default file, and line {at} with {file}."
            yield command["line"], "compose.file", "info", message, f"Add -f {file}, or set COMPOSE_FILE once."


CHECKS = (
    (("kubectl patch",), renamed),
    (("logs",), last_lines),
    (("kubectl",), no_dashes),
    (("exec",), stdin),
    (("rollout",), kind_of_rollout),
    (("--force",), forced),
    (("drain",), drain),
    (("down",), one_down),
    (("prune",), pruned),
    ((":latest",), latest),
    (("update-ip-set",), replaced),
    (("kubectl", "aws", "docker"), required),
)
