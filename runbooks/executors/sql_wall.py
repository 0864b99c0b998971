"""The second wall before SQL that is said to read only: what acts although its transaction is read-only.

The compiler has rated the text already. This looks again, with another lexer, at what is about to be sent.
A function of the database's own that acts inside cannot be seen from here: its rights are the last wall.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

# What a function of the family does → the functions; a name that ends with * stands for all that begin so.
_ACTS: dict[str, str] = {
    "ends or interrupts other sessions": "pg_terminate_backend pg_cancel_backend",
    "changes how the server runs": "pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old set_config "
    "pg_log_backend_memory_contexts pg_import_system_collations",
    "writes to the log of changes": "pg_switch_wal pg_switch_xlog pg_create_restore_point pg_logical_emit_message "
    "pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup",
    "changes replication": "pg_promote pg_wal_replay_pause pg_wal_replay_resume pg_drop_replication_slot "
    "pg_create_physical_replication_slot pg_create_logical_replication_slot pg_copy_physical_replication_slot "
    "pg_copy_logical_replication_slot pg_replication_slot_advance pg_replication_origin_* pg_sync_replication_slots "
    "pg_logical_slot_get_changes pg_logical_slot_get_binary_changes",
    "forgets statistics": "pg_stat_reset* pg_stat_statements_reset pg_stat_clear_snapshot pg_restore_*_stats "
    "pg_clear_*_stats",
    "takes a lock that others wait for": "pg_advisory_lock* pg_advisory_xact_lock* pg_try_advisory_*",
    "changes a sequence": "nextval setval",
    "sends a message to other sessions": "pg_notify",
    "reads or writes files of the server": "pg_read_file pg_read_binary_file pg_file_* lo_import lo_export "
    "lo_unlink lo_create lo_creat lo_put lo_from_bytea lowrite pg_current_logfile_* pg_ls_dir",
    "reaches other servers": "dblink* http_* http_get http_post net_http_* aws_s3* postgres_fdw_* aws_lambda*",
    "runs text as SQL": "query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml* ts_stat crosstab* "
    "exec_sql query_to_json",
    "starts jobs": "schedule schedule_in_database unschedule alter_job add_job delete_job run_job pg_background_*",
    "changes how tables are kept": "pg_truncate_visibility_map heap_force_* pg_buffercache_evict* "
    "pg_prewarm autoprewarm_* brin_summarize_* brin_desummarize_range gin_clean_pending_list",
}
_SLEEPS = frozenset({"pg_sleep", "pg_sleep_for", "pg_sleep_until"})
# Statements that a read-only transaction lets through although they act, or that would end it.
_STATEMENTS: dict[str, str] = {
    "DO": "runs a program",
    "CALL": "runs a procedure",
    "PREPARE": "hides a statement in another",
    "EXECUTE": "runs a statement that is not written here",
    "NOTIFY": "sends a message to other sessions",
    "LOCK": "takes a lock that others wait for",
    "CHECKPOINT": "makes the server write",
    "LOAD": "loads a library into the server",
    "VACUUM": "changes how tables are kept",
    "SECURITY": "changes labels",
}
_MODES = frozenset({"TRANSACTION_READ_ONLY", "DEFAULT_TRANSACTION_READ_ONLY", "SESSION", "ROLE", "AUTHORIZATION"})


def _table() -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    exact: dict[str, str] = {}
    patterns: list[tuple[str, str, str]] = []
    for does, names in _ACTS.items():
        for name in names.split():
            start, star, end = name.partition("*")
            if star:
                patterns.append((start, end, does))
            else:
                exact[name] = does
    return exact, patterns


_EXACT, _PATTERNS = _table()


def objection(statement: str, *, limit_s: int) -> str:
    """Why a statement that is said to read only is not sent; empty if nothing is known against it."""
    tokens = _tokens(statement)
    if tokens is None:
        return "This SQL cannot be read, so it is not taken for a statement that only reads."
    if not tokens:
        return ""
    words = [token.text.upper() for token in tokens]
    if words[0] in _STATEMENTS:
        return f"{words[0]} {_STATEMENTS[words[0]]}, and this command is said to read only."
    if words[0] in {"SET", "RESET", "START", "BEGIN"} and (_MODES & set(words[:4]) or "WRITE" in words):
        return f"{' '.join(words[:3])} would undo the read-only transaction."
    if words[0] == "COPY" and (reason := _copy(tokens)):
        return reason
    if any(a == "U" and b == "&" for a, b in pairwise(words)):
        return "Names in Unicode escapes hide what is called, and this command is said to read only."
    return next(_calls(tokens, limit_s), "")


def _tokens(text: str) -> list[Any] | None:
    """The words of a statement; None if they cannot be told apart."""
    # imported here: it costs 0.2 s and 12 MB, and most processes never send SQL
    import sqlglot
    from sqlglot.dialects.postgres import Postgres
    from sqlglot.errors import SqlglotError

    try:
        tokens = list(sqlglot.tokenize(text, read="postgres"))
    except SqlglotError:
        return None
    if len(tokens) > 1 and tokens[0].token_type in Postgres.Tokenizer.COMMANDS:
        # EXPLAIN, SHOW and the like: for this lexer all that follows is one text.
        rest = _tokens(text[tokens[0].end + 1 :])
        return None if rest is None else [tokens[0], *rest]
    return tokens


def _copy(tokens: list[Any]) -> str:
    """COPY … TO STDOUT only reads."""
    words = [token.text.upper() for token in tokens]
    if "PROGRAM" in words:
        return "COPY … PROGRAM runs a program on the server, and this command is said to read only."
    if "TO" in words and "STDOUT" in words:
        return ""
    return "COPY to or from a file writes, and this command is said to read only."


def _calls(tokens: list[Any], limit_s: int) -> Iterator[str]:
    """A sentence for each call of a function that acts."""
    for index, token in enumerate(tokens[:-1]):
        if tokens[index + 1].token_type.name != "L_PAREN" or token.token_type.name == "STRING":
            continue
        name = token.text.lower()
        if name in _SLEEPS:
            yield from _sleep(name, tokens[index + 2 :], limit_s)
        elif does := _EXACT.get(name) or _by_pattern(name):
            yield f"{name} {does}, and this command is said to read only."


def _by_pattern(name: str) -> str:
    return next((does for start, end, does in _PATTERNS if name.startswith(start) and name.endswith(end)), "")


def _sleep(name: str, rest: list[Any], limit_s: int) -> Iterator[str]:
    try:
        seconds = float(rest[0].text) if name == "pg_sleep" and rest else 0.0
    except ValueError:
        return
    if seconds >= limit_s:
        yield f"{name} sleeps for {seconds:g} s, longer than the {limit_s} s that this command has."
