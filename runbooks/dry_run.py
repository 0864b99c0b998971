"""What a command of a walk would do if it were run now: the script, its variables, where, as whom. Starts nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from checks.choices import TargetKind
from checks.probes import Place
from erpops import beats
from incidents.models import Environment
from runbooks import by_hand, gate, intent, needed, runner, secret_values, targeted, variables, walk
from runbooks.choices import Risk
from runbooks.compiler import requests
from runbooks.executors import executors
from runbooks.executors.shell import KINDS as SHELLS
from runbooks.models import StepRun
from runbooks.refusals import Refused

_ASKS: dict[str, str] = {
    Risk.READ: "one click",
    Risk.CHANGE: "a second button",
    Risk.DISRUPT: "a second button, with the reason",
    Risk.DESTROY: "the name of what it acts on, typed, with the reason",
    Risk.BLOCKED: "it cannot run here",
}
_TARGETS = {
    "sql": TargetKind.POSTGRES,
    "promql": TargetKind.PROMETHEUS,
    "logql": TargetKind.LOKI,
    "lucene": TargetKind.ELASTIC,
}


@dataclass(frozen=True)
class Planned:
    """One command as it would run. `variables` are those of the values, secrets masked; `environment` all their names.

    `script` and `digest` are empty where they cannot be derived yet; `refusals` are what would stop it now.
    """

    step: int
    title: str
    command: int
    label: str
    kind: str
    text: str
    script: str
    digest: str
    variables: dict[str, str]
    environment: list[str]
    acts_on: list[str]
    told: list[str]
    queue: str
    workers: list[str]
    runs_on: str
    starts_in: str
    as_user: str
    risk: str
    gate: str
    asks: str
    timeout_s: int
    missing: list[str]
    refusals: list[str]

    @property
    def runs(self) -> bool:
        return not self.refusals

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "runs": self.runs}


@dataclass(frozen=True)
class Site:
    """What an environment gives to its commands, and who carries them out; read once for many commands."""

    place: Environment
    given: variables.Variables
    queue: str
    workers: tuple[Mapping[str, str], ...]
    programs: frozenset[str] | None

    @classmethod
    def of(cls, place: Environment) -> "Site":
        """As it stands now."""
        queue = intent.queue_of(place)
        alive = [worker for worker in beats.alive("worker") if queue in worker.queues]
        told = tuple({"host": worker.host, "user": worker.info.get("command_user") or ""} for worker in alive)
        return cls(place, variables.of(place), queue, told, needed.programs_there(queue))

    def carried_out(self, command: Mapping[str, Any]) -> tuple[str, str]:
        """(where, as whom)."""
        hosts = ", ".join(sorted({worker["host"] for worker in self.workers})) or "no worker"
        users = ", ".join(sorted({worker["user"] for worker in self.workers if worker["user"]}))
        if command["kind"] in SHELLS:
            host = self.given.shell_host
            return (f"SSH host {host}", _user(self.given.places.get(TargetKind.SSH))) if host else (hosts, users)
        target = self._target(command)
        return (_address(target), _user(target) or users) if target else (hosts, users)

    def _target(self, command: Mapping[str, Any]) -> Place | None:
        if command["kind"] == "sql" and TargetKind.POSTGRES not in self.given.places:
            return Place(self.given.values.get("DATABASE_URL", ""))
        if command["kind"] == "request":
            kind = targeted.kind_of_path(requests.parse(command["text"]).url)
            return self.given.places.get(kind) or self.given.places.get(TargetKind.HTTP)
        return self.given.places.get(_TARGETS.get(command["kind"], ""))


def plan(step_run: StepRun, *, values: Mapping[str, str], site: Site) -> list[Planned]:
    """Every command of a step with the values that a page would send now."""
    compiled = step_run.execution.version.compiled
    step = walk.step_of(compiled, step_run)
    title = walk.plain(step["title"])
    return [_planned(step_run, title, at, values, site) for at in range(len(walk.commands_of(step)))]


def _planned(step_run: StepRun, title: str, index: int, values: Mapping[str, str], site: Site) -> Planned:
    command = intent.command_of(step_run, index)
    meant, refused = _meant(step_run, index, values)
    env = meant.bound.env if meant else {}
    secrets = {str(value) for name, value in (meant.values if meant else {}).items() if secret_values.is_secret(name)}
    asked = intent.asked(command, set(site.given.values))
    without = [p["name"] for p in asked if not values.get(p["name"]) and not p.get("default")]
    level = Risk.BLOCKED if command["because"] else gate.rung(risk=command["risk"], environment=site.place)
    runs_on, as_user = site.carried_out(command)
    return Planned(
        step=step_run.position + 1,
        title=title,
        command=index + 1,
        label=command.get("label") or "",
        kind=command["kind"],
        text=command["text"],
        script=meant.bound.script if meant else "",
        digest=meant.digest if meant else "",
        variables={name: secret_values.SHOWN if value in secrets else value for name, value in env.items()},
        environment=sorted(variables.process_environment(given=site.given, bound=env, home="/")),
        acts_on=meant.touched.listed(site.place.label) if meant and command["risk"] != Risk.READ else [],
        told=list(command["told"]),
        queue=site.queue,
        workers=[
            f"{worker['host']} ({worker['user']})" if worker["user"] else worker["host"] for worker in site.workers
        ],
        runs_on=runs_on,
        starts_in=site.given.folder if command["kind"] in SHELLS else "",
        as_user=as_user,
        risk=command["risk"],
        gate=level,
        asks=_asks(command, level, site),
        timeout_s=runner.limit_s(command),
        missing=list(dict.fromkeys(without)),
        refusals=list(dict.fromkeys([*_refusals(command, site), *refused])),
    )


def _meant(step_run: StepRun, index: int, values: Mapping[str, str]) -> tuple[intent.Intent | None, list[str]]:
    """The command as the runner would take it, or why it would not."""
    try:
        return intent.of(step_run=step_run, command=index, values=values), []
    except Refused as error:
        return None, [str(error)]


def _asks(command: Mapping[str, Any], level: str, site: Site) -> str:
    approved = gate.needs_approval(risk=command["risk"], environment=site.place)
    return _ASKS[level] + (", and the approval of another lead" if approved else "")


def _refusals(command: Mapping[str, Any], site: Site) -> list[str]:
    found = [by_hand.why(command, executors.get(command["kind"]) is not None)]
    found.append(targeted.lacking(command, site.given.places, site.given.values))
    if not site.workers:
        found.append(f"No worker serves {site.queue}.")
    found.append(needed.lacking(command, site.programs, site.given.folder))
    return [sentence for sentence in found if sentence]


def _address(place: Place) -> str:
    """Where a target is, without what is secret in its address."""
    parts = urlsplit(place.address)
    if not parts.hostname:
        return place.address.rpartition("@")[2]
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _user(place: Place | None) -> str:
    if place is None:
        return ""
    if "://" not in place.address:
        return place.address.rpartition("@")[0]
    return urlsplit(place.address).username or ""
