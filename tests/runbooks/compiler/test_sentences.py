"""Code in a sentence, labelled by hand: a command where the sentence tells to run it, else a name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.compiler.told import commands_of
from tests.runbooks.compiler.fragments import Compile

FILE = Path(__file__).parent / "labelled_fences" / "sentences.md"


def _labels() -> Iterator[tuple[str, list[str]]]:
    for line in FILE.read_text().splitlines()[1:]:
        if " =>" in line:
            sentence, _, commands = line.partition(" =>")
            yield sentence, [text.strip() for text in commands.split(";;") if text.strip()]


LABELS = dict(_labels())


def test_there_are_at_least_sixty() -> None:
    assert len(LABELS) >= 60


@pytest.mark.parametrize("sentence", LABELS)
def test_a_sentence_is_read_as_it_is_labelled(sentence: str) -> None:
    assert [command["text"] for command in commands_of(sentence, 1)] == LABELS[sentence]


def test_a_command_of_a_sentence_stands_on_its_own_line(compiled: Compile) -> None:
    document = compiled("# A\n\n1. Look at the disk,\n   then run `df -h`\n   and note it.\n")
    (step,) = document["runbooks"][0]["phases"][0]["steps"]
    assert [(c["text"], c["line"]) for c in step["commands"]] == [("df -h", 4)]
