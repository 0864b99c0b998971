"""Documents as people bring them: files, a folder, a zip, a paste, or a folder of this server."""

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from runbooks.compiler import SUFFIXES, find_files
from runbooks.exporting import MANIFEST, read_manifest

FILE_LIMIT = 10 * 1024 * 1024
TOTAL_LIMIT = 40 * 1024 * 1024
FILES_LIMIT = 2000


class Upload(Protocol):
    """A file of a form; `name` may hold the folders that it stood in."""

    name: str | None
    size: int | None

    def read(self) -> bytes: ...


@dataclass
class Brought:
    """Documents by path, and a sentence for each thing that could not be taken."""

    documents: dict[str, bytes] = field(default_factory=dict)
    # Of an exported library: what its files are, by path.
    manifest: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, path: str, body: bytes) -> None:
        """Take one document, or say why not."""
        problem = self._problem(path, body)
        if problem:
            self.problems.append(problem)
            return
        self.documents[path] = body

    def _problem(self, path: str, body: bytes) -> str:
        if len(body) > FILE_LIMIT:
            return f"{path} is larger than 10 MB. Split it, one document per system."
        if not body.strip():
            return f"{path} is empty."
        if b"\0" in body and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
            return f"{path} is not a text file. Choose Markdown (.md or .txt)."
        if len(self.documents) >= FILES_LIMIT:
            return f"{path} was left out: one import takes {FILES_LIMIT} documents."
        if sum(map(len, self.documents.values())) + len(body) > TOTAL_LIMIT:
            return f"{path} was left out: one import takes 40 MB."
        return ""


def from_files(files: Iterable[Upload]) -> Brought:
    """Uploaded files; a zip is opened. Files of another kind than Markdown in a folder are passed over."""
    brought = Brought()
    several = list(files)
    for upload in several:
        path = safe_path(upload.name or "document.md")
        if (upload.size or 0) > TOTAL_LIMIT:
            brought.problems.append(f"{path} is larger than 40 MB.")
        elif path.lower().endswith(".zip"):
            _unpack(upload.read(), path, brought)
        elif len(several) == 1 or path.lower().endswith(SUFFIXES):
            brought.add(path, upload.read())
    return brought


def from_archive(file: Path) -> Brought:
    """A zip on this machine."""
    brought = Brought()
    try:
        body = file.read_bytes()
    except OSError as error:
        brought.problems.append(f"{file} cannot be read: {error.strerror}.")
        return brought
    _unpack(body, str(file), brought)
    return brought


def from_paste(name: str, text: str) -> Brought:
    """A pasted text under the name that it was given."""
    brought = Brought()
    brought.add(safe_path(name or "pasted.md"), text.replace("\r\n", "\n").encode("utf-8", "surrogatepass"))
    return brought


def from_folder(root: Path, below: str) -> tuple[Brought, str]:
    """The Markdown below a folder of this server, and the commit if it is a Git working copy.

    Raises ValueError with a sentence for a folder that is not there or lies outside of `root`.
    """
    folder = (root / below).resolve()
    if not folder.is_relative_to(root.resolve()) or not folder.is_dir():
        raise ValueError("There is no such folder below the one that is set up for runbooks.")
    brought = Brought()
    for file in find_files([folder]):
        path = str(file.relative_to(root.resolve()))
        try:
            brought.add(path, file.read_bytes() if file.stat().st_size <= FILE_LIMIT else b"x" * (FILE_LIMIT + 1))
        except OSError as error:
            brought.problems.append(f"{path} cannot be read: {error.strerror}.")
    return brought, commit_of(folder)


def commit_of(folder: Path) -> str:
    """The commit that a Git working copy stands at, read from its files; empty without one."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return _head(git)
    return ""


def safe_path(name: str) -> str:
    """A relative path without steps upwards, drives or control characters."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in {"/", "..", "."}]
    clean = "/".join(re.sub(r"[\x00-\x1f\x7f:]", "_", part) for part in parts)
    return clean[-280:].lstrip("/") or "document.md"


def _head(git: Path) -> str:
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head[:40]
        ref = head.removeprefix("ref: ")
        loose = git / ref
        if loose.is_file():
            return loose.read_text(encoding="utf-8").strip()[:40]
        packed = (git / "packed-refs").read_text(encoding="utf-8")
        return next((line.split()[0] for line in packed.splitlines() if line.endswith(f" {ref}")), "")
    except OSError:
        return ""


def _unpack(body: bytes, name: str, brought: Brought) -> None:
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            if MANIFEST in archive.namelist():
                with archive.open(MANIFEST) as file:
                    brought.manifest = read_manifest(file.read(FILE_LIMIT))
            for path, text in _entries(archive, brought):
                brought.add(path, text)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        brought.problems.append(f"{name} is no zip that can be opened. Pack it anew, without a password.")


def _entries(archive: zipfile.ZipFile, brought: Brought) -> Iterator[tuple[str, bytes]]:
    """The Markdown of an archive. What an entry says of its own size is not believed."""
    taken = 0
    for entry in archive.infolist():
        path = safe_path(entry.filename)
        link = (entry.external_attr >> 16) & 0o170000 == 0o120000
        if entry.is_dir() or link or not path.lower().endswith(SUFFIXES):
            continue
        with archive.open(entry) as file:
            text = file.read(FILE_LIMIT + 1)
        taken += len(text)
        if taken > TOTAL_LIMIT:
            brought.problems.append("The zip unpacks to more than 40 MB; what came after that was left out.")
            return
        yield path, text
