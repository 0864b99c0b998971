"""The containers of the documents on a real engine, one by one or as Compose makes them, with what they see."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erpops.embedded.launch import port_is_free
from tests.browser import props
from tests.runbooks.standins.engines import IMAGE, Engine
from tests.stack import ROOT

OWN_IMAGE = "erpgo:latest"
APP = 8080
_TLS = (443, 8443)
_PATIENT = ["sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 1; done"]
_LABEL = "com.docker.compose."


@dataclass
class Containers:
    """All of them. `settings` are their variables, `data` PostgreSQL's files, `names` a name server or nothing."""

    engine: Engine
    folder: Path
    settings: dict[str, str]
    data: Path
    names: str
    tls: list[int] = field(default_factory=lambda: [port for port in _TLS if port_is_free(port)])

    def prepare(self) -> None:
        """The image of the documents' name, which does something by itself; the network; the containers."""
        (self.folder / "app.py").write_text(props.APPLICATION)
        (self.folder / "alerts").write_text("")
        self.restore()

    def restore(self) -> None:
        """Whatever a runbook did, they are there and run, and nothing else does."""
        if self._lacks("image", OWN_IMAGE):
            self.engine.docker("run", "--name", "first", "--network", "none", IMAGE, "true")
            self.engine.docker("commit", "-c", 'CMD ["sleep", "86400"]', "first", OWN_IMAGE)
            self.engine.docker("rm", "first")
        if self._lacks("network", props.NETWORK):
            self.engine.docker("network", "create", *_told("network=erpgo-network"), props.NETWORK)
        found = self.engine.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").stdout.splitlines()
        states = dict(line.split(" ") for line in found)
        for name in set(states) - set(props.CONTAINERS) - {"worker"}:
            self.engine.docker("rm", "-f", name)
        for name, service in props.CONTAINERS.items():
            if states.get(name) == "paused":
                self.engine.docker("unpause", name)
            elif name not in states:
                self._run(name, service)
            elif states[name] != "running":
                self.engine.docker("start", name)

    def kill(self) -> None:
        """End all of them at once."""
        if running := self.engine.docker("ps", "-q", check=False).stdout.split():
            self.engine.docker("kill", *running, check=False)

    def _lacks(self, kind: str, name: str) -> bool:
        return self.engine.docker(kind, "inspect", name, check=False).returncode != 0

    def services(self) -> dict[str, Any]:
        """What a Compose file says of them."""
        named = {service: name for name, service in props.CONTAINERS.items() if service}
        found = {service: self._service(name) for service, name in named.items()}
        found |= {service: self._service("") for service in props.SCALED}
        for service, one in found.items():
            # Those that Compose names itself may be several.
            if named.get(service) == service:
                one["container_name"] = service
        found["erpgo-api"]["build"] = {"context": "."}
        return found

    def _service(self, name: str) -> dict[str, Any]:
        dns = {"dns": [self.names]} if self.names else {}
        return {
            "image": OWN_IMAGE,
            "command": self._command(name),
            **({"networks": ["erpgo-network"]} if name in props.ON_NETWORK else {"network_mode": "host"}),
            "volumes": self._volumes(name),
            "environment": self.settings,
            "extra_hosts": [f"{other}:127.0.0.1" for other in sorted(props.NAMES) if other],
            "restart": "no",
            **dns,
        }

    def _command(self, name: str) -> list[str]:
        if name != "erpgo-api":
            return _PATIENT
        tls = [f"{self.folder}/tls/cert.pem", f"{self.folder}/tls/key.pem", *map(str, self.tls)]
        return ["/usr/bin/python3", f"{self.folder}/app.py", str(APP), f"{self.folder}/alerts", *tls]

    def _volumes(self, name: str) -> list[str]:
        found = self.programs()
        if name in {"postgres", "erpgo-db-1"}:
            found += [f"{self.data}:/var/lib/postgresql/data:ro", f"{self.folder}/backups:/backups"]
        return found

    def programs(self) -> list[str]:
        """This machine's programs, read-only."""
        real = [place for place in ("/usr", "/lib", "/lib64", "/etc/ssl", "/etc/alternatives") if Path(place).exists()]
        places = [*real, str(ROOT), str((ROOT / ".venv").resolve()), sys.base_prefix, str(self.folder)]
        return [f"{place}:{place}:ro" for place in dict.fromkeys(places)]

    def _run(self, name: str, service: str) -> None:
        told = self._service(name)
        network = props.NETWORK if name in props.ON_NETWORK else "host"
        options = ["-d", "--name", name, "--network", network, "--restart", "no"]
        for option, values in (("-v", told["volumes"]), ("--add-host", told["extra_hosts"])):
            options += [word for value in values for word in (option, value)]
        options += [word for pair in self.settings.items() for word in ("-e", "=".join(pair))]
        options += ["--dns", self.names] if self.names else []
        options += _labels(service) if service else []
        self.engine.docker("run", *options, OWN_IMAGE, *told["command"])


def _labels(service: str) -> list[str]:
    files = (f"project.config_files={props.COMPOSE_FILES[0]}", "project.working_dir=/srv/erpgo")
    return _told(f"service={service}", "container-number=1", "oneoff=False", "version=1.29.2", *files)


def _told(*labels: str) -> list[str]:
    return [word for label in (f"project={props.PROJECT}", *labels) for word in ("--label", f"{_LABEL}{label}")]
