"""Clients of databases: the text that they are given is judged, not the client."""

import re
from itertools import pairwise

from runbooks.compiler import programs, sql
from runbooks.compiler.risk import program_name
from runbooks.compiler.shell import Invocation
from runbooks.compiler.verdict import Verdict

SQL_OPTIONS = {
    "psql": ("-c", "--command"),
    "mysql": ("-e", "--execute"),
    "mariadb": ("-e", "--execute"),
    "clickhouse-client": ("-q", "--query"),
    "cqlsh": ("-e", "--execute"),
    "sqlcmd": ("-Q", "-q"),
}
_MONGO_WRITES = re.compile(
    r"\.(?:drop|delete|remove|update|replace|rename|findAndModify|insert)|killOp|shutdown", re.IGNORECASE
)
_MONGO_READS = re.compile(
    r"\.(?:find|count|stats|status|serverStatus|currentOp|getCollection|aggregate|explain|isMaster|hello|conf)"
)


def sql_client(invocation: Invocation, depth: int) -> Verdict:
    name = program_name(invocation.words[0].value)
    args = invocation.words[1:]
    options = SQL_OPTIONS[name]
    texts = [b.value for a, b in pairwise(args) if _is_sql_option(a.value, options)]
    texts += [a.value.partition("=")[2] for a in args if a.value.startswith(options[1] + "=")]
    values = [a.value for a in args]
    verdict = Verdict()
    if any(programs.has_option(values, o, exact=True) for o in ("-f", "--file", "-i", "--input-file")):
        verdict.add(Verdict("disrupt", f"{name} runs a file", {"opaque": "SQL from a file"}))
    elif texts:
        for text in texts:
            verdict.add(sql.judge(text))
    elif invocation.stdin == "heredoc":
        verdict.add(sql.judge(invocation.heredoc))
    elif invocation.stdin:
        verdict.add(Verdict("destroy", f"{name} runs whatever it is fed: a dump restores over the database"))
        verdict.flag("long", f"{name} reads a whole dump")
    elif not any(v in ("-l", "--list", "--version", "-V", "--help", "-?") for v in values):
        return Verdict("blocked", f"{name} without a query opens a session", {"interactive": f"{name} opens a session"})
    return verdict


def _is_sql_option(value: str, options: tuple[str, ...]) -> bool:
    """The option itself or the last letter of a cluster such as ``-tAc``."""
    return value in options or bool(re.fullmatch(rf"-[A-Za-z]+{options[0][1]}", value))


def sqlite(invocation: Invocation, depth: int) -> Verdict:
    positional = [w.value for w in invocation.words[1:] if not w.value.startswith("-")]
    if len(positional) > 1:
        return sql.judge(positional[1])
    if invocation.stdin == "heredoc":
        return sql.judge(invocation.heredoc)
    if invocation.stdin:
        return Verdict("destroy", "sqlite3 runs whatever it is fed")
    return Verdict("blocked", "sqlite3 without a query opens a session", {"interactive": "opens a session"})


def redis(invocation: Invocation, depth: int) -> Verdict:
    takes = frozenset("-h -p -a -n -u -s --user --pass -i -r -x --cert --key --cacert --sni -t -D".split())
    args = [w.value for w in invocation.words]
    rules = programs.table().redis
    index = 1
    while index < len(args) and args[index].startswith("-"):
        if args[index] in rules:
            return programs.apply(rules[args[index]], args, f"{args[0]} {args[index]}")
        index += 2 if args[index] in takes else 1
    words = [a.upper() for a in args[index:]]
    if not words and invocation.stdin:
        return Verdict("destroy", "runs whatever Redis commands it is fed")
    for length in (2, 1, 0):
        key = " ".join(words[:length])
        if key in rules and (length or not words):
            return programs.apply(rules[key], args[index + 1 :], f"Redis {key}".strip())
    return Verdict("disrupt", f"unknown Redis command {' '.join(words[:2])}")


def mongo(invocation: Invocation, depth: int) -> Verdict:
    args = [w.value for w in invocation.words[1:]]
    for option, text in pairwise(args):
        if option == "--eval":
            if _MONGO_WRITES.search(text):
                return Verdict("destroy", "a MongoDB script that writes")
            return (
                Verdict("read", "a MongoDB query")
                if _MONGO_READS.search(text)
                else Verdict("disrupt", "a MongoDB script")
            )
    if invocation.stdin or any(a.endswith(".js") for a in args):
        return Verdict("disrupt", "a MongoDB script", {"opaque": "a script"})
    return Verdict("blocked", "opens a session", {"interactive": "opens a session"})
