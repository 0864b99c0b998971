"""Commands start in the folder that their environment names, where the team's own files lie."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.models import Target
from incidents.models import Environment
from runbooks import dry_run
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import run_now, wait_all_gone
from tests.sshd import Sshd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_left(transactional_db: None) -> Iterator[None]:
    yield
    wait_all_gone()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a script and a setting."""
    folder = tmp_path / "the project"
    (folder / "scripts").mkdir(parents=True)
    (folder / ".env").write_text("PORT=8080\n")
    (folder / "scripts/warm.sh").write_text("#!/bin/sh\necho warm\n")
    (folder / "scripts/warm.sh").chmod(0o755)
    (folder / "scripts/notes.txt").write_text("no program\n")
    return folder


def placed(folder: Path | str, *commands: dict[str, object]) -> Walk:
    """A walk whose environment has that folder."""
    place = walk(*commands)
    Environment.objects.filter(name="test").update(folder=str(folder))
    place.execution.environment.refresh_from_db()
    return place


def test_the_teams_own_files_are_found_and_what_a_command_leaves_is_there_for_the_next(project: Path) -> None:
    first = command('cat .env; echo kept > note; pwd; echo "$PWD"; cd "$HOME" && pwd')
    place = placed(project, first, command("cat note"), command("./scripts/warm.sh"))
    run = run_now(place)
    port, here, named, home = output_of(run).decode().splitlines()
    assert (port, here, named) == ("PORT=8080", str(project), str(project))
    assert home.endswith(f"/spool/{run.pk}/work")
    assert output_of(run_now(place, 1)) == b"kept\n"
    assert output_of(run_now(place, 2)) == b"warm\n"


def test_without_a_folder_what_lies_in_one_is_refused_with_what_to_do() -> None:
    place = placed("", command("./scripts/warm.sh all"), command("cd /tmp && ./warm.sh"))
    with pytest.raises(Refused, match=r"\./scripts/warm\.sh is a file of yours.*an admin can name the folder"):
        run_now(place)
    # Where the text itself goes somewhere, bash knows best.
    assert run_now(place, 1).exit_code == 127


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("./scripts/gone.sh", "There is no file {folder}/scripts/gone.sh on this worker."),
        ("scripts/notes.txt", "{folder}/scripts/notes.txt may not be executed."),
    ],
)
def test_a_file_that_is_not_there_or_no_program_is_told_with_its_place(project: Path, text: str, sentence: str) -> None:
    run = run_now(placed(project, command(text)))
    assert run.status == "not_started"
    assert run.reason.startswith(sentence.format(folder=project))


def test_a_worker_without_the_folder_starts_nothing(tmp_path: Path) -> None:
    run = run_now(placed("/nowhere/shop", command(f"touch {tmp_path}/ran")))
    assert run.status == "not_started"
    assert "There is no folder /nowhere/shop on this worker" in run.reason
    assert not (tmp_path / "ran").exists()


def test_waiting_until_it_holds_starts_there_too(project: Path) -> None:
    holds = {"op": "contains", "value": "8080"}
    text = command("cat .env", expected=[{"text": "the port", "line": 1, "assertion": holds}])
    assert run_now(placed(project, text), waits=True).status == "succeeded"


def test_a_shell_host_has_the_folder_or_starts_nothing(project: Path) -> None:
    with Sshd() as server:
        place = placed(project, command("./scripts/warm.sh; pwd"))
        values = {"address": server.address, "credential": server.private_key, "trust": server.host_key}
        Target.objects.create(
            name="box", label="Box", kind="ssh", environment=place.execution.environment, carries_shell=True, **values
        )
        assert output_of(run_now(place)).decode().splitlines() == ["warm", str(project)]
        Environment.objects.filter(name="test").update(folder="/nowhere/shop")
        run = run_now(place)
    assert run.status == "not_started"
    assert "There is no folder /nowhere/shop on box" in run.reason


def test_a_dry_run_tells_where_it_would_start(project: Path) -> None:
    place = placed(project, command("cat .env"), command("SELECT 1", kind="sql"))
    site = dry_run.Site.of(place.execution.environment)
    planned = dry_run.plan(place.step(), values={}, site=site)
    assert [each.starts_in for each in planned] == [os.fspath(project), ""]
