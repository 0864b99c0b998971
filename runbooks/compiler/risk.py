"""What a shell line may do: the verdict of the worst program inside it, wherever that hides."""

import re
from collections.abc import Callable, Sequence

from runbooks.compiler import programs, shell
from runbooks.compiler.http_calls import judge_http
from runbooks.compiler.shell import Invocation, Redirect, Unit, Word
from runbooks.compiler.verdict import Verdict

MAX_DEPTH = 6
_SCRIPT = re.compile(r"\.(?:sh|bash|py|rb|pl|js|ts|php|ps1|bat|exs?)$")
_SYSTEM_BIN = re.compile(r"^(?:/usr)?(?:/local)?/s?bin/")
_RESTORES = re.compile(
    r"(?:^|[-_/.])(?:restore|wipe|destroy|purge|drop|delete|truncate|cleanup|reset[-_]?(?:db|data|database|cluster)|(?:db|data|hard)[-_]reset)",
    re.IGNORECASE,
)
_TAKES_LONG = re.compile(
    r"backup|restore|recover|migrat|load-?test|scan|reindex|rebuild|import|export|benchmark|dump", re.IGNORECASE
)
_HARMLESS_WORD = re.compile(r"^(?:--dry-run|--check|--help|-h|--version|verify|list|status|check|--list|--status)$")
SECRET_NAME = re.compile(
    r"secret|token|passw|credential|api_?key|private|jwt(?!_?expir)|(?<![a-z])(?:database|db|redis|dsn)(?:_url)?(?![a-z_])"
    r"|_key\b|\burl\b|auth",
    re.IGNORECASE,
)
_SECRET_FILE = re.compile(
    r"(?:^|/)\.env(?:\.\w+)*$|\.(?:pem|key|p12|jks|pfx)$|(?:^|/)(?:id_rsa|\.pgpass|\.netrc|shadow)$"
)
_SAVED = re.compile(
    r"\.(?:prof|pprof|txt|log|json|csv|tsv|sql|dump|dmp|gz|bz2|xz|zst|tar|tgz|out|html|pcap|svg|png|ya?ml|bak|heap|hprof|trace|xml|md)$"
)
_SYSTEM_PATH = re.compile(r"^/(?:etc|usr|bin|sbin|boot|lib|lib64|dev|proc|sys|var/lib|var/log|root)(?:/|$)")
_PRINTERS = frozenset(["cat", "less", "head", "tail", "grep", "more", "base64", "strings"])
_READING = {"echo", "printf", "cat", ":", "true"}

Handler = Callable[[Invocation, int], Verdict]


def judge_unit(unit: Unit, depth: int = 0) -> Verdict:
    """The verdict of one logical shell line."""
    if unit.kind == "broken":
        return Verdict("blocked", "a line that a shell cannot parse")
    verdict = judge_all([i for i in unit.invocations if i.words[0].value not in unit.functions], depth)
    if re.search(r"\b(?:while\s+(?:true|:)|until\s+false)\b", unit.text) and "break" not in unit.text:
        verdict.flag("endless", "a loop without an end")
    return verdict


def judge_all(invocations: Sequence[Invocation], depth: int) -> Verdict:
    verdict = Verdict()
    for invocation in invocations:
        verdict.add(judge(invocation, depth))
    return verdict


def judge_source(source: str, depth: int, rule: str) -> Verdict:
    """The verdict of an inner script; one that cannot be read is ``disrupt`` and opaque."""
    found = shell.invocations_of(source) if depth < MAX_DEPTH else None
    if found is None:
        verdict = Verdict("disrupt", f"{rule}: inner script that cannot be read")
        verdict.flag("opaque", rule)
        return verdict
    return judge_all(found, depth + 1)


def judge(invocation: Invocation, depth: int = 0) -> Verdict:
    """The verdict of one simple command, its redirections included."""
    verdict = _judge_words(invocation, depth)
    if invocation.stdin and verdict.risk != "blocked":
        # What is piped in answers the questions.
        verdict.flags.pop("interactive", None)
    for redirect in invocation.redirects:
        _judge_redirect(redirect, invocation, verdict)
    _secrets(invocation, verdict)
    return verdict


def _judge_words(invocation: Invocation, depth: int) -> Verdict:
    words = invocation.words
    if depth > MAX_DEPTH:
        return Verdict("disrupt", "commands nested too deeply")
    raw = words[0].value
    if words[0].dynamic or shell.ANGLE.fullmatch(raw):
        verdict = Verdict("disrupt", "the program is only known when it runs")
        verdict.flag("opaque", verdict.rule)
        return verdict
    name = program_name(raw)
    handler = NESTED.get(name)
    args = [w.value for w in words[1:]]
    verdict = handler(invocation, depth) if handler is not None else _judge_program(raw, name, args)
    if not two_words(name, args):
        verdict.programs.insert(0, name)
    return verdict


