"""The services file: which servers and processes belong to a data directory right now.

Settings read it when DATABASE_URL or REDIS_URL is unset, so this module imports nothing but the
standard library.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

FILE_NAME = "services.json"
PORTS_NAME = "ports.json"


def services_path(data_dir: str | os.PathLike[str]) -> Path:
    return Path(data_dir) / "run" / FILE_NAME


def read(data_dir: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What `up` wrote while its servers run: database_url, redis_url, url, pids; None when nothing runs."""
    return _read_object(services_path(data_dir))


def write(data_dir: str | os.PathLike[str], services: dict[str, Any]) -> None:
    write_private(services_path(data_dir), json.dumps(services, indent=1) + "\n")


def clear(data_dir: str | os.PathLike[str]) -> None:
    services_path(data_dir).unlink(missing_ok=True)


def remembered_port(data_dir: str | os.PathLike[str], name: str) -> int | None:
    """The port that `name` had the last time, which outlives a stop."""
    port = (_read_object(Path(data_dir) / "run" / PORTS_NAME) or {}).get(name)
    return port if isinstance(port, int) else None


def remember_port(data_dir: str | os.PathLike[str], name: str, port: int) -> None:
    path = Path(data_dir) / "run" / PORTS_NAME
    ports = _read_object(path) or {}
    if ports.get(name) != port:
        write_private(path, json.dumps({**ports, name: port}) + "\n")


def password(data_dir: str | os.PathLike[str], name: str) -> str:
    """The random password of `name`, made and stored (0600) the first time it is asked for."""
    return password_path(data_dir, name).read_text().strip()


def password_path(data_dir: str | os.PathLike[str], name: str) -> Path:
    """The file that holds the password of `name`, made the first time."""
    path = Path(data_dir) / "secrets" / f"{name}-password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24) + "\n")
    return path


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, never readable by others, never half written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None
