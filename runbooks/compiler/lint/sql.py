"""SQL and its clients: what the server refuses, what touches every row, what connects as nobody."""

import re
from collections.abc import Iterator

from runbooks.compiler import sql
from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found, row_of

_SENT = re.compile(
    r"\s(?:-c|-e|-[tAqX]+c|--command|--execute)(?:[ =]\s*|\s*\\\n\s*)"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>[^']*)')",
    re.DOTALL,
)
_NO_TRANSACTION = re.compile(
    r"\s*(?P<what>ALTER\s+SYSTEM|VACUUM|(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)|"
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY|DROP\s+INDEX\s+CONCURRENTLY|REINDEX\s+(?:DATABASE|SYSTEM|SCHEMA)|"
    r"REINDEX\s+\w+\s+CONCURRENTLY|REINDEX\s*\(\s*CONCURRENTLY)\b",
    re.IGNORECASE,
)
_SHOWS = re.compile(r"\s*(?:SELECT|SHOW|TABLE|WITH|VALUES|EXPLAIN)\b", re.IGNORECASE)
_WRITES_ROWS = re.compile(r"\s*(?:DELETE\s+FROM|UPDATE)\s+(?P<table>[\w.\"]+)", re.IGNORECASE)
_BRACKETS = re.compile(r"\([^()]*\)")
_LOCK_JOIN = re.compile(
    r"\bJOIN\s+(?:pg_catalog\.)?pg_locks\s+(?:AS\s+)?\w+\s+ON\b(?P<on>.*?)(?=\bJOIN\b|\bWHERE\b|$)",
    re.IGNORECASE | re.DOTALL,
)
_LOCKS = re.compile(
    r"\s*(?P<what>CREATE\s+(?:UNIQUE\s+)?INDEX(?!\s+CONCURRENTLY)|REINDEX(?!\s*\(\s*CONCURRENTLY|\s+\w+\s+CONCURRENTLY)|"
    r"VACUUM\s*\(?\s*FULL|CLUSTER\s+\w|ALTER\s+TABLE\s+\S+\s+ADD\s+CONSTRAINT(?!.*\bNOT\s+VALID))\b",
    re.IGNORECASE | re.DOTALL,
)
_RUNS = re.compile(
    r"\s*EXPLAIN\s*(?:\([^)]*\bANALYZE\b[^)]*\)|ANALYZE\b(?:\s+VERBOSE)?)\s*(?P<what>UPDATE|DELETE|INSERT|MERGE)\b",
    re.IGNORECASE,
)
_INSIDE = re.compile(
    r"\b(?:docker|docker-compose|podman|kubectl|oc)\b.*\bexec\b.*?\s(?P<client>pg_dump|pg_dumpall|psql|pg_restore)\b(?P<rest>.*)",
    re.DOTALL,
)
_SERVICE_NAMES = re.compile(r"(?:POSTGRES|PG|MYSQL|MARIADB|DB|DATABASE|REDIS|MONGO|RABBITMQ|ELASTIC)[A-Z0-9_]*$")
_EXECUTED = re.compile(r"\b(?:docker|docker-compose|podman|kubectl|oc)\b.*?\bexec\b(?P<rest>.*)", re.DOTALL)
_DROPS = re.compile(r"-d\s+(\S+)\b.*?DROP\s+DATABASE\s+(?:IF\s+EXISTS\s+)?[\"']?(\w+)", re.IGNORECASE | re.DOTALL)
_RESTORES = re.compile(
    r"(?:\b(?:zcat|gunzip|gzip|pigz|zstdcat|xzcat|bzcat|cat)\b[^|;&]*(?:\.sql|dump|backup|BACKUP)[^|;&]*\|[^|;&]*\bpsql\b"
    r"|\bpsql\b[^|;&]*(?:<|\s-f)\s*\S*(?:\.sql|dump|backup)\S*)"
)
_LOG_OF_WRITES = re.compile(
    r"\bpg_archivecleanup\s+(?:-\w+\s+)*\S*/pg_(?:wal|xlog)/?(?=\s|$)|\brm\s+[^|;&]*/pg_(?:wal|xlog)/|\bfind\s+\S*/pg_(?:wal|xlog)\b[^|;&]*-delete"
)
_NO_OLDEST = re.compile(r"\bpg_archivecleanup\s+(?![^\n]*<)(?:-\w+\s+)*\S+\s*$")
_RESET = re.compile(r"\bpg_reset(?:wal|xlog)\b(?!.*\s(?:-n|--dry-run)\b)", re.DOTALL)
_VACUUM = re.compile(r"(?<![\w-])VACUUM\b(?![^;]*\bFULL\b)", re.IGNORECASE)
_VACUUM_FULL = re.compile(r"\bVACUUM\s*\(?\s*FULL\b", re.IGNORECASE)
_BRACKET = re.compile(r"\bpg_terminate_backend\s*\(\s*pid\s+FROM\b", re.IGNORECASE)
_DISK = re.compile(r"\bdisk\b|\bspace\b|\bfull\b", re.IGNORECASE)


