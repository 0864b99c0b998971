"""One small process per command: it owns the process tree, the output and the truth about the end.

`spares` says where it comes from. One thread drains the pipes into the spool and watches the clocks, a
second one (`recording`) speaks to PostgreSQL, so that a database that is away never blocks the command.
"""

import logging
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.db import connections

from erpops import clock
from erpops.failpoints import failpoint
from runbooks import elsewhere, limits, runner
from runbooks.calling import Verdict, become
from runbooks.choices import RunStatus
from runbooks.containment import Containment
from runbooks.cutting import Cutter
from runbooks.executors import Launch
from runbooks.launcher import Launcher
from runbooks.recording import Recorder
from runbooks.redact import Masker
from runbooks.runner import Outcome
from runbooks.spool import Exit, Spool
from runbooks.undertaking import Prepared

logger = logging.getLogger(__name__)
R = RunStatus

FLUSH_S = 0.1
# What a command leaves running may write this long after it has ended itself.
LINGER_S = 1.0
TERM_S = 5.0
TERM_AT_CONSOLE_STOP_S = 1.0
KILL_S = 5.0
# Shorter than the lease: nobody may take the attempt over while its processes live.
LEASE_LOST_S = 18.0
RECORD_S = 60.0
RECORD_AT_CONSOLE_STOP_S = 0.7
_READ_BYTES = 65536
_READS_PER_TURN = 16


@dataclass
class _Ending:
    """Why a command is being ended; `kill_at` (monotonic) is when patience is over."""

    status: RunStatus
    reason: str
    kill_at: float


