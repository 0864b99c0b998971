"""Programs that run something else: what they run is judged in their place.

Each handler takes the wrapper off and judges the rest; importing this module completes ``risk.NESTED``.
"""

import re
from collections.abc import Sequence

from runbooks.compiler import clients, programs, risk
from runbooks.compiler.risk import judge_again, judge_source, program_name
from runbooks.compiler.shell import Invocation, Word
from runbooks.compiler.verdict import Verdict

# wrappers before another command: options of theirs that take a value, and own words to skip
_PREFIX: dict[str, tuple[frozenset[str], int]] = {
    "sudo": (frozenset("-u -g -h -p -C -U --user --group".split()), 0),
    "doas": (frozenset(["-u"]), 0),
    "env": (frozenset("-u --unset -C --chdir".split()), 0),
    "time": (frozenset("-f -o".split()), 0),
    "nice": (frozenset("-n --adjustment".split()), 0),
    "ionice": (frozenset("-c -n -p".split()), 0),
    "nohup": (frozenset(), 0),
    "setsid": (frozenset(), 0),
    "timeout": (frozenset("-s --signal -k --kill-after".split()), 1),
    "stdbuf": (frozenset("-i -o -e".split()), 0),
    "unbuffer": (frozenset(), 0),
    "command": (frozenset(), 0),
    "builtin": (frozenset(), 0),
    "exec": (frozenset(["-a"]), 0),
    "flock": (frozenset("-w -E".split()), 1),
    "chroot": (frozenset(), 1),
    "parallel": (frozenset("-j --jobs".split()), 0),
    "xargs": (frozenset("-n -I -P -L -d -s -a --max-args --max-procs --delimiter --replace".split()), 0),
    "watch": (frozenset("-n --interval".split()), 0),
    "runuser": (frozenset("-u".split()), 0),
    "gosu": (frozenset(), 1),
    "busybox": (frozenset(), 0),
    "nsenter": (frozenset("-t --target -S -G".split()), 0),
    "coproc": (frozenset(), 0),
}
_EXEC_TAKES = frozenset(
    "-u --user -w --workdir -e --env --env-file -c --container -n --namespace --index --detach-keys --context -f "
    "--file -p --project-name --kubeconfig -l --pod-running-timeout -H --host --project-directory --profile".split()
)
_RUN_TAKES = frozenset(
    "-v --volume -e --env --env-file --name -p --publish --network --net -w --workdir -u --user -m "
    "--memory --cpus --mount --entrypoint -h --hostname -l --label --link --restart --platform --pull "
    "--ip --add-host --device --dns --log-driver --log-opt --shm-size --tmpfs --ulimit --volumes-from "
    "--cap-add --cap-drop --security-opt --gpus --pid --ipc".split()
)
_SSH_TAKES = frozenset("-i -p -l -o -F -J -L -R -D -b -c -m -W -S -Q -E -e -w -B -I -O".split())


def _skip(words: Sequence[Word], takes: frozenset[str], own: int) -> list[Word]:
    """The words after options, their values, ``own`` positional words and an optional ``--``."""
    rest = list(words[1:])
    while rest:
        value = rest[0].value
        if value == "--":
            return rest[1:]
        if value.startswith("-") and len(value) > 1:
            del rest[: 2 if value in takes else 1]
        elif own:
            own -= 1
            del rest[0]
        else:
            break
    return rest


def _prefix(invocation: Invocation, depth: int) -> Verdict:
    name = program_name(invocation.words[0].value)
    takes, own = _PREFIX[name]
    rest = _skip(invocation.words, takes, own)
    while rest and name in ("env", "sudo") and re.match(r"\w+=", rest[0].value):
        del rest[0]
    if not rest:
        return _bare_prefix(name, [w.value for w in invocation.words[1:]])
    verdict = _inner(invocation, rest, depth, name)
    if name in ("sudo", "doas"):
        verdict.flag("root", name)
    elif name == "watch":
        verdict.flag("endless", "watch repeats for ever")
    elif name == "timeout":
        verdict.flag("bounded", "timeout")
    elif name == "xargs" and invocation.stdin:
        verdict.flags.pop("interactive", None)
    return verdict


