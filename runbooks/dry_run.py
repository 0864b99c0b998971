"""What a command of a walk would do if it were run now: the script, its variables, where, as whom. Starts nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from checks.choices import TargetKind
from checks.probes import Place
from erpops import beats
from incidents.models import Environment
from runbooks import gate, needed, runner, secret_values, targeted, units, variables, walk
from runbooks.choices import Risk
from runbooks.compiler import requests
from runbooks.executors import executors
from runbooks.executors.shell import KINDS as SHELLS
from runbooks.models import StepRun
from runbooks.parameters import MissingValues, Unbindable, bind, validate

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

    `script` is empty where it cannot be derived yet; `refusals` are the sentences that would stop it now.
    """

    step: int
    title: str
    command: int
    label: str
    kind: str
    text: str
    script: str
    variables: dict[str, str]
    environment: list[str]
    told: list[str]
    queue: str
    workers: list[str]
    runs_on: str
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
        queue = runner.queue_of(place)
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
    commands = [units.as_run(compiled, command) for command in walk.commands_of(step)]
    where = (step_run.position + 1, title)
    return [_planned((*where, at + 1), one, values, site) for at, one in enumerate(commands)]


def _planned(where: tuple[int, str, int], command: Mapping[str, Any], values: Mapping[str, str], site: Site) -> Planned:
    step, title, number = where
    asked = [p for p in command["parameters"] if not (p["notation"] == "env" and p["name"] in site.given.values)]
    used = {p["name"]: values[p["name"]] for p in asked if values.get(p["name"])}
    script, env, refused = _bound(command, asked, used)
    refusals = [*_refusals(command, site), *refused]
    level = Risk.BLOCKED if command["because"] else gate.rung(risk=command["risk"], environment=site.place)
    runs_on, as_user = site.carried_out(command)
    secrets = [str(value) for name, value in used.items() if secret_values.is_secret(name)]
    return Planned(
        step=step,
        title=title,
        command=number,
        label=command.get("label") or "",
        kind=command["kind"],
        text=command["text"],
        script=script,
        variables={name: secret_values.SHOWN if value in secrets else value for name, value in env.items()},
        environment=sorted(variables.process_environment(given=site.given, bound=env, home="/")),
        told=list(command["told"]),
        queue=site.queue,
        workers=[
            f"{worker['host']} ({worker['user']})" if worker["user"] else worker["host"] for worker in site.workers
        ],
        runs_on=runs_on,
        as_user=as_user,
        risk=command["risk"],
        gate=level,
        asks=_ASKS[level],
        timeout_s=runner.limit_s(command),
        missing=[
            name for name in dict.fromkeys(p["name"] for p in asked) if name not in used and not _own(asked, name)
        ],
        refusals=refusals,
    )


def _own(asked: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether the text itself offers a value."""
    return any(p["name"] == name and p.get("default") for p in asked)


def _bound(
    command: Mapping[str, Any], asked: Sequence[Mapping[str, Any]], used: Mapping[str, str]
) -> tuple[str, dict[str, str], list[str]]:
    """(constant script, variables that carry the values, why it would be refused)."""
    wrong = [(p["name"], validate(p, used[p["name"]])) for p in asked if p["name"] in used]  # type: ignore[arg-type]
    if faults := [f"{name}: {sentence}" for name, sentence in wrong if sentence]:
        return "", {}, faults
    try:
        bound = bind({**command, "parameters": asked}, used)  # type: ignore[typeddict-item]
    except MissingValues as missing:
        return "", {}, [f"Fill in {', '.join(dict.fromkeys(missing.names))} first."]
    except Unbindable as error:
        return "", {}, [str(error)]
    return bound.script, bound.env, []


def _refusals(command: Mapping[str, Any], site: Site) -> list[str]:
    found = [command["because"]]
    if command["risk"] == Risk.BLOCKED and not command["because"]:
        found.append("This command cannot run as it is written.")
    if executors.get(command["kind"]) is None:
        found.append(f"erpops does not run {command['kind']} text.")
    found.append(targeted.lacking(command, site.given.places, site.given.values))
    if not site.workers:
        found.append(f"No worker serves {site.queue}.")
    found.append(needed.lacking(command, site.programs))
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