def _judge_program(raw: str, name: str, args: Sequence[str]) -> Verdict:
    if not programs.known(name) and (raw != name or _SCRIPT.search(name)):
        return judge_script(raw, args)
    return programs.judge(name, args)


def two_words(name: str, args: Sequence[str]) -> str | None:
    """Programs whose first word only introduces the program: ``docker compose``, ``bundle exec``."""
    if name in ("docker", "podman", "nerdctl") and args[:1] == ["compose"]:
        return "docker-compose"
    return None


def program_name(raw: str) -> str:
    """The bare name of a program on the path, or of one that is called by its full path."""
    return _SYSTEM_BIN.sub("", raw) if _SYSTEM_BIN.match(raw) else raw.rpartition("/")[2] or raw


def judge_again(invocation: Invocation, words: list[Word], depth: int) -> Verdict:
    """The verdict of the same command line with other words (a wrapper taken off)."""
    inner = Invocation(
        words, invocation.row, invocation.stdin, invocation.heredoc, [], invocation.before, invocation.after
    )
    return _judge_words(inner, depth + 1)


def judge_script(path: str, args: Sequence[str]) -> Verdict:
    """A script or local binary: its name and words hint at more, never at less."""
    harmless = any(_HARMLESS_WORD.match(a) for a in args)
    hints = [path, *(a for a in args if not a.startswith("-"))]
    down = [a.lower() for a in args][:3]
    worse = any(_RESTORES.search(h) for h in hints) or ("down" in down and any("migrat" in h for h in hints))
    verdict = Verdict("disrupt", f"{path}: a program whose effect is not known")
    if worse and not harmless:
        verdict.raise_to("destroy", f"{path}: its words say that it restores, resets or deletes")
    if _SCRIPT.search(path):
        verdict.flag("opaque", f"{path}: a script")
    if any(_TAKES_LONG.search(h) for h in hints) and (not harmless or "--dry-run" in args):
        verdict.flag("long", f"{path}: its words name long work")
    return verdict


def _judge_redirect(redirect: Redirect, invocation: Invocation, verdict: Verdict) -> None:
    target = redirect.target
    if redirect.operator in ("<", "<<<", "<&") or target.startswith("&") or target.isdigit() or target in ("", "-"):
        return
    if target in ("/dev/null", "/dev/stdout", "/dev/stderr"):
        return
    if target.startswith("/dev/tcp/") or target.startswith("/dev/udp/"):
        return
    if _SYSTEM_PATH.match(target) and not target.startswith(("/var/log/", "/var/lib/")):
        verdict.flag("root", f"writes to {target}")
    if target.startswith(("/proc/", "/sys/")):
        verdict.raise_to("disrupt", f"writes to {target}")
    elif redirect.operator in (">>", "&>>"):
        verdict.raise_to("change", f"appends to {target}")
    elif _SYSTEM_PATH.match(target) or _truncates(invocation):
        verdict.raise_to("destroy", f"overwrites {target}")
    elif invocation.words[0].value in _READING or not _SAVED.search(target):
        verdict.raise_to("change", f"writes {target}")


def _truncates(invocation: Invocation) -> bool:
    words = [w.value for w in invocation.words]
    return (
        words[0] in (":", "true") or words == ["cat", "/dev/null"] or words in (["echo"], ["echo", ""], ["echo", "-n"])
    )


def _secrets(invocation: Invocation, verdict: Verdict) -> None:
    """Printing an environment is a secret unless what follows in the pipe filters secrets out."""
    name = program_name(invocation.words[0].value)
    args = [w.value for w in invocation.words[1:]]
    prints = name in _PRINTERS and not (name == "grep" and not SECRET_NAME.search(" ".join(args)))
    if prints and any(map(_SECRET_FILE.search, args)):
        verdict.flag("secret", "prints a file that holds secrets")
    if "secret" not in verdict.flags or not invocation.after:
        return
    following = invocation.after[0]
    if program_name(following.words[0].value) in ("grep", "egrep", "rg"):
        pattern = " ".join(w.value for w in following.words[1:] if not w.value.startswith("-"))
        if not SECRET_NAME.search(pattern) and "-v" not in [w.value for w in following.words]:
            verdict.flags.pop("secret")
    elif any(program_name(i.words[0].value) == "wc" for i in invocation.after):
        verdict.flags.pop("secret")


def _http(invocation: Invocation, depth: int) -> Verdict:
    return judge_http(program_name(invocation.words[0].value), [w.value for w in invocation.words[1:]])


# programs that run other programs or languages; nested.py adds them, for they call back into judge()
NESTED: dict[str, Handler] = {"curl": _http, "wget": _http}
