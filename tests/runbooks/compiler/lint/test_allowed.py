"""A document may allow something, with a reason and no further than it says."""

from pathlib import Path

from runbooks.compiler import compile_paths, compile_text

MARK = "<!-- erpops: allow command.endless because somebody watches -->"


def test_what_is_allowed_is_kept_apart_with_its_reason() -> None:
    document = compile_text(f"# A\n\n1. Look\n\n{MARK}\n\n```bash\ntail -f a.log\n```\n", path="a.md")
    assert {f["rule"] for f in document["findings"]} <= {"runbook.no-verification"}
    assert [(f["rule"], f["line"], f["reason"]) for f in document["suppressed"]] == [
        ("command.endless", 8, "somebody watches")
    ]


def test_a_mark_before_the_first_heading_holds_for_the_document() -> None:
    text = f"{MARK}\n# A\n\n1. Look\n\n   ```bash\n   tail -f a\n   ```\n2. Again\n\n   ```bash\n   tail -f b\n   ```\n"
    assert len(compile_text(text, path="a.md")["suppressed"]) == 2


def test_a_mark_does_not_reach_beyond_its_block() -> None:
    text = f"# A\n\n1. Look\n\n{MARK}\n\n```bash\ntail -f a\n```\n\nThen:\n\n```bash\ntail -f b\n```\n"
    document = compile_text(text, path="a.md")
    assert [f["line"] for f in document["findings"] if f["rule"] == "command.endless"] == [14]


def test_a_mark_without_a_reason_allows_nothing() -> None:
    document = compile_text(
        f"# A\n\n{MARK.replace(' because somebody watches', '')}\n\n```bash\ntail -f a\n```\n", path="a.md"
    )
    assert {"allow.no-reason", "command.endless"} <= {f["rule"] for f in document["findings"]}
    assert document["suppressed"] == []


def test_rules_between_documents_can_be_allowed_too(tmp_path: Path) -> None:
    mark = "<!-- erpops: allow link.dead because it comes next week -->\n"
    (tmp_path / "a.md").write_text(f"{mark}# A\n\nSee [b](b.md).\n\n1. Look\n")
    (tmp_path / "c.md").write_text("# C\n\nSee [b](b.md).\n\n1. Look\n")
    first, second = compile_paths([tmp_path])["documents"]
    assert [f["rule"] for f in first["findings"]] == []
    assert [f["rule"] for f in first["suppressed"]] == ["link.dead"]
    assert [f["rule"] for f in second["findings"]] == ["link.dead"]