def _bare_prefix(name: str, args: Sequence[str]) -> Verdict:
    if name == "env":
        return programs.judge("printenv", args)
    if name in ("sudo", "doas"):
        verdict = Verdict("read" if "-l" in args or "-v" in args else "blocked", f"{name} without a command")
        verdict.flag("root", name)
        if verdict.risk == "blocked":
            verdict.flag("interactive", "opens a root shell")
        return verdict
    return Verdict("read", name)


def _inner(invocation: Invocation, rest: list[Word], depth: int, rule: str) -> Verdict:
    """Judge the inner command; one quoted word with spaces is a script of its own."""
    if len(rest) == 1 and " " in rest[0].value.strip():
        return judge_source(rest[0].value, depth, rule)
    return judge_again(invocation, rest, depth)


def _container(invocation: Invocation, depth: int) -> Verdict | None:
    """``docker exec``, ``docker-compose exec``/``run``, ``kubectl exec``; None for other subcommands."""
    name = program_name(invocation.words[0].value)
    family = programs.table().families[name]
    words = invocation.words
    index = _subcommand_at(words, family.takes)
    if index is None or words[index].value not in ("exec", "run"):
        return None
    compose = family.name == "docker-compose"
    if words[index].value == "run" and not compose:
        return _run_in_new_container(invocation, index, depth)
    options, rest = _exec_words(words[index:])
    if words[index].value == "run" and not rest:
        verdict = Verdict("disrupt", "docker-compose run: the service's own command")
    else:
        verdict = _exec_inner(invocation, rest, depth)
    if programs.has_option(options, "-t") or programs.has_option(options, "--tty"):
        verdict.flag("tty", f"{family.name} exec -t")
    if compose and "-T" not in options and "--no-TTY" not in options:
        verdict.flag("compose_tty", "docker-compose allocates a terminal unless -T is given")
    return verdict


def _run_in_new_container(invocation: Invocation, index: int, depth: int) -> Verdict:
    """``docker run IMAGE command``: the command counts, for volumes and networks are shared."""
    name = program_name(invocation.words[0].value)
    verdict = programs.judge(name, [w.value for w in invocation.words[1:]])
    if name in ("docker", "podman", "nerdctl"):
        rest = _skip(invocation.words[index:], _RUN_TAKES, 1)
        if rest and not rest[0].value.startswith("-"):
            verdict.add(judge_again(invocation, rest, depth))
    return verdict


def _subcommand_at(words: Sequence[Word], takes: frozenset[str]) -> int | None:
    index = 1
    while index < len(words):
        value = words[index].value
        if not value.startswith("-"):
            return index
        index += 2 if value in takes else 1
    return None


def _exec_words(words: Sequence[Word]) -> tuple[list[str], list[Word]]:
    """(options of exec, inner words) from ``exec [options] TARGET [-- ] inner…``."""
    options: list[str] = []
    index, target = 1, False
    while index < len(words):
        value = words[index].value
        if value == "--":
            return options, list(words[index + 1 :])
        if value.startswith("-"):
            options.append(value)
            index += 2 if value in _EXEC_TAKES else 1
        elif not target:
            target = True
            index += 1
        else:
            break
    return options, list(words[index:])


def _exec_inner(invocation: Invocation, rest: list[Word], depth: int) -> Verdict:
    if not rest:
        return Verdict("blocked", "exec without a command opens a shell", {"interactive": "opens a shell"})
    return judge_again(invocation, rest, depth)


def _family_or_exec(invocation: Invocation, depth: int) -> Verdict:
    words = invocation.words
    name = program_name(words[0].value)
    args = [w.value for w in words[1:]]
    compose = risk.two_words(name, args)
    if compose:
        return judge_again(invocation, [Word(compose, compose), *words[2:]], depth)
    inner = _container(invocation, depth)
    verdict = inner if inner is not None else programs.judge(name, args)
    if name in ("kubectl", "oc", "k") and "-f" in args and "-" in args and invocation.stdin == "heredoc":
        verdict.rule += " from the text below"
    return verdict


