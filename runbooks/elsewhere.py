"""What a command that was ended here may have left running in containers.

The real clients leave the process of an `exec` running when they are ended, and say nothing. The stand-ins end it
where they can, and leave a note where they cannot.
"""

import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from runbooks.standins import launchers
from runbooks.standins.elsewhere import FOLDER

_STARTS_THERE = re.compile(
    r"\b(?P<program>docker|docker-compose|podman|nerdctl|kubectl|oc|crictl)\b(?:\s+(?!exec\b|run\b)[^\s|;&]+)*\s+"
    r"(?P<verb>exec|run)\b(?P<rest>[^|;&\n]*)"
)
# Options before the first plain word; what follows an option may be its value.
_OPTIONS = re.compile(r"(?:\s+-\S+(?:\s+(?!-)\S+)?)*")
_DETACHED = re.compile(r"\s(-[a-zA-Z]*d[a-zA-Z]*|--detach(=true)?)(?=\s|$)")
_MOST, _LONGEST = 3, 60


def left(*, script: str, env: Mapping[str, str], home: Path) -> str:
    """A sentence on what may go on elsewhere after a command was ended by force; empty if there is nothing known."""
    notes = _notes(home / FOLDER)
    for found in _STARTS_THERE.finditer(script):
        # A stand-in keeps notes; a real client's words are all that is known of it.
        path = shutil.which(found["program"], path=env.get("PATH", ""))
        real = path is not None and Path(path).parent != launchers.folder()
        options = _OPTIONS.match(found["rest"])
        if real and options and not _DETACHED.search(options[0]):
            notes.append(f"what `{found['program']} {found['verb']}` started")
    if not notes:
        return ""
    named = list(dict.fromkeys(notes))
    more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
    return f"It was ended here, but this may go on: {', '.join(named[:_MOST])}{more}."


def _notes(folder: Path) -> list[str]:
    """What lies there, as far as the command could have written it: it may have put links and pipes there instead."""
    try:
        owner = folder.parent.stat().st_uid
        found = [_note(path, owner) for path in sorted(folder.iterdir())]
    except OSError:
        return []
    return [note for note in found if note]


def _note(path: Path, owner: int) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        ours = stat.S_ISREG(about.st_mode) and about.st_uid == owner
        return file.read(4 * _LONGEST).decode("utf-8", "replace")[:_LONGEST] if ours else ""
