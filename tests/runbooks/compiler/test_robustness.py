"""No text makes the compiler fail, nothing in a text is lost, and damage of encodings is repaired."""

import json
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.compiler import compile_paths, compile_text
from runbooks.compiler.encoding import undo_mac_roman
from runbooks.compiler.quoting import contexts
from runbooks.compiler.shell import parse_unit

PIECES = [
    "# Title", "## Diagnosis", "### Step 1: Look", "**Alert**: `AppDown`",
    "**Resolution** (5 minutes):", "- item", "- [ ] task", "1. first", "2. second", "   nested",
    "```bash", "```sql", "```", "   ```", "~~~", "| a | b |", "|---|---|", "> quote", "    code",
    "kubectl delete pod <pod>", "SELECT 1;", "cat <<EOF", "EOF", "echo 'open", "$ df -h",
    "# Step 2: Kill if > 150", "# Expected: PONG", "Step 1: Stop (2 min)", "├─ docker ps", "---",
    "<details>", "</details>", "{{ x }}", "[link](#gone)", "(((", "$((", "`", "\\", "\t", "",
    "**Option A: x**", "for i in 1; do", "done", "f() {", "}", "title: x", "🚨 é ‚îú‚îÄ",
]  # fmt: skip
DOCUMENTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=30), max_size=30).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_any_text_compiles_and_is_fully_accounted_for(text: str) -> None:
    document = compile_text(text, path="any.md")
    assert document["unaccounted_lines"] == []
    json.dumps(document)
    assert compile_text(text, path="any.md") == document


# Documents of real trouble: deep lists, torn fences, damaged letters, lines that never end, control characters.
_WORD = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
_CONTROL = st.sampled_from(["\x00", "\x07", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\r", "\x0b", "\x0c", "\ud7ff"])
_LONG = st.integers(200, 4000).flatmap(
    lambda n: st.sampled_from(["x" * n, "a b " * n, "`" * n, "- " * n, "> " * (n // 20)])
)
_NESTED = st.builds(
    lambda depth, piece: "\n".join("  " * level + "- " + piece for level in range(depth)), st.integers(1, 12), _WORD
)
_FENCE = st.builds(
    lambda indent, mark, tag, body, close: f"{indent}{mark}{tag}\n{indent}{body}\n{indent}{close}",
    st.sampled_from(["", " ", "   ", "      ", "\t"]),
    st.sampled_from(["```", "````", "~~~", "``"]),
    st.sampled_from(["", "bash", "sql", "console", "promql", "yaml", "{note}", "bash {x=y}"]),
    st.sampled_from(PIECES) | _WORD,
    st.sampled_from(["```", "````", "~~~", "", "``` x"]),
)
_FRONT = st.sampled_from(["---\ntitle: a\n---", "---\n: :\n---", "---\ntitle: [\n", "+++\ntitle = 'a'\n+++"])
WILD = st.builds(
    lambda front, parts: "\n".join([*front, *parts]),
    st.lists(_FRONT, max_size=1),
    st.lists(st.sampled_from(PIECES) | _WORD | _CONTROL | _LONG | _NESTED | _FENCE, max_size=25),
)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "latin-1", "cp1252", "mac_roman"])


def _compiles_without_loss(text: str, encoding: str) -> None:
    data = text.encode(encoding, "replace")
    document = compile_text(data, path="any.md")
    assert document["unaccounted_lines"] == []
    json.dumps(document)


@settings(max_examples=500, deadline=None)
@given(WILD, ENCODINGS)
def test_five_hundred_wild_documents_compile_and_lose_no_line(text: str, encoding: str) -> None:
    _compiles_without_loss(text, encoding)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=10_000, deadline=None)
@given(WILD, ENCODINGS)
def test_ten_thousand_wild_documents_compile_and_lose_no_line(text: str, encoding: str) -> None:
    _compiles_without_loss(text, encoding)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_compile(data: bytes) -> None:
    assert compile_text(data, path="any.md")["unaccounted_lines"] == []


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab $(){}<>'\"`\\|&;#\n=[]!*?~-" + string.digits, max_size=40))
def test_any_shell_text_is_read_or_refused(text: str) -> None:
    parse_unit(text, 0, text.count("\n"))
    assert len(contexts(text)) == len(text)


def test_characters_beyond_bytes_do_not_reach_the_grammar() -> None:
    for _ in range(300):
        parse_unit("<\U001065eb{\U000d4edc", 0, 0)
    unit = parse_unit("echo grün “ok” 日本 > größe.txt", 0, 0)
    assert [word.value for word in unit.invocations[0].words] == ["echo", "grün", "“ok”", "日本"]
    assert unit.invocations[0].redirects[0].target == "größe.txt"


def test_words_of_every_line_are_somewhere_in_the_output() -> None:
    text = "# A\n\nIntro alpha.\n\n## Diagnosis\n\nBefore beta.\n\n1. Look\n\n   Inside gamma.\n"
    text += "\n   | x | delta |\n   |---|---|\n"
    text += "\n<!-- epsilon -->\n\n> zeta\n\n    eta\n\n## Odd heading theta\n\nAfter iota.\n"
    shown = json.dumps(compile_text(text, path="a.md"))
    for word in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"):
        assert word in shown


def test_mac_roman_damage_is_undone_and_told() -> None:
    damaged = "# 🚨 Übersicht – „ok“ ├─".encode().decode("mac_roman")
    document = compile_text(damaged, path="a.md")
    assert document["encoding_repair"] == "mac_roman"
    assert document["title"] == "Übersicht – „ok“ ├─"
    assert [f["rule"] for f in document["findings"]] == ["encoding.mac_roman"]


@pytest.mark.parametrize("text", ["Übersicht", "naïve café – “quoted” … €", "日本語", "├─ tree"])
def test_sound_text_is_left_alone(text: str) -> None:
    assert undo_mac_roman(text) == text


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("é".encode("latin-1"), "encoding.not_utf8"),
        ("# é".encode("utf-16"), "encoding.utf16"),
        (b"a\x00b", "encoding.nul"),
    ],
)
def test_other_encodings_are_read_and_told(data: bytes, rule: str) -> None:
    assert rule in {f["rule"] for f in compile_text(data, path="a.md")["findings"]}


