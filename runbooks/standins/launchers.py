"""Folders of launchers on a command's PATH: stand-ins last, so that a real program wins; the SSH clients first.

OpenSSH looks for its configuration where the account lives and not in HOME, so its clients are told where it is.
"""

import os
import shlex
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from django.conf import settings

NAMES = ("docker", "docker-compose", "kubectl", "redis-cli", "valkey-cli")
_ROOT = Path(__file__).resolve().parents[2]
# Isolated: neither the command's variables nor its directory decide what Python loads.
_LAUNCHER = """#!/bin/sh
exec {python} -I -c {code} "$@"
"""

_CLIENTS = ("ssh", "scp", "sftp")
_CLIENT = """#!/bin/sh
exec {program} -F "$HOME/.ssh/config" "$@"
"""


def folder() -> Path:
    """The directory with one launcher for each stand-in, made or brought up to date when it is asked for first."""
    return _made(settings.DATA_DIR / "standins", sys.executable)


@cache
def _made(place: Path, python: str) -> Path:
    _open_folder(place)
    for name in NAMES:
        code = (
            f"import sys; sys.path.append({str(_ROOT)!r}); from runbooks.standins import start; start.start({name!r})"
        )
        text = _LAUNCHER.format(python=shlex.quote(python), code=shlex.quote(code))
        launcher = place / name
        if not launcher.exists() or launcher.read_text(encoding="utf-8") != text:
            _put(launcher, text)
    return place


def clients() -> Path:
    """The directory with SSH clients that read the configuration in HOME, of those that this machine has."""
    return _clients_in(settings.DATA_DIR / "clients")


@cache
def _clients_in(place: Path) -> Path:
    _open_folder(place)
    for name in _CLIENTS:
        if program := shutil.which(name):
            _put(place / name, _CLIENT.format(program=shlex.quote(program)))
    return place


def _open_folder(place: Path) -> None:
    """Commands may run as another user than the one that makes the folder."""
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)


def _put(launcher: Path, text: str) -> None:
    """In one step: several workers share the directory, and one may be starting a command from it."""
    handle, written = tempfile.mkstemp(dir=launcher.parent, prefix=".")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    path = Path(written)
    path.chmod(0o755)
    path.replace(launcher)
