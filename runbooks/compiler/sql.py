"""SQL text to statements, each with its risk, flags and syntax problems.

sqlglot (imported on first use) reads structure and syntax. The risk is never below what a scan of the
words outside of strings and comments finds, so an exotic statement cannot slip through a parser gap.
"""

import logging
import re
from dataclasses import dataclass
from functools import lru_cache

from runbooks.compiler import shell
from runbooks.compiler.verdict import Verdict

_TOKEN = re.compile(
    r"(?P<string>'(?:[^']|'')*'|\$(?P<dollar>[A-Za-z_]*)\$.*?\$(?P=dollar)\$)|(?P<ident>\"[^\"]*\")"
    r"|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<end>;)",
    re.DOTALL,
)
META = re.compile(
    r"^\s*\\(?:d\w*\+?|l\+?|list|q|c|connect|conninfo|x|timing|i|ir|include|copy|o|e|ef|s|g\w*|watch|set|unset|pset|z|"
    r"password|prompt|echo|h|if|endif|!|\?)(?:\s|$|[;+])"
)

_FUNCTIONS: dict[str, str] = {
    "pg_terminate_backend": "destroy",
    "pg_cancel_backend": "disrupt",
    "pg_drop_replication_slot": "destroy",
    "pg_promote": "disrupt",
    "pg_reload_conf": "change",
    "pg_rotate_logfile": "change",
    "pg_switch_wal": "change",
    "pg_create_restore_point": "change",
    "pg_stat_reset": "change",
    "pg_stat_statements_reset": "change",
    "pg_advisory_lock": "disrupt",
    "pg_wal_replay_pause": "disrupt",
    "pg_wal_replay_resume": "change",
    "pg_sleep": "read",
    "setval": "destroy",
    "nextval": "change",
    "set_config": "change",
    "lo_unlink": "destroy",
    "lo_import": "change",
    "lo_export": "disrupt",
    "dblink": "disrupt",
    "dblink_exec": "disrupt",
    "pg_file_write": "destroy",
    "pg_logical_emit_message": "change",
    "query_to_xml": "disrupt",
}

