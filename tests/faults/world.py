"""What really happened, kept outside of the database: the only judge of tests that break things.

Three ledgers. *Effects*: every real execution of a test's command leaves its attempt's token, durably (a line in
a file, a row in a table of another database, a request to a server), or else its own directory's name. *Pages*: what
a mail or web server took, by the key that it carried. *Senders*: the alerts that somebody was told are stored.
"""

import os
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_HOME = re.compile(r"/spool/(\d+)/work$")
_MAKE_TABLE = "CREATE TABLE IF NOT EXISTS world_effect (attempt text NOT NULL)"


class World:
    """The ledgers of one test. `folder` is its own; `database_url` names a database that no test empties."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.file = folder / "effects"
        self.database_url = database_url
        # Attempt → the exit status that it really ends with when nobody ends it.
        self.promised: dict[int, int] = {}
        # Names of alerts whose senders were told that they are stored.
        self.acknowledged: list[str] = []
        # Gives the keys (their first 32 characters) of pages that a receiver took; None where nobody looks.
        self.taken: Callable[[], list[str]] | None = None
        self._tokens: dict[str, int] = {}
        self._requested: list[str] = []
        self._table_made = False

    def token(self) -> str:
        """What one attempt's command is to leave behind."""
        return f"attempt-{uuid.uuid4().hex}"

    def promise(self, run_id: int, token: str, exit_code: int) -> None:
        """The attempt leaves `token` and is going to end with `exit_code`."""
        self._tokens[token] = run_id
        self.promised[run_id] = exit_code

    def effects(self) -> Counter[int]:
        """How often the command of each attempt was really executed; 0 stands for attempts that nobody knows."""
        lines = self.file.read_text().split() if self.file.exists() else []
        return Counter(self._run_of(left) for left in [*lines, *self._requested, *self._rows()])

    def table(self) -> str:
        """The name of the table where SQL leaves its effects, made when first asked for."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(_MAKE_TABLE)
        self._table_made = True
        return "world_effect"

    @contextmanager
    def server(self) -> Iterator[str]:
        """The address of a web server that keeps a request's body, else its path's end, before it answers."""
        requested = self._requested

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
                requested.append(body or self.path.rpartition("/")[2])
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"ok\r\n")

            def log_message(self, *args: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            server.server_close()

    def _run_of(self, left: str) -> int:
        home = _HOME.search(left)
        return int(home.group(1)) if home else self._tokens.get(left, 0)

    def _rows(self) -> list[str]:
        if not self._table_made:
            return []
        with psycopg.connect(self.database_url) as connection:
            wanted = sql.SQL("SELECT attempt FROM world_effect WHERE attempt = ANY(%s)")
            return [str(row[0]) for row in connection.execute(wanted, [list(self._tokens)])]


def is_stopped(pid: int) -> bool:
    """Whether a process stands still after SIGSTOP."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"T", "t"}
    except OSError:
        return False


def wait_status(pid: int) -> int | None:
    """The exit status of a child as `subprocess` gives it (negative for a signal); None while it lives."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None
