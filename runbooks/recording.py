"""The supervisor's line to PostgreSQL: a thread that stores output, renews the lease and hears of stops.

Everything that it was given is on disk already, so it may fall behind and be lost: the reaper can
record the same from the spool.
"""

import logging
import threading
import time
from contextlib import suppress

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, connections

from checks import credentials
from erpops import claims
from runbooks import runner
from runbooks.models import CommandRun, OutputChunk
from runbooks.runner import LEASE_S, Outcome

logger = logging.getLogger(__name__)

RENEW_S = 5.0
LOOK_S = 0.5
RETRY_S = 0.5
# One statement's worth of chunks: about a megabyte.
BATCH = 128


class Recorder:
    """Runs in a thread of its own from `start` on; the supervisor reads its plain attributes.

    `renewed_at` is when (monotonic) the lease was last seen to be ours, `fenced` that it is not any
    more, `stop_requested` that a person wants the command to end.
    """

    def __init__(self, run: CommandRun, *, held_since: float) -> None:
        self.run = run
        self.renewed_at = held_since
        self.fenced = False
        self.stop_requested = False
        self._chunks: list[OutputChunk] = []
        self._total = self._dropped = self._told_total = 0
        self._outcome: Outcome | None = None
        self._bell = threading.Condition()
        self._done = threading.Event()
        self._recorded = False
        self._next_renewal = self.renewed_at + RENEW_S
        self._next_look = 0.0
        self._handed_out = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="recorder")

    def start(self) -> None:
        """Begin. The caller's connection goes over to the thread: from now on the caller asks the database nothing."""
        self._connection = connections[DEFAULT_DB_ALIAS]
        self._connection.inc_thread_sharing()
        self._thread.start()

    def give(self, chunks: list[OutputChunk], *, total: int, dropped: int) -> None:
        """More output, in order, and how much there has been in all."""
        with self._bell:
            self._chunks += chunks
            self._total, self._dropped = total, dropped
            if chunks:
                self._bell.notify()

    def finish(self, outcome: Outcome, *, within: float) -> bool:
        """Record the rest and the end; False if that was not possible in `within` seconds."""
        with self._bell:
            self._outcome = outcome
            self._bell.notify()
        self._done.wait(within)
        return self._recorded

    def _work(self) -> None:
        connections[DEFAULT_DB_ALIAS] = self._connection
        # Connected before there is something to say: the first line should not wait for it.
        with suppress(DatabaseError, InterfaceError):
            connection.ensure_connection()
        while not self._done.is_set():
            with self._bell:
                if not self._chunks and self._outcome is None:
                    self._bell.wait(LOOK_S)
            try:
                self._turn()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Run %s: the database did not answer: %s", self.run.pk, str(error).strip()[:200])
                connection.close()
                time.sleep(RETRY_S)
            except Exception:
                logger.exception("Run %s: recording failed; trying again", self.run.pk)
                connection.close()
                time.sleep(RETRY_S)

    def _turn(self) -> None:
        if self.fenced:
            # Somebody else has decided about this attempt: nothing of ours may be written any more.
            self._done.set()
            return
        self._store()
        if not self.fenced and time.monotonic() >= self._next_look:
            self._look()
        if self._outcome is not None and not self._chunks and not self.fenced:
            self._recorded = runner.finish(run=self.run, outcome=self._outcome)
            self._done.set()

    def _store(self) -> None:
        """One batch; the figures alone at most once a look, however fast a flood moves them."""
        with self._bell:
            batch, total, dropped = self._chunks[:BATCH], self._total, self._dropped
        figures = total != self._told_total and (self._outcome is not None or time.monotonic() >= self._next_look)
        if not batch and not figures:
            return
        if not runner.record_output(run=self.run, chunks=batch, output_bytes=total, dropped_bytes=dropped):
            self.fenced = True
            return
        with self._bell:
            del self._chunks[: len(batch)]
        self._told_total = total
        if batch:
            self.run.output_seq = batch[-1].seq

    def _look(self) -> None:
        """One short query: is the attempt still ours, should it stop; and the renewal when it is due."""
        asked_at = time.monotonic()
        self._next_look = asked_at + LOOK_S
        row = claims.held(self.run).values_list("stop_requested_at").first()
        if row is None:
            self.fenced = True
            return
        self.stop_requested = row[0] is not None
        if asked_at >= self._next_renewal:
            if not claims.renew(self.run, lease_s=LEASE_S):
                self.fenced = True
                return
            self.renewed_at, self._next_renewal = asked_at, asked_at + RENEW_S
        if not self._handed_out:
            # Not before: neither the start nor the first line waits for it.
            self._handed_out = True
            credentials.handed_to_commands(self.run.step_run.execution.environment)