def _ssh(invocation: Invocation, depth: int) -> Verdict:
    rest = _skip(invocation.words, _SSH_TAKES, 1)
    if invocation.stdin in ("heredoc",) and not rest:
        return judge_source(invocation.heredoc, depth, "ssh")
    if not rest:
        return Verdict("blocked", "ssh without a command opens a session", {"interactive": "opens a session"})
    return judge_source(" ".join(w.value for w in rest), depth, "ssh")


def _shell(invocation: Invocation, depth: int) -> Verdict:
    args = list(invocation.words[1:])
    while len(args) > 1 and args[0].value in ("-o", "+o", "-O", "--rcfile", "--init-file"):
        del args[:2]
    for index, word in enumerate(args):
        if re.fullmatch(r"-[a-z]*c", word.value) and index + 1 < len(args):
            inner = args[index + 1]
            return judge_source(inner.value, depth, "sh -c")
        if not word.value.startswith("-"):
            return risk.judge_script(
                word.value if "." in word.value else word.value + ".sh", [w.value for w in args[index + 1 :]]
            )
    if invocation.stdin == "heredoc":
        return judge_source(invocation.heredoc, depth, "shell script on standard input")
    if invocation.stdin:
        return Verdict("disrupt", "runs whatever the pipe brings", {"opaque": "runs whatever the pipe brings"})
    if any(w.value == "--version" for w in args):
        return Verdict("read", "--version")
    return Verdict("blocked", "opens a shell", {"interactive": "opens a shell"})


def _su(invocation: Invocation, depth: int) -> Verdict:
    values = invocation.words
    for index, word in enumerate(values[:-1]):
        if word.value in ("-c", "--command"):
            verdict = judge_source(values[index + 1].value, depth, "su -c")
            verdict.flag("root", "su")
            return verdict
    return Verdict("blocked", "su opens a shell", {"interactive": "opens a shell", "root": "su"})


def _eval(invocation: Invocation, depth: int) -> Verdict:
    if any(w.dynamic for w in invocation.words[1:]):
        return Verdict("disrupt", "eval of text that is only known when it runs", {"opaque": "eval"})
    return judge_source(" ".join(w.value for w in invocation.words[1:]), depth, "eval")


def _source(invocation: Invocation, depth: int) -> Verdict:
    target = invocation.words[1].value if len(invocation.words) > 1 else ""
    if re.search(r"(?:^|/)(?:activate|\.env[\w.]*|\.bashrc|\.profile|.*openrc(?:\.sh)?)$", target):
        return Verdict("read", "loads settings into the shell")
    return Verdict("disrupt", f"runs {target}", {"opaque": "a script"})


def _find(invocation: Invocation, depth: int) -> Verdict:
    words = invocation.words
    verdict = Verdict("read", "find")
    for index, word in enumerate(words):
        if word.value in ("-exec", "-execdir", "-ok", "-okdir"):
            inner: list[Word] = []
            for following in words[index + 1 :]:
                if following.value in (";", "+", "\\;"):
                    break
                inner.append(following)
            if inner:
                verdict.add(judge_again(invocation, inner, depth))
        elif word.value == "-delete":
            verdict.raise_to("destroy", "find -delete")
        elif word.value in ("-fprint", "-fprintf", "-fls"):
            verdict.raise_to("change", f"find {word.value} writes a file")
    roots = [w.value for w in words[1:2]]
    if roots == ["/"]:
        verdict.flag("long", "find walks the whole file system")
    if verdict.risk == "destroy" and any(r.startswith(("/var/", "/etc", "/usr")) for r in roots):
        verdict.flag("root", f"deletes below {roots[0]}")
    return verdict


def _sed(invocation: Invocation, depth: int) -> Verdict:
    args = [w.value for w in invocation.words[1:]]
    scripts = [a for a in args if not a.startswith("-")]
    if scripts and re.search(r"(?:^|[;{}\d$/]|\s)[wW]\s+(?!/dev/std)\S", scripts[0]):
        return Verdict("destroy", "sed that writes a file")
    if scripts and re.search(r"(?:^|[;{}\d$/])\s*e\b|/[gpIi\d]*e[gpIi\d]*$", scripts[0]):
        return Verdict("disrupt", "sed that runs commands", {"opaque": "sed"})
    if not any(re.match(r"-[nErs]*i|--in-place", a) for a in args):
        return Verdict("read", "sed")
    simple = bool(scripts) and bool(re.fullmatch(r"s(.)((?!\1).)+\1((?!\1).)*\1[gIi]*", scripts[0]))
    return Verdict("change", "sed -i replaces text") if simple else Verdict("destroy", "sed -i rewrites a file")