class Supervision:
    """One attempt, from its start to its recorded end. Runs in the supervisor process."""

    def __init__(self, prepared: Prepared, held: Containment, launcher: Launcher) -> None:
        self.run = prepared.run
        self.held_since = prepared.held_since
        self.endless = prepared.endless
        self.held = held
        self.launcher = launcher
        self.launch = prepared.launch
        self.spool = Spool(self.run.pk)
        self.cutter = Cutter(self.run.pk)
        self.secrets = prepared.secrets
        # The streams that said something since the last flush.
        self.heard: set[str] = set()
        self.selector = selectors.DefaultSelector()
        self.ending: _Ending | None = None
        self.console_stops = False
        self.survivors = False

    def carry_out(self) -> None:
        """Start the command, watch it to its end, record the end."""
        signal.signal(signal.SIGTERM, self._on_console_stop)
        signal.signal(signal.SIGINT, self._on_console_stop)
        assert self.run.started_at is not None
        # The database's clock without another question.
        self.base, self.base_monotonic = self.run.started_at, time.monotonic()
        if not self._has_spool():
            return
        self.use = limits.Watch(self.held.limits, self.spool.work)
        self.recorder = Recorder(self.run, held_since=self.held_since)
        failpoint("command.before_spawn")
        try:
            self._require_lease()
            self.pid = self._spawn(self.launch)
        except OSError as error:
            self._refuse(f"{self.launch.name} could not be started: {error}")
            return
        failpoint("command.spawned")
        self.recorder.start()
        # Made while the program starts; nothing of it is read before.
        masker = Masker(self.secrets)
        self.maskers = {"out": masker, "err": masker.twin()}
        self._watch()
        self._conclude()

    def _enter(self) -> None:
        """In the child of a call, as the last act before it: a process may be stopped anywhere."""
        self.held.enter()
        self.held.limits.enter()
        self._require_lease()

    def _require_lease(self) -> None:
        """Raise if so much time has passed that another process may have decided about this attempt."""
        if time.monotonic() - self.held_since > LEASE_LOST_S:
            raise TimeoutError("the worker was held up for longer than it may.")

    def _refuse(self, reason: str) -> None:
        """Record that nothing was started; first on disk, so that it is known whatever becomes of the database."""
        outcome = Outcome(R.NOT_STARTED, reason=reason)
        self._write_exit(outcome)
        self.held.close()
        if runner.finish(run=self.run, outcome=outcome):
            self.spool.remove()

    def _spawn(self, launch: Launch) -> int:
        self.spool.hand_over(launch.files, owner=launch.identity)
        if launch.call is not None:
            return self._spawn_call(launch, launch.call)
        folder = Path(launch.folder) if launch.folder else self.spool.work
        pid = self.launcher.start(launch, folder=folder, latest=self.held_since + LEASE_LOST_S)
        for stream, pipe in self.launcher.outputs.items():
            self._listen(stream, pipe)
        self.began = time.monotonic()
        return pid

    def _spawn_call(self, launch: Launch, call: Callable[[], int]) -> int:
        """Like a program, but what runs is a function of this one: nothing has to be loaded anew."""
        self.launcher.dismiss()
        ends = {stream: os.pipe() for stream in ("out", "err")}
        pid = os.fork()
        if pid == 0:
            become(call, env=launch.env, home=self.spool.work, enter=self._enter, ends=ends)
        for stream, (ours, theirs) in ends.items():
            os.close(theirs)
            self._listen(stream, os.fdopen(ours, "rb", buffering=0))
        self.began = time.monotonic()
        return pid

    def _listen(self, stream: str, pipe: IO[bytes]) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.selector.register(pipe, selectors.EVENT_READ, stream)

    def _watch(self) -> None:
        """Until the command has ended and its output is drained, or everything of it was ended."""
        flushed, over_at = 0.0, None
        while over_at is None or (self.selector.get_map() and time.monotonic() - over_at < LINGER_S):
            self._drain(FLUSH_S if self.cutter.waiting or over_at or self.ending else 2 * FLUSH_S)
            now = time.monotonic()
            if now - flushed >= FLUSH_S:
                self._flush()
                flushed = now
            self.held.reap()
            if self.pid in self.held.ended:
                over_at = over_at or now
                if self.console_stops:
                    break
                continue
            self._look_at_clocks(now)
            if now >= self.use.due:
                self._look_at_use()
            if self.ending and now >= self.ending.kill_at:
                break
        self.survivors = not self.held.kill(within=1.0 if self.console_stops else KILL_S)
        self._drain(0, everything=True)

    def _drain(self, wait: float, *, everything: bool = False) -> None:
        """Read what is there. A flood is read in turns, so that the clocks are looked at meanwhile."""
        if not self.selector.get_map():
            time.sleep(min(wait, 0.05))
            return
        turns = 1_000_000 if everything else _READS_PER_TURN
        for turn in range(turns):
            ready = self.selector.select(0 if turn else wait)
            if not ready:
                return
            for key, _ in ready:
                self._read(key)
            if not self.selector.get_map():
                return

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            data = os.read(key.fd, _READ_BYTES)
        except BlockingIOError:
            return
        stream = str(key.data)
        if data:
            self.heard.add(stream)
            self.cutter.feed(stream, self.maskers[stream].feed(data), at=self._time())
            return
        self.cutter.feed(stream, self.maskers[stream].flush(), at=self._time())
        self.selector.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]

    def _flush(self, *, final: bool = False) -> None:
        for stream in self.maskers.keys() - self.heard:
            self.cutter.feed(stream, self.maskers[stream].pause(), at=self._time())
        self.heard.clear()
        chunks = self.cutter.take(at=self._time(), final=final)
        try:
            self.spool.append(chunks)
        except OSError as error:
            # What it has done so far is still known; what it does next would not be.
            self._end(R.STOPPED, f"Ended because its output could not be kept: {error.strerror}.", patience=0)
        self.recorder.give(chunks, total=self.cutter.total, dropped=self.cutter.dropped)
        if chunks:
            failpoint("output.kept")

    def _look_at_clocks(self, now: float) -> None:
        if self.recorder.fenced:
            self._end(R.OUTCOME_UNKNOWN, "Another process has taken this attempt over.", patience=0)
        elif now - self.recorder.renewed_at > LEASE_LOST_S:
            self._end(
                R.STOPPED, f"Ended because the database could not be reached for {LEASE_LOST_S:.0f} s.", patience=0
            )
        elif self.console_stops:
            self._end(R.STOPPED, "Stopped because the console was stopped.", patience=TERM_AT_CONSOLE_STOP_S)
        elif self.recorder.stop_requested:
            self._end(R.STOPPED, "Stopped on request.", patience=TERM_S)
        elif now - self.began > self.run.timeout_s:
            self._end_by_time()

    def _look_at_use(self) -> None:
        # At once: whoever uses up the machine gets no time to use up more of it.
        if said := self.held.exceeded() or self.use.look(self.held.counted()):
            self._end(R.FAILED, said, patience=0)

    def _end_by_time(self) -> None:
        if self.endless:
            reason = f"This command never ends by itself; it was watched for {self.run.timeout_s} s."
            self._end(R.SUCCEEDED, reason, patience=TERM_S)
        else:
            self._end(R.TIMED_OUT, f"It was not done after {self.run.timeout_s} s and was ended.", patience=TERM_S)

    def _end(self, status: RunStatus, reason: str, *, patience: float) -> None:
        """Begin to end the command; a more urgent cause shortens the patience of an earlier one."""
        kill_at = time.monotonic() + patience
        if self.ending is None:
            self.ending = _Ending(status, reason, kill_at)
            if patience:
                self.held.signal(signal.SIGTERM)
        elif patience < TERM_S:
            self.ending.kill_at = min(self.ending.kill_at, kill_at)

    def _conclude(self) -> None:
        for stream, masker in self.maskers.items():
            self.cutter.feed(stream, masker.flush(), at=self._time())
        self._flush(final=True)
        outcome = self._outcome(self.held.ended.get(self.pid))
        failpoint("command.ended")
        self._write_exit(outcome)
        failpoint("end.on_disk")
        self.held.close()
        patience = RECORD_AT_CONSOLE_STOP_S if self.console_stops else RECORD_S
        if self.recorder.finish(outcome, within=patience):
            failpoint("end.committed")
            connections.close_all()
            self.spool.remove()

    def _outcome(self, wait_status: int | None) -> Outcome:
        code = os.waitstatus_to_exitcode(wait_status) if wait_status is not None else None
        ended_at = self._time()
        if self.survivors:
            reason = f"Not everything of it could be ended: it may still run on {self.run.host}."
            return Outcome(R.STOP_UNCONFIRMED, code, reason, ended_at)
        if (verdict := Verdict.left_in(self.spool.path)) is not None:
            return Outcome(verdict.status, None, verdict.reason, ended_at)
        if self.ending is not None:
            return replace(self._after_force(self.ending), exit_code=code, ended_at=ended_at)
        if code is None:
            return Outcome(R.OUTCOME_UNKNOWN, None, "Its exit status was lost.", ended_at)
        if code == -signal.SIGKILL and self.spool.taken():
            # The reaper's doing while this process did not answer: not how the command would have ended.
            return Outcome(R.OUTCOME_UNKNOWN, code, "It was ended because its supervisor did not answer.", ended_at)
        # What the kernel ended between two looks, or a file's limit that only its writer has met.
        reason = self.held.exceeded() or limits.of_exit(code, self.held.limits) if code else ""
        return Outcome(R.SUCCEEDED if code == 0 else R.FAILED, code, reason, ended_at)

    def _after_force(self, ending: _Ending) -> Outcome:
        """How it ended that was ended by force: what it may have left in containers is not taken for gone."""
        left = elsewhere.left(script=self.run.script, env=self.launch.env, home=self.spool.work)
        if not left:
            return Outcome(ending.status, reason=ending.reason)
        status = ending.status if ending.status == R.SUCCEEDED else R.STOP_UNCONFIRMED
        return Outcome(status, reason=f"{ending.reason} {left}")

    def _write_exit(self, outcome: Outcome) -> None:
        ended_at = outcome.ended_at or self._time()
        assert self.run.started_at is not None
        end = Exit(
            started_at=self.run.started_at.isoformat(),
            status=outcome.status.value,
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            ended_at=ended_at.isoformat(),
            output_bytes=self.cutter.total,
            dropped_bytes=self.cutter.dropped,
            last_seq=self.cutter.seq,
        )
        try:
            self.spool.close_with(end)
        except OSError as error:
            logger.warning("The end of run %s is not on disk: %s", self.run.pk, error)

    def _time(self) -> datetime:
        """The database's time at the start, carried on by this machine's monotonic clock."""
        return self.base + clock.seconds(time.monotonic() - self.base_monotonic)

    def _has_spool(self) -> bool:
        """Make the attempt's directory; where that fails, record that nothing was started."""
        try:
            self.spool.create(group=self.held.group, owner=self.launch.identity)
        except OSError as error:
            self.spool.remove()
            reason = f"Its directory could not be made on {self.run.host}: {error.strerror}. Nothing was started."
            runner.finish(run=self.run, outcome=Outcome(R.NOT_STARTED, reason=reason))
            return False
        return True

    def _on_console_stop(self, *_: Any) -> None:
        self.console_stops = True
