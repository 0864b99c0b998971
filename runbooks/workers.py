"""Which worker can do what: the queues that it serves, how it holds on to commands, the programs that it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from erpops import beats
from incidents.models import Environment
from runbooks import containment, runner

LEVELS = {
    containment.CGROUP: "a control group for each command",
    containment.SUBREAPER: "by adopting what a command leaves behind",
}
# What the documents of most teams use; what else there is, is found in the list of a worker.
USUAL = "docker docker-compose kubectl helm psql redis-cli curl ssh jq openssl dig systemctl journalctl git aws".split()


@dataclass(frozen=True)
class Worker:
    """One worker as it told of itself.

    `runs_as` is the OS user of its commands; `missing` are usual programs that it does not have.
    """

    host: str
    pid: int
    since: datetime
    queues: Sequence[str]
    holds: str
    runs_as: str
    found: Sequence[str]
    missing: Sequence[str]


@dataclass(frozen=True)
class Unserved:
    """An environment whose commands nobody would run, and the command that changes it."""

    environment: Environment
    start: str


def alive() -> list[Worker]:
    """The workers that beat lately, by host."""
    return [
        Worker(
            host=beat.host,
            pid=beat.pid,
            since=beat.started_at,
            queues=sorted(beat.queues),
            holds=LEVELS.get(beat.info.get("containment", ""), "unknown"),
            runs_as=beat.info.get("command_user", ""),
            found=[name for name in USUAL if name in (names := _programs(beat.info))],
            missing=[name for name in USUAL if name not in names],
        )
        for beat in sorted(beats.alive("worker"), key=lambda beat: (beat.host, beat.pid))
    ]


def unserved(environments: Sequence[Environment]) -> list[Unserved]:
    """The environments without a living worker."""
    served = beats.served_queues()
    queues = {environment: runner.queue_of(environment) for environment in environments}
    return [
        Unserved(environment, f"manage.py worker --queues {queue}")
        for environment, queue in queues.items()
        if queue not in served
    ]


def _programs(info: dict[str, dict[str, list[str] | None]]) -> set[str]:
    return {name for names in info.get("programs", {}).values() for name in names or []}