# first words → rule in the notation of programs.toml; the longest match wins
_VERBS: dict[str, str] = {
    "SELECT": "read",
    "WITH": "read",
    "TABLE": "read",
    "VALUES": "read",
    "SHOW": "read",
    "DESCRIBE": "read",
    "DESC": "read",
    "USE": "read",
    "EXPLAIN": "read",
    "BEGIN": "read",
    "START TRANSACTION": "read",
    "COMMIT": "read",
    "ROLLBACK": "read",
    "END": "read",
    "SAVEPOINT": "read",
    "SET": "read",
    "SET GLOBAL": "disrupt",
    "SET PERSIST": "disrupt",
    "RESET": "read",
    "RESET MASTER": "destroy",
    "RESET SLAVE": "destroy",
    "RESET REPLICA": "destroy",
    "FETCH": "read",
    "DECLARE": "read",
    "CLOSE": "read",
    "LISTEN": "read",
    "DISCARD": "read",
    "PREPARE": "read",
    "DEALLOCATE": "read",
    "NOTIFY": "change",
    "COMMENT": "change",
    "GRANT": "change",
    "REVOKE": "disrupt",
    "ANALYZE": "change",
    "VACUUM": "change long",
    "VACUUM FULL": "disrupt long outage",
    "CHECKPOINT": "change",
    "REINDEX": "disrupt long",
    "CLUSTER": "disrupt long",
    "REFRESH MATERIALIZED VIEW": "disrupt long",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY": "change long",
    "CREATE": "change",
    "CREATE INDEX": "disrupt long",
    "CREATE UNIQUE INDEX": "disrupt long",
    "CREATE INDEX CONCURRENTLY": "change long",
    "CREATE UNIQUE INDEX CONCURRENTLY": "change long",
    "CREATE TRIGGER": "disrupt",
    "CREATE OR REPLACE": "disrupt",
    "CREATE RULE": "disrupt",
    "ALTER": "disrupt",
    "ALTER SYSTEM": "disrupt",
    "ALTER ROLE": "change",
    "ALTER USER": "change",
    "INSERT": "change",
    "REPLACE": "destroy",
    "MERGE": "destroy",
    "DELETE": "destroy",
    "TRUNCATE": "destroy",
    "DROP": "destroy",
    "REASSIGN": "destroy",
    "PURGE": "destroy",
    "KILL": "destroy",
    "LOCK": "disrupt",
    "CALL": "disrupt",
    "EXEC": "disrupt",
    "EXECUTE": "disrupt",
    "DO": "disrupt opaque",
    "FLUSH": "disrupt",
    "OPTIMIZE": "disrupt long",
    "CHECK TABLE": "read long",
    "STOP": "disrupt",
    "START": "change",
    "CHANGE": "disrupt",
    "IMPORT": "change",
    "LOAD": "change",
    "COPY": "change",
}
_SUSPECT = re.compile(
    r"(?:lo_|pg_replication_|pg_create_|pg_start_backup|pg_stop_backup)"
    r"|(?!pg_stat_get|delete_rule|update_rule|row_|date_).*(?:delete|drop|purge|kill|terminate|update|insert|truncate|"
    r"cleanup|archive|rebuild|migrate|execute|reset|refresh|move|restore)"
)
_REINDEX_CONCURRENTLY = re.compile(r"^REINDEX\b.*\bCONCURRENTLY\b", re.DOTALL)
SQL_START = re.compile(
    r"^\s*(?:SELECT\b|WITH\s+(?:RECURSIVE\s+)?[\w\".]+\s*(?:\([^)]*\)\s*)?AS\b|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|CREATE\s+(?:UNIQUE\s+|OR\s+REPLACE\s+)?"
    r"(?:INDEX|TABLE|DATABASE|USER|ROLE|EXTENSION|VIEW|TRIGGER|FUNCTION|MATERIALIZED)|ALTER\s+(?:TABLE|SYSTEM|DATABASE|"
    r"ROLE|USER|INDEX)|DROP\s+(?:TABLE|DATABASE|INDEX|USER|ROLE|VIEW)|TRUNCATE\s|VACUUM\b|ANALYZE\b|REINDEX\b|EXPLAIN\s|"
    r"GRANT\s|REVOKE\s|SHOW\s+\w+\s*;|SET\s+\w+\s*(?:=|TO)\s|BEGIN;|COMMIT;|ROLLBACK;|CHECKPOINT;)",
    re.IGNORECASE,
)


_SURELY = re.compile(
    r";\s*(?:--.*)?$|\bfrom\s+\S|\bset\s+\S+\s*=|\binto\s+\S+\s*(?:\(|values|select)|\*|^\s*select\s+\S*\(",
    re.IGNORECASE | re.MULTILINE,
)


def starts(text: str) -> bool:
    """True if a text opens with a statement; “Analyze the logs” and “Select a node” are sentences."""
    if not SQL_START.match(text):
        return False
    return text.split(None, 1)[0].isupper() or bool(_SURELY.search(text))


