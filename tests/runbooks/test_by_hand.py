"""What is left to a person says why, as the text is compiled."""

import pytest

from runbooks import by_hand, units, walk
from runbooks.compiler import compile_text
from runbooks.executors import executors


def why(text: str, language: str = "bash") -> str:
    document = compile_text(f"# Disk full\n\n## Diagnosis\n\n1. Look\n\n```{language}\n{text}\n```\n", path="disk.md")
    [runbook] = document["runbooks"]
    commands = list(walk.all_commands(runbook))
    command = units.as_run(runbook, commands[-1])
    return by_hand.why(command, command["kind"] in executors)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("htop", "htop needs a screen and a keyboard, and here is neither."),
        ("vim /etc/hosts", "vim needs a screen and a keyboard, and here is neither."),
        ("docker attach db", "docker attach needs a screen and a keyboard, and here is neither."),
        ("psql -U app -d shop", "psql without a query opens a session, and there is no keyboard here."),
        ("ssh ops@db.internal", "ssh without a command opens a session, and there is no keyboard here."),
        ("export GOGC=100", "This is a setting, not a command: it takes effect where the service reads its settings"),
        ("df -h", ""),
        ("psql -d shop -c 'SELECT 1'", ""),
    ],
)
def test_each_reason_names_what_is_missing(text: str, sentence: str) -> None:
    assert why(text) == sentence or (sentence and why(text).startswith(sentence))
