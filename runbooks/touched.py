"""What a command acts on, read from its text: the verb, and the containers, services, databases… by name. Pure.

It names what a confirmation repeats ("Restart 1 container") and what is in use while the command runs. Where the
text does not tell, the whole environment is what a command acts on that users may notice.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from runbooks import secret_values
from runbooks.compiler import shell
from runbooks.resolved import pieces

EVERYTHING = "*"
_SHELLS = frozenset(["shell", "http", "script", "env"])
_WRAPPERS = frozenset("sudo doas nohup time nice ionice env command exec timeout stdbuf setsid".split())
# Options whose value is a word of its own.
_VALUED = frozenset(
    "-n --namespace -c --container --context --kubeconfig -l --selector -f --file --filename -p --project-name --port "
    "-h --host -U --username -d --dbname -a --pass -u --user -s --signal -t --time --timeout -o --output -w --workdir "
    "-e --env --env-file -i --identity -E --replicas --grace-period --profile --region -X --request -H --header "
    "--data --data-raw --data-binary --patch --type --to-revision".split()
)
_CONTAINER_VERBS = frozenset("restart start stop kill rm remove pause unpause update rename exec run cp".split())
_COMPOSE_VERBS = _CONTAINER_VERBS | {"up", "down", "scale", "create", "build", "pull"}
_KUBE_VERBS = frozenset(
    "delete scale rollout set patch edit apply replace annotate label cordon uncordon drain taint exec autoscale "
    "expose create cp".split()
)
_KINDS = {
    "deploy": "deployment", "deployments": "deployment", "po": "pod", "pods": "pod", "sts": "statefulset",
    "statefulsets": "statefulset", "ds": "daemonset", "svc": "service", "services": "service", "no": "node",
    "nodes": "node", "cm": "configmap", "pvc": "volume", "ns": "namespace", "jobs": "job", "secrets": "secret",
}  # fmt: skip
_SQL: tuple[tuple[str, str, str], ...] = (
    (r"drop\s+database\s+(?:if\s+exists\s+)?([\w\".-]+)", "drop", "database"),
    (r"drop\s+table\s+(?:if\s+exists\s+)?([\w\".-]+)", "drop", "table"),
    (r"truncate\s+(?:table\s+)?(?:only\s+)?([\w\".-]+)", "truncate", "table"),
    (r"delete\s+from\s+(?:only\s+)?([\w\".-]+)", "delete from", "table"),
    (r"update\s+(?:only\s+)?([\w\".-]+)\s+set\b", "update", "table"),
    (r"insert\s+into\s+([\w\".-]+)", "insert into", "table"),
    (r"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w\".-]+)", "alter", "table"),
    (r"reindex\s+(?:table|index|database)\s+(?:concurrently\s+)?([\w\".-]+)", "reindex", "table"),
    (r"vacuum\s+(?:\([^)]*\)\s*|full\s+|analyze\s+|verbose\s+)*([\w\".-]+)", "vacuum", "table"),
)
_SQL_WIDE: tuple[tuple[str, str], ...] = (
    (r"pg_terminate_backend", "terminate sessions on"),
    (r"pg_cancel_backend", "cancel queries on"),
    (r"alter\s+system", "change settings of"),
    (r"pg_reload_conf", "reload"),
    (r"create\s+index", "index"),
    (r"vacuum|analyze", "tidy"),
)


@dataclass(frozen=True)
class Doing:
    """One act of a command: its verb, what kind of thing it is done to, and which ones; without names all of them."""

    verb: str
    noun: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Touched:
    """What a command acts on. `names` are the things; `*` is everything in the environment."""

    doings: tuple[Doing, ...] = ()
    names: tuple[str, ...] = field(default=())

    @property
    def word(self) -> str:
        """The one thing that can be typed as its name; empty where there is none or more than one."""
        return self.names[0] if len(self.names) == 1 and self.names[0] != EVERYTHING else ""

    def said(self, where: str) -> str:
        """The act with its count: "Restart 1 container on Production"."""
        if not self.doings:
            return f"Run on {where}"
        first = self.doings[0]
        same = [doing for doing in self.doings if (doing.verb, doing.noun) == (first.verb, first.noun)]
        count = len({name for doing in same for name in doing.names})
        many = f"{count} {first.noun}{'' if count == 1 else 's'}" if count else f"every {first.noun} it finds"
        return f"{first.verb.capitalize()} {many} on {where}"

    def listed(self, where: str) -> list[str]:
        """Each thing with its kind, for a person to check."""
        found = [f"{doing.noun} {name}" for doing in self.doings for name in doing.names]
        if EVERYTHING in self.names:
            found.append(f"anything in {where}: the text does not say what")
        return list(dict.fromkeys(found)) or ["not named in the text"]


def of(command: Mapping[str, Any], values: Mapping[str, str]) -> Touched:
    """What `command` (as it is run) acts on with these values. What only reads acts on nothing."""
    if command["risk"] == "read":
        return Touched()
    known = {name: value for name, value in values.items() if not secret_values.is_secret(name)}
    text = "".join(piece.text for piece in pieces(command["text"], command["parameters"], known))
    doings = tuple(_of_text(command["kind"], text))
    names = tuple(dict.fromkeys(name.lower() for doing in doings for name in doing.names))
    wide = command["risk"] != "change" and (not names or any(not doing.names for doing in doings))
    return Touched(doings, (EVERYTHING,) if wide else names)


def _of_text(kind: str, text: str) -> Iterator[Doing]:
    if kind == "sql":
        yield from _of_sql(text, "")
    elif kind == "request":
        method, _, rest = text.strip().partition(" ")
        yield Doing(method.lower(), "address", tuple(filter(None, [rest.split()[0] if rest.split() else ""])))
    elif kind in _SHELLS:
        for invocation in shell.invocations_of(text) or []:
            yield from _of_words([word.value for word in invocation.words], invocation.heredoc)


def _of_words(words: list[str], heredoc: str = "") -> Iterator[Doing]:
    while words and (words[0] in _WRAPPERS or "=" in words[0] or re.fullmatch(r"-\S+|\d+[smhd]?", words[0])):
        words = words[1:]
    if not words:
        return
    program, rest = words[0].rpartition("/")[2], words[1:]
    if program == "xargs":
        inner = [word for word in rest if not word.startswith("-") and not word.isdigit()]
        # What it is given as names is known only once it runs.
        yield from (Doing(doing.verb, doing.noun) for doing in _of_words(inner))
    elif program == "docker" and rest[:1] == ["compose"]:
        yield from _of_compose(rest[1:])
    elif reader := _READERS.get(program):
        yield from reader(rest) if program not in {"psql", "mysql"} else _of_client(rest, heredoc)


def _of_containers(words: list[str]) -> Iterator[Doing]:
    noun = "container"
    if words and words[0] in {"container", "volume", "network", "image"}:
        noun, words = words[0], words[1:]
    if not words:
        return
    verb, rest = words[0], words[1:]
    if verb in {"exec", "run"}:
        yield from _inside(rest, "container")
    elif verb in _CONTAINER_VERBS or verb == "rmi":
        yield Doing(_VERBS.get(verb, verb), "image" if verb == "rmi" else noun, tuple(positional(rest, "-f")))
    elif verb in {"system", "builder"} or "prune" in rest[:1]:
        yield Doing("prune", noun)


def _inside(words: list[str], noun: str) -> Iterator[Doing]:
    """`exec NAME command…`: what it does inside, and the thing it is done in."""
    at = next((index for index, _ in _arguments(words)), None)
    if at is None:
        return
    rest = words[at + 1 :]
    rest = rest[rest.index("--") + 1 :] if "--" in rest else rest
    yield Doing(_within(list(_of_words(_unwrapped(rest))), "in"), noun, (words[at].removeprefix("pod/"),))


def _within(inner: Sequence[Doing], where: str) -> str:
    """The verb of what is done inside something else."""
    verb = inner[0].verb if inner else "run"
    return verb if verb.endswith((" on", " of", " to", " from")) else f"{verb} {where}"


def _unwrapped(words: list[str]) -> list[str]:
    """The words of `sh -c "…"`, where it is one plain command."""
    if len(words) >= 3 and words[0].endswith("sh") and words[1].startswith("-") and words[1].endswith("c"):
        inner = shell.invocations_of(words[2])
        return [word.value for word in inner[0].words] if inner else []
    return words


def _of_compose(words: list[str]) -> Iterator[Doing]:
    at = next((index for index, word in _arguments(words) if word in _COMPOSE_VERBS), None)
    if at is None:
        return
    verb, rest = words[at], words[at + 1 :]
    if verb in {"exec", "run"}:
        yield from _inside(rest, "service")
        return
    yield Doing(_VERBS.get(verb, verb), "service", tuple(name.partition("=")[0] for name in positional(rest)))


def _of_cluster(words: list[str]) -> Iterator[Doing]:
    named = [word for _, word in _arguments(words)]
    if not named or named[0] not in _KUBE_VERBS:
        return
    verb, rest = named[0], named[1:]
    if verb == "exec":
        yield from _inside(words[words.index("exec") + 1 :], "pod")
        return
    if verb in {"rollout", "set"} and rest:
        verb, rest = (rest[0] if verb == "rollout" else f"set {rest[0]} of"), rest[1:]
    if verb in {"cordon", "uncordon", "drain"}:
        yield Doing(verb, "node", tuple(rest[:1]))
        return
    noun, names = _resources([word for word in rest if "=" not in word and not word.endswith(("+", "-"))])
    if not names and (chosen := _option(words, "-l", "--selector")):
        names = [chosen.partition("=")[2] or chosen]
    yield Doing(verb, noun, tuple(names))


def _resources(words: Sequence[str]) -> tuple[str, list[str]]:
    """`deployment/api` or `deployment api`, with the long name of the kind."""
    if not words:
        return "object", []
    if "/" in words[0]:
        kind = words[0].partition("/")[0].lower()
        return _KINDS.get(kind, kind), [word.partition("/")[2] or word for word in words if "/" in word]
    kind = words[0].lower()
    return _KINDS.get(kind, kind), list(words[1:])


def _of_units(words: list[str]) -> Iterator[Doing]:
    named = positional(words)
    if len(named) > 1 and named[0] not in {"status", "show", "is-active", "cat"}:
        yield Doing(named[0], "service", tuple(name.removesuffix(".service") for name in named[1:]))


def _of_service(words: list[str]) -> Iterator[Doing]:
    if len(words) > 1 and words[1] != "status":
        yield Doing(words[1], "service", (words[0],))


def _of_client(words: list[str], heredoc: str = "") -> Iterator[Doing]:
    database = _option(words, "-d", "--dbname", "-D", "--database") or next(iter(positional(words)), "")
    yield from _of_sql(_option(words, "-c", "--command", "-e", "--execute") or heredoc, database.rpartition("/")[2])


def _of_sql(text: str, database: str) -> Iterator[Doing]:
    found = False
    for pattern, verb, noun in _SQL:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            found = True
            yield Doing(verb, noun, (match[1].strip('"'),))
    for pattern, verb in () if found else _SQL_WIDE:
        if re.search(pattern, text, re.IGNORECASE):
            yield Doing(verb, "database", (database or "database",))
            return


def _of_cache(words: list[str]) -> Iterator[Doing]:
    said = [word.lower() for word in positional(words)]
    host = _option(words, "-h", "--host") or "redis"
    if said:
        yield Doing(_VERBS.get(said[0], said[0]), "database", (host,))


def _of_databases(words: list[str]) -> Iterator[Doing]:
    named = _option(words, "-d", "--dbname") or next(iter(positional(words)), "")
    yield Doing("change", "database", (named,) if named else ())


def _of_host(words: list[str]) -> Iterator[Doing]:
    named = list(_arguments(words))
    if not named:
        return
    at, host = named[0]
    inner = " ".join(words[at + 1 :])
    within = [doing for each in shell.invocations_of(inner) or [] for doing in _of_words([w.value for w in each.words])]
    yield Doing(_within(within, "on"), "host", (host.rpartition("@")[2],))


def _of_processes(words: list[str]) -> Iterator[Doing]:
    yield Doing("kill", "process", tuple(word for word in positional(words) if word != "-"))


def _of_files(words: list[str]) -> Iterator[Doing]:
    yield Doing("change", "path", tuple(word for word in positional(words) if word.startswith(("/", "./", "~"))))


def _of_removal(words: list[str]) -> Iterator[Doing]:
    yield Doing("remove", "path", tuple(positional(words, "-f", "-i")))


def _of_address(words: list[str]) -> Iterator[Doing]:
    method = _option(words, "-X", "--request") or "send to"
    hosts = [urlsplit(word).hostname for word in words if "://" in word]
    yield Doing(method.lower(), "address", tuple(host for host in hosts if host))


_VERBS = {
    "rm": "remove",
    "rmi": "remove",
    "up": "start",
    "down": "take down",
    "cp": "copy into",
    "flushdb": "flush",
    "flushall": "flush",
}
_VERBS |= {"config": "change settings of"}
_READERS: dict[str, Callable[[list[str]], Iterator[Doing]]] = {
    **dict.fromkeys(("docker", "podman", "nerdctl", "crictl"), _of_containers),
    **dict.fromkeys(("docker-compose", "podman-compose"), _of_compose),
    **dict.fromkeys(("kubectl", "oc"), _of_cluster),
    **dict.fromkeys(("systemctl", "supervisorctl"), _of_units),
    **dict.fromkeys(("service", "rc-service"), _of_service),
    **dict.fromkeys(("psql", "mysql"), _of_client),
    **dict.fromkeys(("redis-cli", "valkey-cli"), _of_cache),
    **dict.fromkeys(("dropdb", "createdb", "pg_restore", "mysqladmin"), _of_databases),
    **dict.fromkeys(("kill", "pkill", "killall"), _of_processes),
    **dict.fromkeys(("rm", "rmdir", "unlink", "shred"), _of_removal),
    **dict.fromkeys(("mv", "cp", "touch", "mkdir", "truncate", "chmod", "chown", "ln"), _of_files),
    **dict.fromkeys(("curl", "wget"), _of_address),
    "ssh": _of_host,
}


def positional(words: Sequence[str], *alone: str) -> list[str]:
    """The arguments that are neither options nor values of options; those in `alone` have none here."""
    return [word for _, word in _arguments(words, alone)]


def _arguments(words: Sequence[str], alone: Sequence[str] = ()) -> Iterator[tuple[int, str]]:
    skip = False
    for index, word in enumerate(words):
        if skip or word == "--":
            skip = False
        elif word.startswith("-") and len(word) > 1:
            skip = word in _VALUED and word not in alone
        elif word and not re.fullmatch(r"\d*[<>|&].*", word):
            yield index, word


def _option(words: Sequence[str], *names: str) -> str:
    for index, word in enumerate(words):
        head, sign, value = word.partition("=")
        if head in names and sign:
            return value
        if word in names and index + 1 < len(words):
            return words[index + 1]
    return ""
