"""psql's own commands that documents use (`\\dt`, `\\d orders`, `\\l` …), answered from the catalogue."""

import re
from dataclasses import dataclass

SUPPORTED = r"\d, \dt, \di, \dv, \dm, \ds, \df, \dn, \du, \dx, \l, \x, \timing, \conninfo, \echo and \q"
_COMMAND = re.compile(r"^\\(?P<name>[a-z]+\??|[!?])(?P<plus>\+?)(?P<system>S?)(?P<more>\+?)\s*(?P<pattern>[^\s;]*)")
_REFUSED: dict[str, str] = {
    "c": r"\c changes the database in the middle of a command. Register a target for that database.",
    "connect": r"\connect changes the database in the middle of a command. Register a target for that database.",
    "!": r"\! runs a program of the shell. Write it as a command of its own.",
    "i": r"\i reads a file that is not here. Write its statements into the runbook.",
    "ir": r"\ir reads a file that is not here. Write its statements into the runbook.",
    "watch": r"\watch never ends. Run the statement again instead.",
    "copy": r"\copy reads and writes files of the client. Use COPY … TO STDOUT to see rows.",
}
_KINDS = {"t": "'r','p'", "i": "'i','I'", "v": "'v'", "m": "'m'", "s": "'S'"}
_RELATIONS = """
    SELECT n.nspname AS "Schema", c.relname AS "Name",
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'i' THEN 'index'
             WHEN 'I' THEN 'partitioned index' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
             WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE c.relkind::text END AS "Type",
           pg_get_userbyid(c.relowner) AS "Owner"{more}
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ({kinds}) AND {where} ORDER BY 1, 2"""
_SIZE = """, pg_size_pretty(pg_total_relation_size(c.oid)) AS "Size" """
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_table_is_visible(c.oid)"
_LISTS: dict[str, str] = {
    "l": """
        SELECT d.datname AS "Name", pg_get_userbyid(d.datdba) AS "Owner", pg_encoding_to_char(d.encoding) AS "Encoding",
               d.datcollate AS "Collate"
        FROM pg_database d WHERE d.datname ~ $1 ORDER BY 1""",
    "du": """
        SELECT r.rolname AS "Role name", concat_ws(', ', CASE WHEN r.rolsuper THEN 'Superuser' END,
               CASE WHEN r.rolcreaterole THEN 'Create role' END, CASE WHEN r.rolcreatedb THEN 'Create DB' END,
               CASE WHEN NOT r.rolcanlogin THEN 'Cannot login' END,
               CASE WHEN r.rolreplication THEN 'Replication' END) AS "Attributes"
        FROM pg_roles r WHERE r.rolname ~ $1 AND r.rolname !~ '^pg_' ORDER BY 1""",
    "dn": """
        SELECT n.nspname AS "Name", pg_get_userbyid(n.nspowner) AS "Owner" FROM pg_namespace n
        WHERE n.nspname ~ $1 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1""",
    "dx": """
        SELECT e.extname AS "Name", e.extversion AS "Version", n.nspname AS "Schema"
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname ~ $1 ORDER BY 1""",
    "df": """
        SELECT n.nspname AS "Schema", p.proname AS "Name", pg_get_function_result(p.oid) AS "Result data type",
               pg_get_function_arguments(p.oid) AS "Argument data types"
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proname ~ $1 AND pg_function_is_visible(p.oid) AND n.nspname !~ '^pg_'
          AND n.nspname <> 'information_schema' ORDER BY 1, 2""",
}
_FIND = """
    SELECT c.oid::text, n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r','p','v','m','f','S','i','I','t') AND {where} ORDER BY 2"""
