"""What the runbooks that come along ask of docker and kubectl, and which of it a stand-in does."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runbooks.compiler import shell
from runbooks.standins.understanding import not_understood
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


def test_the_library_is_understood_but_for_what_needs_a_compose_file() -> None:
    calls = [words for words in _invocations() if words and words[0] in ("docker", "kubectl")]
    assert len(calls) > 100
    refused = {what.removeprefix("the subcommand ") for words in calls if (what := not_understood(words))}
    assert refused == _NEED_THE_FILE


@pytest.mark.parametrize("words", [["docker", "build", "."], ["kubectl", "get", "pods", "--nonsense"]])
def test_what_is_not_understood_is_seen(words: list[str]) -> None:
    assert not_understood(words)


def test_asking_what_is_known_loads_no_client() -> None:
    code = "import sys; from runbooks.standins import understanding; "
    code += "print(sorted({name.split('.')[0] for name in sys.modules} & {'docker', 'kubernetes', 'websocket'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
