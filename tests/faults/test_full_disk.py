"""A worker whose disk is full: every attempt ends with a reason, and none is called done that was not."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbooks import spool
from tests.runbooks.builders import command, effect, effects, output_of, walk
from tests.runbooks.running import run_now, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)
Small = Callable[[str], Path]


@pytest.fixture
def small(transactional_db: None) -> Iterator[Small]:
    """Put the spools onto a disk of a given size (options of tmpfs)."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted for this: run as root")
    root = spool.root()
    root.mkdir(parents=True, exist_ok=True)
    mounted = []

    def mount(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(root)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(root)
        return root

    yield mount
    wait_all_gone()
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_output_that_does_not_fit_ends_the_command_and_says_so(small: Small, tmp_path: Path) -> None:
    small("size=1m")
    run = run_now(
        walk(command(effect(tmp_path / "ledger", "echo first; yes line of output | head -c 4000000; sleep 60")))
    )
    assert (run.status, effects(tmp_path / "ledger")) == ("stopped", 1)
    assert "could not be kept: No space left on device" in run.reason
    assert output_of(run).startswith(b"first\n")
    wait_all_gone()
    assert not spool.Spool(run.pk).exists()


def test_a_command_that_fills_the_disk_with_files_meets_the_end_of_it(small: Small) -> None:
    small("size=1m")
    run = run_now(walk(command("head -c 2000000 /dev/zero > big; echo wrote $?; exit 4")))
    assert run.status in {"failed", "stopped"}
    assert run.exit_code == 4 if run.status == "failed" else "could not be kept" in run.reason


@pytest.mark.parametrize("options", ["size=1m,nr_inodes=1", "size=4k,nr_inodes=100"])
def test_without_room_for_its_directory_nothing_is_started(small: Small, tmp_path: Path, options: str) -> None:
    root = small(options)
    if "4k" in options:
        (root / "full").write_bytes(b"x" * 4096)
    place = walk(command(effect(tmp_path / "ledger")))
    run = run_now(place)
    assert (run.status, effects(tmp_path / "ledger")) == ("not_started", 0)
    assert "No space left on device. Nothing was started." in run.reason
    assert not spool.Spool(run.pk).exists()


def test_a_disk_that_may_only_be_read_starts_nothing(small: Small, tmp_path: Path) -> None:
    small("ro,size=1m")
    run = run_now(walk(command(effect(tmp_path / "ledger"))))
    assert (run.status, effects(tmp_path / "ledger")) == ("not_started", 0)
    assert "Read-only file system. Nothing was started." in run.reason


def test_when_there_is_room_again_commands_run_again(small: Small, tmp_path: Path) -> None:
    root = small("size=512k,nr_inodes=100")
    (root / "full").write_bytes(b"x" * (512 * 1024))
    place = walk(command(effect(tmp_path / "ledger", "echo hi")))
    assert run_now(place).status == "not_started"
    (root / "full").unlink()
    run = run_now(place)
    assert (run.status, output_of(run)) == ("succeeded", b"hi\n")
    assert effects(tmp_path / "ledger") == 1
