"""SQL over a connection of its own: statement by statement, values as parameters of the server.

What only reads runs in one read-only transaction; everything else runs as it would in psql, each statement by
itself unless the text opens a transaction. Results are printed as psql prints them, and bounded.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import RawCursor, capabilities, generators, pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from checks.choices import TargetKind
from checks.probes import Place
from runbooks import sql_values
from runbooks.choices import Risk
from runbooks.executors import CannotStart, Job, Launch, sql_describe, sql_wall, tables

KEPT_ROWS = 1000
CONNECT_S = 10
# A lock that is not free soon would make everybody behind this statement wait as well.
LOCK_S = 10
# The server gives up before the supervisor does, so that its own sentence is seen.
_MARGIN_S = 2
_FETCHED = 500
_FAILED, _NO_CONNECTION = 1, 2
_NUMBERS = frozenset({20, 21, 23, 26, 700, 701, 790, 1700})
_TRANSACTION = frozenset("BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE".split())


def launch(job: Job) -> Launch:
    """The call that carries out SQL. Refuses what must not or cannot be sent, before anything is."""
    place = job.places.get(TargetKind.POSTGRES) or Place(job.env.get("DATABASE_URL", ""))
    if not place.address:
        raise CannotStart(
            "This environment has no PostgreSQL target, so SQL cannot run here: an admin can register one."
        )
    limit = max(1, job.timeout_s - _MARGIN_S)
    script = sql_values.statements(job.script)
    if job.risk == Risk.READ:
        _require_harmless(script, limit)
    _require_known(script)
    # The command's directory is named for its run.
    where = conninfo(place, limit, f"erpops run {job.home.parent.name}", read_only=job.risk == Risk.READ)
    session = Session(where, script, job.values, job.risk)
    return Launch(call=partial(carry_out, session), env=job.env)


def conninfo(place: Place, limit_s: int, name: str, *, read_only: bool) -> str:
    """Where and how to connect, with the limits that the server keeps. Raises CannotStart."""
    # With the connection, not by SET: behind a pooler a SET would stay with a session that others use next.
    options = f"-c statement_timeout={limit_s * 1000} -c lock_timeout={LOCK_S * 1000}"
    # So that the server sees strings where the lexers here see them.
    options += " -c standard_conforming_strings=on"
    options += " -c default_transaction_read_only=on" if read_only else ""
    given: dict[str, Any] = {"application_name": name, "connect_timeout": CONNECT_S, "client_encoding": "UTF8"}
    if place.credential:
        given["password"] = place.credential
    try:
        own = str(conninfo_to_dict(place.address).get("options") or "")
        return make_conninfo(place.address, **given, options=f"{own} {options}".strip())
    except psycopg.ProgrammingError as error:
        raise CannotStart(
            "The PostgreSQL target's address cannot be read: write postgresql://user@host/name."
        ) from error


def _require_harmless(script: Iterable[str], limit_s: int) -> None:
    for statement in script:
        if not statement.startswith("\\") and (reason := sql_wall.objection(statement, limit_s=limit_s)):
            raise CannotStart(f"Not sent: {reason}")


def _require_known(script: Iterable[str]) -> None:
    for statement in script:
        if statement.startswith("\\"):
            try:
                sql_describe.read(statement)
            except sql_describe.NotSupported as error:
                raise CannotStart(str(error)) from error
        elif "\\g" in statement or "\\watch" in statement:
            raise CannotStart("\\g and \\watch at the end of a statement are not known here: end it with a semicolon.")


@dataclass
class Session:
    """One script on its way: `expanded` and `timed` are psql's \\x and \\timing, `sent` the statement of now.

    `printed`: there is a table above, from which the next one is set apart.
    """

    conninfo: str
    script: list[str]
    values: Mapping[str, str]
    risk: str
    expanded: bool = False
    timed: bool = False
    sent: str = ""
    printed: bool = False

    @property
    def reads_only(self) -> bool:
        return self.risk == Risk.READ


def carry_out(session: Session) -> int:
    """Connect and run the script up to its first error: 0, 1 for an error, 2 without a connection."""
    try:
        connection = psycopg.connect(session.conninfo, autocommit=True, cursor_factory=RawCursor)
    except psycopg.Error as error:
        print(str(error).strip(), file=sys.stderr)
        return _NO_CONNECTION
    connection.add_notice_handler(_notice)
    with connection:
        try:
            if session.reads_only:
                # Once a query has run, no statement can make the transaction writable again.
                connection.execute("BEGIN READ ONLY").connection.execute("SELECT 1")
            for statement in session.script:
                if not _one(session, connection, statement):
                    break
        except psycopg.Error as error:
            _explain(error, session.sent)
            return _NO_CONNECTION if connection.broken else _FAILED
    return 0


def _one(session: Session, connection: psycopg.Connection[Any], statement: str) -> bool:
    """Run one statement and print what comes of it; False when the script says to end."""
    began = time.monotonic()
    if statement.startswith("\\"):
        return _described(session, connection, _with_values(statement, session.values))
    if session.reads_only and (word := _first_word(statement)) in _TRANSACTION:
        print(f"{word} is left out: everything here runs in one read-only transaction.", file=sys.stderr)
        return True
    filled = sql_values.fill(statement, session.values)
    text = sql.Composed(filled.text).as_string(connection)
    _send(session, connection, text, filled.params)
    if session.timed:
        print(f"Time: {(time.monotonic() - began) * 1000:.3f} ms")
    return True


def _send(session: Session, connection: psycopg.Connection[Any], text: str, params: list[str]) -> None:
    session.sent = text
    if _first_word(text) == "COPY":
        _copy(connection, text)
        return
    result = _Result()
    for part in _parts(connection, text, params):
        result.take(part)
    if result.head:
        _print(session, result)
    elif result.status:
        print(result.status)


def _first_word(statement: str) -> str:
    """What kind of statement it is: a comment may follow its word without a space."""
    return re.split(r"[^A-Za-z]", statement, maxsplit=1)[0].upper()


@dataclass
class _Result:
    """What a statement gave: its first rows, how many there were, and the server's word for it."""

    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    total: int = 0
    right: frozenset[int] = frozenset()
    status: str = ""

    def take(self, part: pq.abc.PGresult) -> None:
        columns = range(part.nfields)
        if columns:
            self.head = [(part.fname(column) or b"").decode() for column in columns]
            self.right = frozenset(column for column in columns if part.ftype(column) in _NUMBERS)
        self.total += part.ntuples
        for row in range(min(part.ntuples, KEPT_ROWS - len(self.rows))):
            self.rows.append([_shown(part.get_value(row, column)) for column in columns])
        self.status = (part.command_status or b"").decode()


