"""What people bring: files, folders, zips, pastes; garbage gets a sentence and the rest goes on."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from runbooks import uploads


class File:
    """An upload of a form."""

    def __init__(self, name: str, body: bytes) -> None:
        self.name: str | None = name
        self.size: int | None = len(body)
        self._body = body

    def read(self) -> bytes:
        return self._body


def packed(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries.items():
            archive.writestr(name, body)
    return out.getvalue()


def test_a_folder_brings_its_markdown_with_paths_and_nothing_else() -> None:
    brought = uploads.from_files(
        [File("ops/a.md", b"# A"), File("ops/logo.png", b"\x89PNG"), File("ops/b.txt", b"# B")]
    )
    assert brought.documents == {"ops/a.md": b"# A", "ops/b.txt": b"# B"}
    assert brought.problems == []


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("a.md", b"", "empty"),
        ("a.md", b"  \n", "empty"),
        ("a.md", b"GIF\0\0\0", "not a text file"),
        ("a.md", b"x" * (uploads.FILE_LIMIT + 1), "larger than 10 MB"),
        ("a.zip", b"no zip at all", "no zip"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(name: str, body: bytes, sentence: str) -> None:
    brought = uploads.from_files([File(name, body), File("good.md", b"# Good")])
    assert list(brought.documents) == ["good.md"]
    assert sentence in brought.problems[0]


def test_a_zip_is_unpacked_without_leaving_its_folder() -> None:
    body = packed({"ops/a.md": b"# A", "../../etc/b.md": b"# B", "/c.md": b"# C", "x.exe": b"MZ"})
    assert set(uploads.from_files([File("all.zip", body)]).documents) == {"ops/a.md", "etc/b.md", "c.md"}


def test_a_zip_bomb_stops_at_the_limit() -> None:
    body = packed({f"{number}.md": b"a" * uploads.FILE_LIMIT for number in range(12)})
    assert len(body) < 1_000_000
    brought = uploads.from_files([File("bomb.zip", body)])
    assert sum(map(len, brought.documents.values())) <= uploads.TOTAL_LIMIT
    assert any("40 MB" in problem for problem in brought.problems)


def test_a_link_in_a_zip_is_passed_over() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.md")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.md", "# A")
    assert list(uploads.from_files([File("a.zip", out.getvalue())]).documents) == ["a.md"]


@pytest.mark.parametrize(
    ("name", "path"),
    [("../../a.md", "a.md"), ("C:\\ops\\a.md", "C_/ops/a.md"), ("a\0b.md", "a_b.md"), ("/", "document.md")],
)
def test_a_path_stays_below(name: str, path: str) -> None:
    assert uploads.safe_path(name) == path


def test_a_working_copy_is_taken_at_its_commit(tmp_path: Path) -> None:
    (tmp_path / "team" / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "team" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "team" / ".git" / "refs" / "heads" / "main").write_text("c0ffee" + "0" * 34 + "\n")
    (tmp_path / "team" / "a.md").write_text("# A")
    brought, commit = uploads.from_folder(tmp_path, "team")
    assert brought.documents == {"team/a.md": b"# A"}
    assert commit == "c0ffee" + "0" * 34


@pytest.mark.parametrize("below", ["..", "../..", "/etc", "nowhere", "link"])
def test_a_folder_outside_is_refused(below: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    os.symlink("/etc", root / "link")
    with pytest.raises(ValueError, match="no such folder"):
        uploads.from_folder(root, below)
