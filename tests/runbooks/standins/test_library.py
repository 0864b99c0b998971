"""What the runbooks that come along ask of docker and kubectl, and which of it a stand-in does."""

import re
from collections.abc import Iterator

import pytest

from runbooks.compiler import shell
from runbooks.standins.docker import compose
from runbooks.standins.docker import program as docker
from runbooks.standins.ending import NotUnderstood
from runbooks.standins.kubectl import program as kubectl
from runbooks.standins.kubectl.cluster import OPTIONS
from runbooks.standins.words import Known, choose, read
from tests.rules.tree import ROOT

_FENCE = re.compile(r"^ *```(?:bash|sh|shell|console)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# These need a file of the project, or fetch images for it.
_NEED_THE_FILE = {"compose up", "compose config", "compose pull", "compose run"}


def _invocations() -> Iterator[list[str]]:
    """The words of every docker and kubectl command in the library."""
    for path in sorted((ROOT / "runbooks" / "library").glob("*.md")):
        for fence in _FENCE.findall(path.read_text(encoding="utf-8")):
            script = re.sub(r"<([\w-]+)>", r"\1", fence)
            for unit in shell.split_units(script):
                if isinstance(unit, shell.Unit):
                    yield from ([word.value for word in one.words] for one in unit.invocations)


def _not_understood(words: list[str]) -> str:
    """What a stand-in would refuse of a call, without carrying it out."""
    try:
        if words[0] == "kubectl":
            _, subcommand, rest = choose(kubectl.SUBCOMMANDS, words[1:])
            read(rest, Known.of(OPTIONS, subcommand.options))
        elif words[1] == "compose":
            _, subcommand, rest = choose(
                compose.SUBCOMMANDS, read(words[2:], compose.GLOBAL, stops=True).words, "compose "
            )
            read(rest, Known.of(subcommand.options), stops=subcommand.stops)
        else:
            _, subcommand, rest = choose(docker.SUBCOMMANDS, words[1:])
            read(rest, Known.of(subcommand.options), stops=subcommand.stops)
    except NotUnderstood as what:
        return str(what)
    return ""


def test_the_library_is_understood_but_for_what_needs_a_compose_file() -> None:
    calls = [words for words in _invocations() if words and words[0] in ("docker", "kubectl")]
    assert len(calls) > 100
    refused = {what.removeprefix("the subcommand ") for words in calls if (what := _not_understood(words))}
    assert refused == _NEED_THE_FILE


@pytest.mark.parametrize("words", [["docker", "build", "."], ["kubectl", "get", "pods", "--nonsense"]])
def test_what_is_not_understood_is_seen(words: list[str]) -> None:
    assert _not_understood(words)