def texts(command: Command) -> Iterator[tuple[int, str]]:
    """(line, SQL) of each text that a command sends to a database."""
    if command["kind"] == "sql":
        yield command["line"], command["text"]
        return
    for match in _SENT.finditer(command["text"]) if re.search(r"\b(?:psql|mysql|mariadb)\b", command["text"]) else ():
        name = "double" if match["double"] is not None else "single"
        yield row_of(command["line"], command["text"], match.start(name)), match[name]


def statements(command: Command) -> Iterator[Found]:
    """What is wrong with single statements."""
    for line, text in texts(command):
        parts = [part for part in sql.split(text) if isinstance(part, sql.Statement)]
        for part in parts:
            at = line + part.first
            yield from _statement(at, part.text)
            together = len(parts) > 1 and command["kind"] != "sql" and "psql" in command["text"]
            if together and (match := _NO_TRANSACTION.match(part.text)):
                what = " ".join(match["what"].upper().split())
                message = f"psql -c sends these statements as one transaction, and {what} is refused in one."
                yield at, "sql.in-transaction", "error", message, "Give each statement a -c of its own."
        shown = [part for part in parts if _SHOWS.match(part.text)]
        if (
            len(parts) > 1
            and "psql" in command["text"]
            and command["kind"] != "sql"
            and shown
            and shown[0] is not parts[-1]
        ):
            message = "psql before version 15 prints the result of the last statement only."
            yield line, "sql.last-result", "info", message, "Give each statement a -c of its own."


def _statement(line: int, text: str) -> Iterator[Found]:
    words = sql.words_only(text)
    if (match := _WRITES_ROWS.match(words)) and "<" not in match["table"]:
        outside = words
        while (shorter := _BRACKETS.sub(" ", outside)) != outside:
            outside = shorter
        if not re.search(r"\b(?:WHERE|LIMIT)\b", outside):
            message = f"There is no WHERE: this touches every row of {match['table'].lower()}."
            yield line, "sql.every-row", "warning", message, "Add the condition, or say that all rows are meant."
    if (
        "PG_LOCKS" in words
        and (match := _LOCK_JOIN.search(text))
        and not re.search(r"\b(?:pid|relation|transactionid)\b", match["on"])
    ):
        message = "This pairs each waiting session with every lock of the same kind, also with its own."
        yield line, "sql.lock-join", "warning", message, "Ask pg_blocking_pids(pid) who blocks."
    if match := _LOCKS.match(words):
        what = " ".join(match["what"].split())
        message = f"In PostgreSQL {what} keeps others from writing until it is done."
        yield (
            line,
            "sql.blocks-writers",
            "info",
            message,
            "Use the form with CONCURRENTLY or NOT VALID, or a quiet hour.",
        )
    if match := _RUNS.match(words):
        message = f"EXPLAIN ANALYZE runs the {match['what']}."
        yield line, "sql.explain-writes", "warning", message, "Put it between BEGIN and ROLLBACK."


def client(command: Command) -> Iterator[Found]:
    """A client inside a container that connects as the container's user."""
    match = _INSIDE.search(command["text"])
    if match and not re.search(
        r"\s-U|--username|--help|PGUSER|postgres(?:ql)?://|DATABASE_URL|\buser=|\bPGSERVICE|--version", command["text"]
    ):
        if re.search(r"\bsu(?:do)?\s+(?:-\s+|-l\s+|-u\s*)?postgres\b|\s(?:-u|--user)[ =]?postgres\b", command["text"]):
            return
        message = (
            f"{match['client']} without -U connects as the container's user, usually root, which is no database role."
        )
        yield command["line"], "sql.no-user", "warning", message, "Name the role with -U."