@dataclass(frozen=True, slots=True)
class Statement:
    """``first`` and ``last`` are 0-based rows of the text; ``trailing`` is a comment after the end."""

    first: int
    last: int
    text: str
    trailing: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment line between statements."""

    row: int
    text: str


def split(source: str) -> list[Statement | Remark]:
    """Statements and the comments between them; a comment inside a statement stays inside."""
    out: list[Statement | Remark] = []
    start, position = 0, 0
    while position < len(source):
        match = _TOKEN.search(source, position)
        if match is None:
            break
        position = match.end()
        before = source[start : match.start()]
        if match.group("comment") and not before.strip():
            _remark(source, match, out)
            start = position
        elif match.group("end"):
            _statement(source, start, position, out)
            start = position
    if source[start:].strip():
        _statement(source, start, len(source), out)
    return out


def _remark(source: str, match: re.Match[str], out: list[Statement | Remark]) -> None:
    row = source.count("\n", 0, match.start())
    text = match.group().removeprefix("--").strip("/* \n")
    if out and isinstance(out[-1], Statement) and out[-1].last == row and not out[-1].trailing:
        last = out[-1]
        out[-1] = Statement(last.first, last.last, last.text, match.group())
    else:
        out.append(Remark(row, text))


def _statement(source: str, start: int, end: int, out: list[Statement | Remark]) -> None:
    raw = source[start:end]
    lead = len(raw) - len(raw.lstrip())
    text = raw.strip()
    if text in ("", ";"):
        return
    first = source.count("\n", 0, start + lead)
    out.append(Statement(first, first + text.count("\n"), text))


def words_only(text: str) -> str:
    """The text in capitals without strings, quoted names and comments."""

    def blank(match: re.Match[str]) -> str:
        if match.group("string"):
            return "''"
        return " " if match.group("comment") else match.group()

    return _TOKEN.sub(blank, text).upper()


def judge(source: str) -> Verdict:
    """The verdict of all statements in ``source``."""
    verdict = Verdict()
    for part in split(source):
        if isinstance(part, Statement):
            verdict.add(judge_statement(part.text))
    return verdict


def judge_statement(text: str) -> Verdict:
    """Risk, flags and syntax problems of one statement."""
    if META.match(text):
        return _judge_meta(text)
    words = words_only(text)
    verdict = _by_words(words)
    if words.lstrip().startswith("DO") and re.search(r"\b(?:DELETE|DROP|TRUNCATE|UPDATE)\b", text, re.IGNORECASE):
        verdict.raise_to("destroy", "SQL DO block that deletes or updates")
    _by_functions(words, verdict)
    error = syntax_error(text) if not shell.ANGLE.fullmatch(text.strip(" ;")) else None
    if error:
        verdict.problems.append(("sql.syntax", error))
        if verdict.risk == "read":
            verdict.raise_to("blocked", "SQL that does not parse")
    return verdict


def _by_words(words: str) -> Verdict:
    flat = " ".join(words.replace(";", " ").split())
    explain = re.match(r"EXPLAIN\s*(\([^)]*\)|(?:ANALYZE|VERBOSE)\b\s*)*", flat)
    if explain and flat.startswith("EXPLAIN"):
        inner = flat[explain.end() :].strip()
        if "ANALYZE" not in explain.group():
            return _rule("read", "EXPLAIN")
        verdict = (
            _by_words(inner) if not inner.startswith("<") else _rule("disrupt", "EXPLAIN ANALYZE of any statement")
        )
        verdict.flag("long", "EXPLAIN ANALYZE runs its statement")
        return verdict
    tokens = flat.split()
    for length in range(min(4, len(tokens)), 0, -1):
        key = " ".join(tokens[:length])
        if key in _VERBS:
            return _refine(key, flat)
    if tokens and tokens[0] == "UPDATE":
        return _update(flat)
    return _rule("disrupt", "unknown SQL")


def _rule(rule: str, why: str) -> Verdict:
    risk, *flags = rule.split()
    verdict = Verdict(risk, f"SQL {why}")  # type: ignore[arg-type]
    for flag in flags:
        verdict.flag(flag, f"SQL {why}")
    return verdict


def _refine(key: str, flat: str) -> Verdict:
    """What the first words leave open."""
    verdict = _rule(_VERBS[key], key)
    if _REINDEX_CONCURRENTLY.match(flat):
        return _rule("change long", "REINDEX CONCURRENTLY")
    if key == "VACUUM" and re.search(r"\(\s*[^)]*\bFULL\b", flat):
        return _rule("disrupt long outage", "VACUUM FULL")
    if key == "ALTER" and re.search(r"\bDROP\s+(?:COLUMN|PARTITION)\b", flat):
        return _rule("destroy", "ALTER … DROP")
    if key == "COPY":
        if re.search(r"\bPROGRAM\b", flat):
            return _rule("destroy", "COPY … PROGRAM runs a shell command")
        return _rule("read long", "COPY TO") if re.search(r"\bTO\b", flat) else verdict
    if key in ("SELECT", "WITH"):
        _nested(flat, verdict)
    return verdict


def _nested(flat: str, verdict: Verdict) -> None:
    if re.search(r"\b(?:DELETE\s+FROM|TRUNCATE|DROP\s+TABLE)\b", flat):
        verdict.raise_to("destroy", "SQL WITH … DELETE")
    match = re.search(r"\bUPDATE\s+\S+\s+(?:AS\s+\S+\s+|[A-Z_]\w*\s+)?SET\b.*", flat)
    if match:
        verdict.add(_update(match.group()))
    if re.search(r"\b(?:INSERT\s+INTO|MERGE\s+INTO)\b", flat):
        verdict.raise_to("change", "SQL WITH … INSERT")
    if re.match(r"SELECT\b(?:(?!\bFROM\b).)*\bINTO\b", flat):
        verdict.raise_to("change", "SQL SELECT INTO")
    if re.search(r"\bFOR\s+(?:UPDATE|SHARE|NO KEY UPDATE)\b", flat):
        verdict.raise_to("change", "SQL SELECT FOR UPDATE locks rows")


def _update(flat: str) -> Verdict:
    """One row named by its key is a change; anything wider is a bulk update."""
    where = re.search(r"\bWHERE\b(.*)", flat)
    one_row = where and re.fullmatch(
        r"\s*\(?\s*(?:\w+\.)?\w*(?:ID|EMAIL|UUID|NAME|KEY|SLUG|CODE)\s*=\s*(?:''|<[^<>]+>|\$?\w+)\s*\)?"
        r"(?:\s+(?:AND|RETURNING)\b.*)?\s*",
        where.group(1),
    )
    if one_row and " OR " not in flat and "SELECT" not in flat:
        return _rule("change", "UPDATE of one row by its key")
    return _rule("destroy", "UPDATE of many rows")


def _by_functions(words: str, verdict: Verdict) -> None:
    for match in re.finditer(r"\b([A-Z_][A-Z0-9_.]*)\s*\(", words):
        name = match.group(1).lower().rpartition(".")[2]
        if name in _FUNCTIONS:
            verdict.raise_to(_FUNCTIONS[name], f"SQL function {name}")  # type: ignore[arg-type]
            if name == "pg_sleep":
                verdict.flag("long", "SQL function pg_sleep")
        elif _SUSPECT.match(name):
            verdict.raise_to("disrupt", f"SQL function {name}")


def _judge_meta(text: str) -> Verdict:
    """psql's backslash commands."""
    if re.match(r"\s*\\!", text):
        return _rule("destroy", r"\! runs a shell command")
    if re.match(r"\s*\\(?:i|ir|include)\b", text):
        return _rule("disrupt opaque", r"\i runs a file")
    if re.match(r"\s*\\copy\b.*\bfrom\b", text, re.IGNORECASE | re.DOTALL):
        return _rule("change", r"\copy from")
    if "\\gexec" in text:
        return _rule("disrupt", r"\gexec runs what the query returns")
    verdict = _rule("read", "psql description command")
    if "\\watch" in text:
        verdict.flag("endless", r"\watch repeats for ever")
    return verdict


def mask(text: str) -> str:
    """Placeholders and shell variables as identifiers, so that the rest can be parsed."""
    masked = shell.mask(text)
    return re.sub(r"\$\{?[A-Za-z_]\w*\}?(?!\$)", lambda m: "p" + "_" * (len(m.group()) - 1), masked)


def syntax_error(text: str) -> str | None:
    """A sentence if PostgreSQL's grammar (as sqlglot knows it) refuses the statement, else None."""
    return _syntax_error(mask(text))


@lru_cache(maxsize=512)
def _syntax_error(text: str) -> str | None:
    # imported here: it costs 0.2 s and 12 MB, and most processes never compile a document
    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns about each statement it only half knows

    try:
        sqlglot.parse(text, read="postgres")
    except SqlglotError as error:
        first = str(error).split("\n", 1)[0]
        reason = re.sub(r"\s*Line \d+, Col: \d+\.?| for <class .*$", "", first).strip().rstrip(".")
        return f"The database will refuse this SQL: {reason}."
    except RecursionError:
        return "This SQL is nested too deeply to read."
    return None
