"""Every rule finds its bad example and leaves its good one alone; a document may allow something with a reason."""

from pathlib import Path

import pytest

from runbooks.compiler import compile_paths, compile_text
from runbooks.compiler.contract import Document
from runbooks.compiler.lint import RULES
from runbooks.library import BUILTIN

DOCUMENTS = Path(__file__).resolve().parents[4] / "shared" / "documents"
LEVELS = ["info", "warning", "error"]


def compiled(example: str, folder: Path) -> list[Document]:
    """The documents of an example of the catalogue."""
    if example.startswith("path:"):
        return list(compile_paths([folder / example.removeprefix("path:")])["documents"])
    if example.startswith("hex:"):
        return [compile_text(bytes.fromhex(example.removeprefix("hex:")), path="a.md")]
    for number, text in enumerate(example.split("\n=====\n")):
        (folder / f"{number}.md").write_text(text)
    return list(compile_paths([folder])["documents"])


def found(example: str, folder: Path) -> dict[str, str]:
    """Level by rule."""
    return {f["rule"]: f["level"] for document in compiled(example, folder) for f in document["findings"]}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_its_bad_example(name: str, tmp_path: Path) -> None:
    rules = found(RULES[name].bad, tmp_path)
    assert name in rules
    assert LEVELS.index(rules[name]) <= LEVELS.index(RULES[name].level)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_leaves_its_good_example_alone(name: str, tmp_path: Path) -> None:
    assert name not in found(RULES[name].good, tmp_path)


def test_every_finding_of_the_documents_has_a_rule_in_the_catalogue() -> None:
    paths = [BUILTIN, *([DOCUMENTS] if DOCUMENTS.is_dir() else [])]
    used = {f["rule"] for document in compile_paths(paths)["documents"] for f in document["findings"]}
    assert used <= RULES.keys()


def test_the_library_is_clean() -> None:
    documents = compile_paths([BUILTIN])["documents"]
    assert [(d["path"], f) for d in documents for f in d["findings"] if f["level"] != "info"] == []


def test_what_is_allowed_is_kept_apart_with_its_reason() -> None:
    document = compile_text(RULES["allow.no-reason"].good, path="a.md")
    assert document["findings"] == [] or {f["rule"] for f in document["findings"]} == {"runbook.no-verification"}
    assert [(f["rule"], f["reason"]) for f in document["suppressed"]] == [("command.endless", "it is watched")]


def test_a_mark_before_the_first_heading_holds_for_the_document() -> None:
    mark = "<!-- erpops: allow command.endless because somebody watches -->\n"
    text = mark + "# A\n\n1. Look\n\n   ```bash\n   tail -f a\n   ```\n"
    more = "2. Again\n\n   ```bash\n   tail -f b\n   ```\n"
    document = compile_text(text + more, path="a.md")
    assert len(document["suppressed"]) == 2


def test_a_mark_does_not_reach_beyond_its_block() -> None:
    mark = "<!-- erpops: allow command.endless because somebody watches -->"
    text = f"# A\n\n1. Look\n\n{mark}\n\n```bash\ntail -f a\n```\n\n"
    document = compile_text(text + "Then:\n\n```bash\ntail -f b\n```\n", path="a.md")
    assert [f["line"] for f in document["findings"] if f["rule"] == "command.endless"] == [14]


# What a reader finds in the real documents: (document, line, rule).
BY_EYE = [
    ("000", 148, "curl.globbing"),
    ("000", 165, "logql.syntax"),
    ("000", 207, "docker.name-in-use"),
    ("000", 251, "sql.renamed-column"),
    ("000", 405, "sql.syntax"),
    ("000", 411, "docker.environment-kept"),
    ("000", 597, "docker.name-in-use"),
    ("001", 55, "promql.syntax"),
    ("001", 302, "command.interactive"),
    ("001", 498, "redis.keys"),
    ("001", 552, "command.missing-option"),
    ("001", 735, "alert.duplicate"),
    ("001", 783, "command.incomplete"),
    ("001", 1206, "kubectl.rename"),
    ("002", 50, "command.interactive"),
    ("002", 349, "sql.renamed-column"),
    ("002", 488, "curl.head-and-data"),
    ("002", 511, "shell.expansion"),
    ("002", 686, "curl.binary-output"),
    ("002", 1072, "order.server-stopped"),
    ("002", 1090, "text.not-what-it-says"),
    ("002", 1102, "sql.drop-own-database"),
    ("003", 119, "yaml.alert-rule"),
    ("003", 207, "sql.renamed-column"),
    ("003", 228, "http.database-port"),
    ("003", 324, "sql.no-user"),
    ("003", 333, "contact.incomplete"),
    ("004", 1, "encoding.mac_roman"),
    ("004", 26, "command.interactive"),
    ("004", 110, "text.count-differs"),
    ("004", 392, "sql.vacuum-for-space"),
    ("004", 428, "text.not-what-it-says"),
    ("004", 454, "api.removed"),
    ("004", 498, "compose.down-service"),
    ("004", 600, "contact.incomplete"),
]


@pytest.mark.parametrize(("number", "line", "rule"), BY_EYE)
def test_what_a_reader_finds_in_the_real_documents_is_found(number: str, line: int, rule: str) -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip("the folder shared/documents beside the checkout is missing: put Markdown runbooks there")
    (file,) = DOCUMENTS.glob(f"{number}*")
    document = compile_text(file.read_bytes(), path=file.name)
    assert (line, rule) in {(f["line"], f["rule"]) for f in document["findings"]}