def wrong_side(command: Command) -> Iterator[Found]:
    """Variables of the container that the host expands."""
    match = _EXECUTED.search(command["text"])
    if match is None:
        return
    for parameter in command["parameters"]:
        name = parameter["name"]
        if (
            parameter["notation"] != "env"
            or not _SERVICE_NAMES.match(name)
            or not re.search(rf"\$\{{?{name}\b", match["rest"])
        ):
            continue
        message = f"${name} is expanded on this host, not inside the container."
        use = "Set it as a parameter, or wrap the command in sh -c '…'."
        yield command["line"], "shell.host-variable", "warning", message, use


def drops_own(command: Command) -> Iterator[Found]:
    if (match := _DROPS.search(command["text"])) and match[1].strip("\"'") == match[2]:
        message = f"Nobody can drop {match[2]} while being connected to it."
        yield (
            command["line"],
            "sql.drop-own-database",
            "error",
            message,
            "Connect to another database, such as postgres.",
        )


def restores(command: Command) -> Iterator[Found]:
    if _RESTORES.search(command["text"]) and not re.search(
        r"ON_ERROR_STOP|--single-transaction|\s-1\b", command["text"]
    ):
        message = "psql goes on after an error, so half of a restore looks like all of it."
        yield command["line"], "sql.goes-on", "info", message, "Add -v ON_ERROR_STOP=1."


def write_ahead_log(command: Command) -> Iterator[Found]:
    text = command["text"]
    if match := _LOG_OF_WRITES.search(text):
        message = "This removes the log that the server itself needs to start again."
        use = "Find what keeps it: an inactive replication slot, or archiving that fails."
        yield row_of(command["line"], text, match.start()), "sql.wal-removed", "error", message, use
    if _NO_OLDEST.search(text):
        message = "pg_archivecleanup needs the oldest WAL file to keep."
        yield command["line"], "command.incomplete", "error", message, "Name the file after the directory."
    if _RESET.search(text) and re.search(r"\bexec\b", text):
        message = "pg_resetwal refuses to work while the server runs, and this container lives as long as its server."
        use = "Stop the server, copy its data, and run it in a container of its own."
        yield command["line"], "sql.reset-while-running", "error", message, use


def bracket(command: Command) -> Iterator[Found]:
    if _BRACKET.search(command["text"]):
        message = "A bracket closes in the wrong place: pg_terminate_backend(pid) comes before FROM."
        yield command["line"], "sql.syntax", "error", message, "Write SELECT pg_terminate_backend(pid) FROM …"


def vacuum_for_space(title: str, command: Command) -> Iterator[Found]:
    """VACUUM where the disk is the trouble (`title`): it frees nothing for the disk."""
    text = command["text"]
    if not _DISK.search(title):
        return
    if _VACUUM_FULL.search(text):
        message = "VACUUM FULL writes each table anew, so it needs as much free disk as the table takes."
        yield (
            command["line"],
            "sql.vacuum-full-space",
            "warning",
            message,
            "Make room first, and begin with a small table.",
        )
    if not _VACUUM.search(text):
        return
    if re.search(r"reus|dead|inside the table|toast|tuple", (command["label"] or "") + title, re.IGNORECASE):
        return
    message = "VACUUM makes room inside the tables; it gives none back to the disk."
    yield command["line"], "sql.vacuum-for-space", "warning", message, "Say so, or name what frees the disk."


def keys(command: Command) -> Iterator[Found]:
    if re.search(r"\b(?:redis|valkey)-cli\b.*\bKEYS\b", command["text"]):
        message = "KEYS stops the server while it walks every key."
        yield command["line"], "redis.keys", "warning", message, "Use --scan --pattern."


CHECKS = (
    (("KEYS",), keys),
    (
        (
            "SELECT",
            "select",
            "UPDATE",
            "update",
            "DELETE",
            "delete",
            "ALTER",
            "alter",
            "INDEX",
            "index",
            "VACUUM",
            "vacuum",
            "SHOW",
            "show",
            "CLUSTER",
        ),
        statements,
    ),
    (("exec",), client),
    (("exec",), wrong_side),
    (("DROP", "drop"), drops_own),
    (("psql",), restores),
    (("pg_wal", "pg_xlog", "pg_archivecleanup", "pg_reset"), write_ahead_log),
    (("pg_terminate_backend",), bracket),
)
