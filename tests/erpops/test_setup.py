"""bin/setup.py on machines where something is missing: one sentence each, with the remedy."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NOBODY = 65534


@pytest.fixture
def clone() -> Iterator[Path]:
    """What set-up reads, in a directory that other users reach too (pytest's own are closed)."""
    with tempfile.TemporaryDirectory(prefix="erpops-tests-") as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "bin", copy / "bin", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("requirements-uv.lock", "requirements.lock", "requirements-dev.lock", "package-lock.json"):
            shutil.copy(ROOT / name, copy)
        copy.chmod(0o755)
        yield copy


def set_up(clone: Path, *, first: str = "pass", as_uid: int | None = None, **environment: str) -> str:
    """Run set-up after the statement `first`; what it says on standard error when it gives up."""
    script = str(clone / "bin" / "setup.py")
    code = f"import sys, runpy; {first}; sys.argv = ['', 'run']; runpy.run_path({script!r}, run_name='__main__')"
    done = subprocess.run(
        # Another user may not reach the interpreter of this one.
        ["/usr/bin/python3" if as_uid else sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        user=as_uid,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_old_python_is_refused_with_the_way_to_name_another(clone: Path) -> None:
    said = set_up(clone, first="sys.version_info = (3, 10, 2)")
    assert "Python 3.11 or newer is needed" in said
    assert "make run PYTHON=" in said


def test_a_python_without_venv_says_what_to_install(clone: Path) -> None:
    said = set_up(clone, first="sys.modules['ensurepip'] = None")
    assert "apt install python3-venv" in said


def test_a_clone_that_cannot_be_written_is_named(clone: Path) -> None:
    if os.geteuid() == 0:
        said = set_up(clone, as_uid=NOBODY)
    else:
        clone.chmod(0o555)
        said = set_up(clone)
        clone.chmod(0o755)
    assert f"{clone} cannot be written (Permission denied)" in said
    assert "clone it to a place of your own" in said


def test_without_a_network_the_variables_for_proxy_and_mirror_are_named(clone: Path) -> None:
    said = set_up(clone, PIP_INDEX_URL="http://127.0.0.1:1/", PIP_RETRIES="1", PIP_CONFIG_FILE=os.devnull)
    assert "the package index cannot be reached" in said
    assert "HTTPS_PROXY" in said
    assert "PIP_INDEX_URL" in said


def test_an_interrupted_step_is_done_again(clone: Path) -> None:
    (clone / ".boot" / "bin").mkdir(parents=True)
    (clone / ".boot" / "bin" / "uv").touch()
    said = set_up(clone, PIP_INDEX_URL="http://127.0.0.1:1/", PIP_RETRIES="1", PIP_CONFIG_FILE=os.devnull)
    assert "the installer uv could not be fetched" in said


def test_locks_name_versions_and_hashes_but_no_hosts() -> None:
    for lock in [*ROOT.glob("requirements*.lock"), ROOT / "package-lock.json"]:
        text = lock.read_text()
        assert '"resolved"' not in text, lock
        assert "--index-url" not in text, lock
        assert " @ " not in text, lock
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        assert text.count("==") >= 1
        for requirement in text.replace(" \\\n", " ").splitlines():
            assert "--hash=sha256:" in requirement, (lock, requirement)
