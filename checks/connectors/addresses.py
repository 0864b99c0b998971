"""Reading the addresses that people type; a password in one is taken out to where secrets are kept."""

import re
from collections.abc import Callable, Collection
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit, urlunsplit

from checks.probes.tcp import host_and_port

Clean = Callable[[str], tuple[str, str]]


def url(schemes: Collection[str], sentence: str, **renamed: str) -> Clean:
    """A URL with one of the schemes; `renamed` maps a scheme to the one that is kept."""

    def clean(text: str) -> tuple[str, str]:
        try:
            parts = urlsplit(text.strip())
            fits = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(sentence)
        return without_password(parts._replace(scheme=renamed.get(parts.scheme, parts.scheme)))

    return clean


def without_password(parts: SplitResult) -> tuple[str, str]:
    """The URL without its password, and the password."""
    if parts.password is None:
        return urlunsplit(parts), ""
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=user + place)), unquote(parts.password)


def path(text: str) -> tuple[str, str]:
    """A full path on the worker's machine."""
    if not text.startswith("/"):
        raise ValueError("Write a full path, such as /var/lib.")
    return text, ""


def port(text: str) -> tuple[str, str]:
    """host:port."""
    host_and_port(text)
    return text, ""


def engine(text: str) -> tuple[str, str]:
    """A Docker engine: a socket's path or tcp://host:port."""
    parts = urlsplit(text.strip())
    if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
        return text.strip(), ""
    if parts.scheme == "tcp" and parts.hostname and _port_of(parts):
        return text.strip(), ""
    raise ValueError("Write unix:///var/run/docker.sock, or tcp://host:2376 for an engine with TLS.")


def project(text: str) -> tuple[str, str]:
    """A Compose project: its engine's address and ?project=name."""
    where, _, query = text.strip().partition("?")
    name = parse_qs(query).get("project", [""])[0]
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ValueError("Name the project behind the engine: unix:///var/run/docker.sock?project=shop.")
    return f"{engine(where)[0]}?project={name}", ""


def _port_of(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None