def _shown(value: bytes | None) -> str:
    """A value as the server writes it, no more of it than a table shows."""
    if value is None:
        return "NULL"
    # A letter has at most four bytes.
    if len(value) <= 4 * tables.LONGEST_CELL:
        return tables.cell(value.decode("utf-8", "replace"))
    return tables.cell(value[: 4 * tables.LONGEST_CELL].decode("utf-8", "replace"), len(value))


def _parts(connection: psycopg.Connection[Any], text: str, params: list[str]) -> Iterator[pq.abc.PGresult]:
    """The result in parts, so that a million rows are counted without being held. Raises psycopg.Error."""
    server = connection.pgconn
    server.send_query_params(text.encode(), [value.encode() for value in params])
    if capabilities.has_stream_chunked():
        server.set_chunked_rows_mode(_FETCHED)
    else:
        server.set_single_row_mode()
    connection.wait(generators.send(server))
    failed: psycopg.Error | None = None
    while (part := connection.wait(generators.fetch(server))) is not None:
        if part.status == pq.ExecStatus.FATAL_ERROR:
            failed = psycopg.errors.error_from_result(part, "utf-8")
        elif part.status in {pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH}:
            raise psycopg.NotSupportedError("This copies rows in a way that is not known here.")
        else:
            yield part
    if failed is not None:
        raise failed