def test_line_ends_do_not_matter() -> None:
    text = "# A\r\n\r\n1. Look\r\n   ```bash\r\n   df -h\r\n   ```\r\n"
    assert compile_text(text, path="a.md") == compile_text(text.replace("\r\n", "\n"), path="a.md")


def test_a_folder_is_walked_and_a_broken_file_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.MD").write_text("# B\n")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe# A")
    (tmp_path / "c.png").write_bytes(b"x")
    documents = compile_paths([tmp_path, tmp_path / "gone.md"])["documents"]
    assert [d["path"].rpartition("/")[2] for d in documents] == ["a.txt", "b.MD", "gone.md"]
    assert [f["rule"] for f in documents[-1]["findings"]] == ["file.unreadable"]


def test_the_compiler_needs_neither_django_nor_sqlglot_to_load() -> None:
    code = "import sys, runbooks.compiler; print('django' in sys.modules, 'sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_depth_does_not_break_it() -> None:
    assert compile_text("> " * 500 + "x", path="a.md")["unaccounted_lines"] == []
    assert compile_text("# A\n\n```bash\n" + "$(" * 400 + "\n```\n", path="a.md")["unaccounted_lines"] == []
    assert compile_text("# A\n\n```sql\nSELECT " + "(" * 800 + "\n```\n", path="a.md")["unaccounted_lines"] == []


@pytest.mark.parametrize(
    "text",
    [
        "```bash\nls " + "a_" * 30_000 + "\n```",
        "```bash\n" + "ab-" * 20_000 + "\n```",
        "```bash\n" + " " * 100_000 + "x\n```",
        "```promql\n" + "sum(rate(x[5m])) by (a) " * 2_000 + "\n```",
        "```sql\nUPDATE t SET a=1 WHERE " + "id = 1 AND " * 5_000 + "\n```",
        "-" * 100_000 + "x",
        "1. If " + "( " * 20_000,
        "**a** " * 20_000,
    ],
    ids=lambda text: text[:24],
)
def test_long_lines_take_no_quadratic_time(text: str) -> None:
    started = time.monotonic()
    compile_text(text, path="a.md")
    assert time.monotonic() - started < 5
