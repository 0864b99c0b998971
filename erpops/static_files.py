"""Collecting static files: hashed names and compressed copies, made again when a source changed."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.test.utils import override_settings

_STORAGE = "servestatic.storage.CompressedManifestStaticFilesStorage"


def collect() -> bool:
    """Bring STATIC_ROOT up to date; whether there was anything to do.

    In debug mode files are served from where they lie, and nothing is collected.
    """
    stamp = Path(settings.STATIC_ROOT) / "sources.sha256"
    state = _sources()
    if settings.DEBUG or (stamp.exists() and stamp.read_text(encoding="ascii") == state):
        return False
    # The running process may have chosen plain storage because nothing was collected yet.
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": _STORAGE}}
    with override_settings(STORAGES=storages):
        call_command("collectstatic", interactive=False, clear=stamp.exists(), verbosity=0)
    stamp.write_text(state, encoding="ascii")
    return True


def _sources() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            about = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()