def _print(session: Session, result: _Result) -> None:
    rows = result.rows
    lines = (
        tables.records(result.head, rows) if session.expanded else tables.table(result.head, rows, right=result.right)
    )
    print("\n".join([*([""] if session.printed else []), *lines, tables.footer(len(rows), result.total)]))
    session.printed = True
    if len(rows) < result.total:
        print(f"Only the first {KEPT_ROWS:,} rows are shown: ask for fewer with LIMIT.", file=sys.stderr)


def _copy(connection: psycopg.Connection[Any], text: str) -> None:
    """COPY … TO STDOUT: the rows as they come; nothing can be copied in, for there is no input."""
    cursor = connection.cursor()
    sys.stdout.flush()
    with cursor.copy(text.encode()) as copy:
        for data in copy:
            sys.stdout.buffer.write(bytes(data))
    sys.stdout.buffer.flush()


def _described(session: Session, connection: psycopg.Connection[Any], line: str) -> bool:
    asked = sql_describe.read(line)
    if asked.mode == "quit":
        return False
    if asked.mode == "x":
        session.expanded = not session.expanded
        print(f"Expanded display is {'on' if session.expanded else 'off'}.")
    elif asked.mode == "timing":
        session.timed = not session.timed
        print(f"Timing is {'on' if session.timed else 'off'}.")
    elif asked.mode == "echo":
        print(asked.text)
    elif asked.mode == "conninfo":
        info = connection.info
        print(
            f'You are connected to database "{info.dbname}" as user "{info.user}" on host "{info.host}" '
            f'at port "{info.port}".'
        )
    elif asked.each:
        _relations(session, connection, asked, line)
    else:
        _send(session, connection, asked.query, list(asked.params))
    return True


def _relations(session: Session, connection: psycopg.Connection[Any], asked: sql_describe.Described, line: str) -> None:
    session.sent = asked.query
    found = connection.execute(asked.query.encode(), list(asked.params)).fetchall()
    if not found:
        print(f'Did not find any relation named "{line.rsplit(None, 1)[-1]}".', file=sys.stderr)
    for oid, name in found[:20]:
        print(f'"{name}"')
        _send(session, connection, sql_describe.COLUMNS, [oid])
        for title, query in sql_describe.PARTS.items():
            rows = connection.execute(query.encode(), [oid]).fetchall()
            if rows:
                print("\n".join([title, *(f"    {row[0]}" for row in rows)]))


def _with_values(line: str, values: Mapping[str, str]) -> str:
    return sql_values.REFERENCE.sub(lambda match: values.get(match[1], match[0]), line)


def _notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    print(f"{diagnostic.severity}:  {diagnostic.message_primary}", file=sys.stderr)
    for name, text in (("DETAIL", diagnostic.message_detail), ("HINT", diagnostic.message_hint)):
        if text:
            print(f"{name}:  {text}", file=sys.stderr)


def _explain(error: psycopg.Error, sent: str) -> None:
    """The server's own words, the place in the text, what it advises."""
    sys.stdout.flush()
    diagnostic = error.diag
    if diagnostic.message_primary is None:
        print(f"ERROR:  {str(error).strip()}", file=sys.stderr)
        return
    print(f"{diagnostic.severity}:  {diagnostic.message_primary}", file=sys.stderr)
    if diagnostic.statement_position and diagnostic.statement_position.isdecimal():
        at = int(diagnostic.statement_position) - 1
        number, start = sent.count("\n", 0, at) + 1, sent.rfind("\n", 0, at) + 1
        lead = f"LINE {number}: "
        print(f"{lead}{sent[start:].splitlines()[0] if sent[start:] else ''}", file=sys.stderr)
        print(f"{' ' * (len(lead) + at - start)}^", file=sys.stderr)
    for name, text in (
        ("DETAIL", diagnostic.message_detail),
        ("HINT", diagnostic.message_hint),
        ("CONTEXT", diagnostic.context),
    ):
        if text:
            print(f"{name}:  {text}", file=sys.stderr)
