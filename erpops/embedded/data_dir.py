"""The data directory: ours, writable, and used by one `up` at a time."""

import fcntl
import os
import pwd
from pathlib import Path
from types import TracebackType
from typing import Self

from erpops.embedded.errors import EmbeddedError


def claim(data_dir: Path) -> None:
    """Make the directory (0700) or check that it can be used; EmbeddedError says what to do instead."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = data_dir.stat().st_uid
        if owner != os.geteuid():
            raise EmbeddedError(
                f"The data directory {data_dir} belongs to {_name(owner)}, you are {_name(os.geteuid())}: "
                f"start as {_name(owner)}, or choose another directory with --data."
            )
        for folder in ("run", "logs", "secrets", "spool"):
            (data_dir / folder).mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise EmbeddedError(
            f"{error.filename} is a file, not a directory: choose a data directory with --data."
        ) from error
    except OSError as error:
        raise EmbeddedError(
            f"The data directory {data_dir} cannot be used ({error.strerror}): choose another with --data."
        ) from error


class Lock:
    """Held while `up` runs; the kernel gives it back when the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def __enter__(self) -> Self:
        self._file = (self._data_dir / "run" / "up.lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise EmbeddedError(
                f"the data directory {self._data_dir} is already in use by process {holder}: "
                f"stop that one, or choose another directory with --data."
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