COLUMNS = """
    SELECT a.attname AS "Column", format_type(a.atttypid, a.atttypmod) AS "Type",
           CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS "Nullable",
           coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS "Default"
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
# Title → lines below the columns.
PARTS: dict[str, str] = {
    "Indexes:": """
        SELECT format('"%s" %s', i.relname, substring(pg_get_indexdef(x.indexrelid) FROM 'USING .*$'))
               || CASE WHEN x.indisprimary THEN ' PRIMARY KEY' WHEN x.indisunique THEN ' UNIQUE' ELSE '' END
               || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE x.indrelid = $1::oid ORDER BY x.indisprimary DESC, i.relname""",
    "Constraints:": """
        SELECT format('"%s" %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE conrelid = $1::oid AND contype IN ('c','f','x') ORDER BY conname""",
    "Referenced by:": """
        SELECT format('TABLE "%s" CONSTRAINT "%s" %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE confrelid = $1::oid AND contype = 'f' ORDER BY conname""",
    "Triggers:": """
        SELECT format('%s %s', tgname, substring(pg_get_triggerdef(oid) FROM '(?:BEFORE|AFTER|INSTEAD OF).*$'))
        FROM pg_trigger WHERE tgrelid = $1::oid AND NOT tgisinternal ORDER BY tgname""",
}


@dataclass(frozen=True)
class Described:
    """What a command of psql asks for: a mode (`x`, `timing`, `conninfo`, `echo`, `quit`) or a query.

    `query` takes `params`; with `each` its rows are the relations to describe one by one.
    """

    mode: str = ""
    query: str = ""
    params: tuple[str, ...] = ()
    each: bool = False
    text: str = ""


class NotSupported(ValueError):
    """The sentence says what to do instead."""


def read(line: str) -> Described:
    """What a line that begins with a backslash asks for. Raises NotSupported."""
    match = _COMMAND.match(line)
    word = line.split(None, 1)[0]
    name = match["name"] if match else word.lstrip("\\")
    if match is None or name in _REFUSED:
        raise NotSupported(_REFUSED.get(name, f"{word} is not known here: {SUPPORTED} are."))
    modes = {"x": "x", "timing": "timing", "conninfo": "conninfo", "q": "quit", "echo": "echo"}
    if name in modes:
        return Described(mode=modes[name], text=line.partition(" ")[2].strip())
    pattern = match["pattern"]
    if name in {"list", "l"}:
        return Described(query=_LISTS["l"], params=(_regex(pattern),))
    if name == "dg":
        name = "du"
    if name in _LISTS:
        return Described(query=_LISTS[name], params=(_regex(pattern.rpartition(".")[2]),))
    if name == "d" and pattern:
        return Described(query=_FIND.format(where=_where(pattern)), params=_names(pattern), each=True)
    kinds = name[1:]
    if name[0] == "d" and all(kind in _KINDS for kind in kinds):
        wanted = ",".join(_KINDS[kind] for kind in kinds) or "'r','p','v','m','S','f'"
        more = _SIZE if match["plus"] or match["more"] else ""
        query = _RELATIONS.format(kinds=wanted, more=more, where=_where(pattern))
        return Described(query=query, params=_names(pattern))
    raise NotSupported(f"\\{name} is not known here: {SUPPORTED} are.")


def _names(pattern: str) -> tuple[str, ...]:
    schema, dot, name = pattern.rpartition(".")
    return (_regex(name), _regex(schema)) if dot else (_regex(name),)


def _where(pattern: str) -> str:
    """A pattern names visible relations, or those of a schema; without one, what is not the server's own."""
    if "." in pattern:
        return "c.relname ~ $1 AND n.nspname ~ $2"
    return f"c.relname ~ $1 AND {'pg_table_is_visible(c.oid)' if pattern else _OWN}"


def _regex(pattern: str) -> str:
    """psql's pattern as a regular expression: `*` is anything, `?` is one letter; quotes are left out."""
    plain = re.sub(r"[^\w*?-]", lambda m: "" if m[0] == '"' else f"\\{m[0]}", pattern)
    return f"^({plain.replace('$', chr(92) + '$').replace('*', '.*').replace('?', '.') or '.*'})$"
