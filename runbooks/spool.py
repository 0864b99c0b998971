"""What a supervisor keeps on its own disk: output chunks and the end of the attempt, both durable.

`<data>/spool/<run id>/` holds `output` (records), `exit.json` (only when the end is known),
`supervisor.pid`, `group` (where its processes are), `taken` (another process has ended what ran) and `work/`, the
command's directory. From it the end and the output of an attempt can be recorded by another process when the
supervisor could not reach PostgreSQL.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from django.conf import settings

from erpops import pids
from runbooks import containment
from runbooks.command_user import Identity
from runbooks.models import OutputChunk

_HEADER_LIMIT = 4096


@dataclass(frozen=True)
class Exit:
    """The end of an attempt as its supervisor saw it; the fields of `runner.Outcome` and the output's figures.

    `started_at` tells it from an attempt of that number in another database, such as one before a restore.
    """

    started_at: str
    status: str
    exit_code: int | None
    reason: str
    ended_at: str
    output_bytes: int
    dropped_bytes: int
    last_seq: int


class Spool:
    """The directory of one attempt."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.path = root() / str(run_id)
        self._output: BinaryIO | None = None

    @property
    def work(self) -> Path:
        """The command's working directory and home."""
        return self.path / "work"

    def create(self, *, group: Path | None = None, owner: Identity | None = None) -> None:
        """Make the directory. One that is there belongs to another database's run of that number, long over.

        `group` is where the attempt's processes will be, for who has to end them without their supervisor.
        `owner` is whose the command's own directory is; to all the rest of it only this process's user has access.
        """
        root().mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.exists() and not self.supervised():
            self.remove()
        self.path.mkdir(mode=0o700)
        self.work.mkdir(mode=0o700)
        if owner is not None:
            os.chown(self.work, owner.uid, owner.gid)
            os.chown(self.path, -1, owner.gid)
            # The attempt's own group may pass; nobody may look around.
            self.path.chmod(0o710)
        with self._private("supervisor.pid", "w") as file:
            file.write(pids.identity())
        if group is not None:
            with self._private("group", "w") as file:
                file.write(str(group))
        self._output = cast(BinaryIO, self._private("output", "ab"))
        _sync_directory(self.path)

    def hand_over(self, files: Mapping[str, str], *, owner: Identity | None = None) -> None:
        """Write files below the command's directory, readable by it alone. Raises `OSError`."""
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        if owner is not None:
            # Nothing else is there yet.
            for path in self.work.rglob("*"):
                os.chown(path, owner.uid, owner.gid, follow_symlinks=False)

    def append(self, chunks: list[OutputChunk]) -> None:
        """Write chunks so that they survive this process and the machine's power."""
        if not chunks:
            return
        assert self._output is not None
        for chunk in chunks:
            head = {
                "seq": chunk.seq,
                "stream": chunk.stream,
                "at": chunk.at.isoformat(),
                "line": chunk.line,
                "cont": chunk.cont,
                "style": chunk.style,
                "size": len(chunk.data),
            }
            self._output.write(json.dumps(head).encode() + b"\n" + chunk.data)
        self._output.flush()
        os.fdatasync(self._output.fileno())

    def close_with(self, end: Exit) -> None:
        """Write the end, whole or not at all."""
        written = self.path / ".exit.json"
        with self._private(written.name, "w") as file:
            json.dump(end.__dict__, file)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self.path / "exit.json")
        _sync_directory(self.path)

    def exit(self) -> Exit | None:
        """The recorded end, or None while there is none."""
        try:
            return Exit(**json.loads((self.path / "exit.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def chunks(self, *, after: int) -> Iterator[OutputChunk]:
        """The whole records with a number above `after`; a record that was cut off by a crash ends it."""
        try:
            file = (self.path / "output").open("rb")
        except OSError:
            return
        with file:
            while head := _header(file):
                data = file.read(head["size"])
                if len(data) < head["size"]:
                    return
                if head["seq"] > after:
                    yield self._chunk(head, data)

    def supervisor(self) -> tuple[int, str | None]:
        """Pid and start time of the process that wrote this directory."""
        return pids.read_identity(self.path / "supervisor.pid")

    def supervised(self) -> bool:
        """Whether that process still runs."""
        return pids.is_same(*self.supervisor())

    def group(self) -> Path | None:
        """The group of the attempt's processes, None where the machine has none or none is written down."""
        try:
            path = Path((self.path / "group").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return path if containment.is_group(path) else None

    def take(self) -> None:
        """Say that what runs here is ended by another process than its supervisor."""
        (self.path / "taken").touch()

    def taken(self) -> bool:
        return (self.path / "taken").exists()

    def exists(self) -> bool:
        return self.path.is_dir()

    def remove(self) -> None:
        """Forget the attempt, once its end is in PostgreSQL."""
        if self._output is not None:
            # What does not fit onto a full disk is not needed any more.
            with suppress(OSError):
                self._output.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _private(self, name: str, mode: str) -> IO[Any]:
        """A file of the supervisor's, which the command may not read though it passes by."""
        encoding = None if "b" in mode else "utf-8"
        return open(self.path / name, mode, encoding=encoding, opener=partial(os.open, mode=0o600))

    def _chunk(self, head: dict[str, Any], data: bytes) -> OutputChunk:
        return OutputChunk(
            run_id=self.run_id,
            seq=head["seq"],
            stream=head["stream"],
            at=datetime.fromisoformat(head["at"]),
            line=head["line"],
            cont=head["cont"],
            style=head["style"],
            data=data,
        )


def root() -> Path:
    """Where the spools of this machine's supervisors are."""
    return Path(settings.DATA_DIR) / "spool"


def run_ids() -> list[int]:
    """The attempts that have a directory here."""
    try:
        return sorted(int(path.name) for path in root().iterdir() if path.name.isdigit())
    except OSError:
        return []


def _header(file: BinaryIO) -> dict[str, Any] | None:
    line = file.readline(_HEADER_LIMIT)
    try:
        head = json.loads(line)
    except ValueError:
        return None
    return head if isinstance(head, dict) else None


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
