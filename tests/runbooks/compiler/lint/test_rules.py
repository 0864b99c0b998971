"""Every rule finds its bad example and leaves its good one alone; so does every line of what is gone and promised."""

from datetime import date
from pathlib import Path

import pytest

from runbooks.compiler import compile_paths, compile_text
from runbooks.compiler.contract import Document
from runbooks.compiler.lint import RULES, Rule, overdue, promises, versions
from runbooks.compiler.lint.promises import Promise
from runbooks.compiler.lint.versions import Gone
from runbooks.library import BUILTIN

DOCUMENTS = Path(__file__).resolve().parents[5] / "shared" / "documents"
LEVELS = ["info", "warning", "error"]
TODAY = date(2026, 6, 1)


def documents(example: str, folder: Path) -> list[Document]:
    """The documents of an example, read together and each by itself."""
    if example.startswith("path:"):
        return list(compile_paths([folder / example.removeprefix("path:")])["documents"])
    if example.startswith("hex:"):
        return [compile_text(bytes.fromhex(example.removeprefix("hex:")), path="a.md")]
    texts = example.split("\n=====\n")
    for number, text in enumerate(texts):
        (folder / f"{number}.md").write_text(text)
    return [*compile_paths([folder])["documents"], *(compile_text(text, path="a.md") for text in texts)]


def found(rule: Rule, example: str, folder: Path) -> dict[str, str]:
    """Level by the id of each rule that the example breaks."""
    levels = {
        f["rule"]: f["level"] for document in documents(rule.document(example), folder) for f in document["findings"]
    }
    return levels | {name: level for _, name, level, _, _ in overdue(example.split("\n"), TODAY)}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_its_bad_example(name: str, tmp_path: Path) -> None:
    levels = found(RULES[name], RULES[name].bad, tmp_path)
    assert name in levels
    assert LEVELS.index(levels[name]) <= LEVELS.index(RULES[name].level)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_leaves_its_good_example_alone(name: str, tmp_path: Path) -> None:
    assert name not in found(RULES[name], RULES[name].good, tmp_path)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_why_and_what_to_do_in_sentences(name: str) -> None:
    rule = RULES[name]
    assert rule.level in LEVELS
    assert not rule.title.endswith(".")
    assert all(text[0].isalnum() or text[0] in "-_" for text in (rule.title, rule.why, rule.fix))
    assert rule.why.endswith((".", "”."))
    assert rule.fix.endswith(".")


def test_every_finding_of_real_texts_has_a_rule_in_the_catalogue() -> None:
    paths = [BUILTIN, *([DOCUMENTS] if DOCUMENTS.is_dir() else [])]
    every = [f for document in compile_paths(paths)["documents"] for f in document["findings"]]
    assert {f["rule"] for f in every} <= RULES.keys()
    assert [f for f in every if LEVELS.index(f["level"]) > LEVELS.index(RULES[f["rule"]].level)] == []
    assert [f for f in every if not f["message"].endswith((".", ".”"))] == []


def fenced(text: str, language: str) -> str:
    return f"# A\n\n1. Look\n\n```{language}\n{text}\n```\n"


@pytest.mark.parametrize("gone", versions.table(), ids=lambda gone: gone.bad[:40])
def test_what_is_gone_is_found_and_what_took_its_place_is_not(gone: Gone) -> None:
    assert gone.rule in RULES
    for text, expected in ((gone.bad, True), (gone.good, False)):
        document = compile_text(fenced(text, gone.language), path="a.md")
        assert (gone.rule in {f["rule"] for f in document["findings"]}) is expected, text


@pytest.mark.parametrize("promise", promises.table(), ids=lambda promise: promise.bad_said)
def test_a_command_that_does_not_do_what_is_said_is_found(promise: Promise) -> None:
    for text, expected in ((promise.bad, True), (promise.good, False)):
        document = compile_text(fenced(f"# {promise.bad_said}\n{text}", "bash"), path="a.md")
        assert (promises.RULE in {f["rule"] for f in document["findings"]}) is expected, text


def test_the_library_is_clean() -> None:
    every = compile_paths([BUILTIN])["documents"]
    assert [(d["path"], f) for d in every for f in d["findings"] if f["level"] != "info"] == []
