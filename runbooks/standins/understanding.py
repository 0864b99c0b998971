"""Which calls the stand-ins know, without making them: so that a command is refused before it is started."""

from collections.abc import Mapping, Sequence

from runbooks.standins import redis
from runbooks.standins.docker import compose
from runbooks.standins.docker import program as docker
from runbooks.standins.ending import Ended, NotUnderstood
from runbooks.standins.kubectl import program as kubectl
from runbooks.standins.kubectl.cluster import OPTIONS
from runbooks.standins.words import Known, Subcommand, choose, read


def not_understood(words: Sequence[str]) -> str:
    """What a stand-in would refuse of a call such as `docker build .`; empty if it knows all of it."""
    name, *rest = words
    try:
        if name == "kubectl":
            before = read(rest, Known.of(OPTIONS), stops=True)
            _read({**kubectl.SUBCOMMANDS, **kubectl.LOCAL}, before.words, also=OPTIONS)
        elif name in {"redis-cli", "valkey-cli"}:
            redis.read(rest)
        elif name == "docker-compose":
            _compose(rest)
        else:
            before = read(rest, docker.GLOBAL, stops=True)
            if before.words[:1] == ["compose"]:
                _compose(before.words[1:])
            else:
                _read(docker.SUBCOMMANDS, before.words)
    except NotUnderstood as what:
        return str(what)
    except Ended:
        # It is used wrongly, which it says itself.
        return ""
    return ""


def _compose(words: Sequence[str]) -> None:
    _read(compose.SUBCOMMANDS, read(words, compose.GLOBAL, stops=True).words, before="compose ")


def _read(table: Mapping[str, Subcommand], words: Sequence[str], *, before: str = "", also: str = "") -> None:
    _, subcommand, rest = choose(table, words, before)
    read(rest, Known.of(subcommand.options, also), stops=subcommand.stops and not also)
