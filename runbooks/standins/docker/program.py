"""The program `docker`: its subcommands, and the options that stand before them."""

from collections.abc import Mapping

from runbooks.standins.docker import acting, compose, execing, listing, looking, running, stats, system, things
from runbooks.standins.docker.engine import Engine, where
from runbooks.standins.ending import NotUnderstood
from runbooks.standins.words import Given, Known, Subcommand, check_count, choose, read

GLOBAL = Known.of("-H/--host= -c/--context= --tls --tlsverify -l/--log-level= -D/--debug -v/--version")
_SYSTEM = ("containers", "networks", "images", "build")
_CONTAINER: Mapping[str, Subcommand] = {
    "exec": Subcommand(execing.run, execing.OPTIONS, least=2, stops=True),
    "run": Subcommand(running.run, running.OPTIONS, least=1, stops=True),
    "inspect": Subcommand(looking.inspect_as("container"), looking.INSPECT, least=1),
    "logs": Subcommand(looking.logs, looking.LOGS, least=1, most=1),
    "top": Subcommand(looking.top, "", least=1, stops=True),
    "port": Subcommand(looking.port, "", least=1, most=2),
    "diff": Subcommand(looking.diff, "", least=1, most=1),
    "stats": Subcommand(stats.run, stats.OPTIONS),
    "start": Subcommand(acting.start, "", least=1),
    "stop": Subcommand(acting.stop, acting.STOP, least=1),
    "restart": Subcommand(acting.restart, acting.STOP, least=1),
    "kill": Subcommand(acting.kill, acting.KILL, least=1),
    "pause": Subcommand(acting.pause, "", least=1),
    "unpause": Subcommand(acting.unpause, "", least=1),
    "rm": Subcommand(acting.remove, acting.RM, least=1),
    "update": Subcommand(acting.update, acting.UPDATE, least=1),
    "wait": Subcommand(acting.wait, "", least=1),
    "rename": Subcommand(acting.rename, "", least=2, most=2),
}
SUBCOMMANDS: Mapping[str, Subcommand] = {
    **_CONTAINER,
    **{f"container {name}": subcommand for name, subcommand in _CONTAINER.items()},
    "ps": Subcommand(listing.ps, listing.PS, most=0),
    "container ls": Subcommand(listing.ps, listing.PS, most=0),
    "container ps": Subcommand(listing.ps, listing.PS, most=0),
    "container list": Subcommand(listing.ps, listing.PS, most=0),
    "container prune": Subcommand(acting.prune("containers"), acting.PRUNE, most=0),
    "inspect": Subcommand(looking.inspect_as(), looking.INSPECT, least=1),
    "images": Subcommand(listing.images, listing.IMAGES, most=1),
    "image ls": Subcommand(listing.images, listing.IMAGES, most=1),
    "image inspect": Subcommand(looking.inspect_as("image"), looking.INSPECT, least=1),
    "image prune": Subcommand(acting.prune("images"), acting.PRUNE, most=0),
    "pull": Subcommand(running.pull, "", least=1, most=1),
    "image pull": Subcommand(running.pull, "", least=1, most=1),
    "network ls": Subcommand(listing.networks, listing.LS, most=0),
    "network inspect": Subcommand(looking.inspect_as("network"), looking.INSPECT, least=1),
    "network prune": Subcommand(acting.prune("networks"), acting.PRUNE, most=0),
    "volume ls": Subcommand(listing.volumes, listing.LS, most=0),
    "volume inspect": Subcommand(looking.inspect_as("volume"), looking.INSPECT, least=1),
    "volume prune": Subcommand(acting.prune("volumes"), acting.PRUNE, most=0),
    **dict.fromkeys(("rmi", "image rm"), Subcommand(things.remove("image"), things.REMOVE, least=1)),
    "network rm": Subcommand(things.remove("network"), things.REMOVE, least=1),
    "network create": Subcommand(things.create_network, things.CREATE_NETWORK, least=1, most=1),
    "network connect": Subcommand(things.connect(True), things.CONNECT, least=2, most=2),
    "network disconnect": Subcommand(things.connect(False), things.REMOVE, least=2, most=2),
    "volume rm": Subcommand(things.remove("volume"), things.REMOVE, least=1),
    "volume create": Subcommand(things.create_volume, things.CREATE_VOLUME, most=1),
    "events": Subcommand(looking.events, looking.EVENTS, most=0),
    "system events": Subcommand(looking.events, looking.EVENTS, most=0),
    "info": Subcommand(system.info, system.FORMAT, most=0),
    "system info": Subcommand(system.info, system.FORMAT, most=0),
    "version": Subcommand(system.version, system.FORMAT, most=0),
    "system df": Subcommand(system.disk, system.DF, most=0),
    "system prune": Subcommand(acting.prune(*_SYSTEM), acting.PRUNE, most=0),
}


def main(words: list[str]) -> int:
    """The exit status of `docker` with `words`."""
    before = read(words, GLOBAL, stops=True)
    if before.on("version"):
        raise NotUnderstood("the option --version")
    options = {name: values[-1] for name, values in before.options.items()}
    if before.words[:1] == ["compose"]:
        return compose.compose(before.words[1:], options)
    name, subcommand, rest = choose(SUBCOMMANDS, before.words)
    given = read(rest, Known.of(subcommand.options), stops=subcommand.stops)
    check_count("docker", name, subcommand, given)
    return subcommand.run(Engine(where(options)), _with_plain_words(given))


def _with_plain_words(given: Given) -> Given:
    """What stood behind `--` are plain words to docker."""
    given.words += given.after
    return given