def _interpreter(invocation: Invocation, depth: int) -> Verdict:
    name = program_name(invocation.words[0].value)
    args = [w.value for w in invocation.words[1:]]
    if any(a in ("--version", "-V", "-v", "--help") for a in args[:1]):
        return Verdict("read", f"{name} {args[0]}")
    if not args:
        if invocation.stdin:
            return Verdict("disrupt", f"{name} runs a program on standard input", {"opaque": "a program"})
        return Verdict("blocked", f"{name} opens a session", {"interactive": "opens a session"})
    if args[0] == "-m" and args[1:2] in (["json.tool"], ["this"]):
        return Verdict("read", f"{name} -m {args[1]}")
    for index, arg in enumerate(args):
        if not arg.startswith("-"):
            if arg.endswith(("manage.py",)):
                return programs.judge("manage.py", args[index + 1 :])
            if index == 0:
                return risk.judge_script(arg, args[1:])
            break
    verdict = Verdict("disrupt", f"{name} runs code whose effect is not known")
    if args[0] == "-m" and re.search(r"profil|memory|pytest|unittest", " ".join(args[1:2])):
        verdict.flag("long", f"{name} {args[1]} runs a whole program")
    return verdict


def _trap(invocation: Invocation, depth: int) -> Verdict:
    words = [w.value for w in invocation.words[1:] if w.value != "--"]
    return (
        judge_source(words[0], depth, "trap")
        if len(words) > 1 and words[0] not in ("-", "")
        else Verdict("read", "trap")
    )


def _alias(invocation: Invocation, depth: int) -> Verdict:
    verdict = Verdict("read", "alias")
    for word in invocation.words[1:]:
        verdict.add(judge_source(word.value.partition("=")[2], depth, "alias"))
    return verdict


def _awk(invocation: Invocation, depth: int) -> Verdict:
    text = " ".join(w.value for w in invocation.words[1:])
    if re.search(r"\bsystem\s*\(|\|\s*getline|print[^}]*\|\s*\"", text):
        verdict = Verdict("disrupt", "awk that runs commands", {"opaque": "awk"})
        for source in re.findall(r"system\s*\(\s*\"([^\"]*)\"", text):
            verdict.add(judge_source(source, depth, "awk"))
        return verdict
    if re.search(r"print[^}\n]*>\s*\"", text):
        return Verdict("change", "awk that writes a file")
    return Verdict("read", "awk")


def register() -> None:
    """Complete ``risk.NESTED``; runs once at import."""
    families = programs.table().families
    containers = ("docker", "podman", "nerdctl", "docker-compose", "podman-compose", "kubectl", "oc", "k")
    handlers: list[tuple[Sequence[str], risk.Handler]] = [
        (list(_PREFIX), _prefix),
        ([c for c in containers if c in families], _family_or_exec),
        (("ssh",), _ssh),
        (("sh", "bash", "zsh", "dash", "ksh", "ash"), _shell),
        (("su",), _su),
        (("eval",), _eval),
        (("trap",), _trap),
        (("alias",), _alias),
        (("source", "."), _source),
        (("find",), _find),
        (list(clients.SQL_OPTIONS), clients.sql_client),
        (("sqlite3",), clients.sqlite),
        (("redis-cli", "valkey-cli", "keydb-cli"), clients.redis),
        (("mongo", "mongosh"), clients.mongo),
        (("sed", "gsed"), _sed),
        (("awk", "gawk", "mawk"), _awk),
        (("python", "python3", "python2", "perl", "ruby", "node", "php", "Rscript"), _interpreter),
    ]
    for names, handler in handlers:
        for name in names:
            risk.NESTED[name] = handler


register()
