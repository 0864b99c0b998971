"""What an environment gives to the commands that run in it.

An environment's own variables are plain values that people see. Providers add what is known only at
run time and never stored: the console's own environment learns the addresses of its own servers.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from checks import targets
from checks.connectors import Handed, connectors, ssh
from checks.probes import Place
from erpops import embedded
from erpops.registry import Registry
from incidents.models import Environment
from runbooks.standins import launchers
from runbooks.start_names import decides_how_programs_start

SELF = "self"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Variables:
    """`values` reach the command; `secrets` (name → value) must not show in its output; `path` goes before PATH.

    `files` (path below the command's directory → text) are how credentials are handed over, `paths` the variables
    that name them; `places` are the targets by kind, the first of each; `shell_host` is where shell commands run and
    `folder` the folder there that they start in, empty for an empty one of their own.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    shell_host: str = ""
    folder: str = ""


Provider = Callable[[Environment], Variables]
providers: Registry[Provider] = Registry("variable provider")


def of(environment: Environment) -> Variables:
    """Everything that commands in `environment` receive; a provider wins over a stored variable."""
    values = {str(name): str(value) for name, value in environment.variables.items()}
    secrets: dict[str, str] = {}
    files: dict[str, str] = {}
    paths: dict[str, str] = {}
    places: dict[str, Place] = {}
    path: tuple[str, ...] = ()
    shell_host = ""
    for provider in providers.values():
        given = provider(environment)
        values |= given.values
        secrets |= given.secrets
        files |= given.files
        paths |= given.paths
        places |= given.places
        path += given.path
        shell_host = shell_host or given.shell_host
    return Variables(values, secrets, path, files, paths, places, shell_host, environment.folder)


def of_targets(environment: Environment) -> Variables:
    """What the environment's targets give: addresses as variables, credentials as files where the tool reads one."""
    values: dict[str, str] = {}
    secrets: dict[str, str] = {}
    files: dict[str, str] = {}
    paths: dict[str, list[str]] = {}
    places: dict[str, Place] = {}
    shell_host = ""
    for target in targets.enabled_in(environment):
        place = targets.resolve(target)
        connector = connectors.get(target.kind)
        handed = connector.hand_over(target.name, place, target.kind not in places) if connector else Handed()
        places.setdefault(target.kind, place)
        values = {**handed.values, **values}
        secrets |= {f"{target.name} {name}": secret for name, secret in handed.secrets.items()}
        if target.carries_shell:
            shell_host = target.name
        for name, text in handed.files.items():
            files[name] = files.get(name, "") + text
        for name, named in handed.paths.items():
            paths.setdefault(name, []).append(named)
    joined = {name: os.pathsep.join(dict.fromkeys(found)) for name, found in paths.items()}
    # A configuration with hosts is of no use to clients that do not read it.
    path = (str(launchers.clients()),) if ssh.CONFIG in files else ()
    return Variables(values, secrets, path, files, joined, places, shell_host)


def process_environment(*, given: Variables, bound: Mapping[str, str], home: str) -> dict[str, str]:
    """The whole environment of a command, built from nothing: a fixed few, the environment's, the parameters'."""
    fixed = {
        # What stands in for a missing program comes last.
        "PATH": os.pathsep.join((*given.path, _SYSTEM_PATH, str(launchers.folder()))),
        "HOME": home,
        "PWD": given.folder or home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TZ": "UTC",
        "PAGER": "cat",
    }
    named = {name: _below(home, paths) for name, paths in given.paths.items()}
    return fixed | named | _harmless(given.values) | _harmless(bound)


def _below(home: str, paths: str) -> str:
    """Each of the paths (parted by colons) as a full one."""
    return os.pathsep.join(str(Path(home, path)) for path in paths.split(os.pathsep))


def _harmless(values: Mapping[str, str]) -> dict[str, str]:
    """Without the names that decide how programs are found, loaded and started."""
    return {name: value for name, value in values.items() if not decides_how_programs_start(name)}


def of_the_console(environment: Environment) -> Variables:
    """The environment `self`: this console's own PostgreSQL, Valkey, address and data directory."""
    if environment.name != SELF:
        return Variables()
    values = {
        "DATABASE_URL": settings.DATABASE_URL,
        "VALKEY_URL": settings.REDIS_URL,
        "ERPOPS_URL": settings.PUBLIC_URL,
        "ERPOPS_DATA": str(settings.DATA_DIR),
    }
    secrets = {f"{name} password": password_in(values[name]) for name in ("DATABASE_URL", "VALKEY_URL")}
    return Variables(values, {name: value for name, value in secrets.items() if value}, tuple(embedded.paths()))


def password_in(url: str) -> str:
    """The password of a URL, decoded; empty if it has none."""
    return unquote(urlsplit(url).password or "")
