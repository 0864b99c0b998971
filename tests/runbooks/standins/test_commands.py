"""Commands of a runbook that speak to containers, carried out under a supervisor on a worker without the programs."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks import needed, runner, variables
from runbooks.models import CommandRun
from tests.peers import until
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import begin, ended, run_now, wait_all_gone
from tests.runbooks.standins.clusters import Cluster, cluster
from tests.runbooks.standins.engines import Engine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_left(transactional_db: None) -> Iterator[None]:
    yield
    wait_all_gone()


@pytest.fixture(scope="module")
def worker(docker_engine: Engine) -> Engine:
    docker_engine.container("worker")
    return docker_engine


@pytest.fixture(scope="module")
def shop() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker that has a shell and little else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "sh", "sleep", "cat", "tail", "sort"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setattr(variables, "_SYSTEM_PATH", str(folder))
    return folder


def _place(text: str, **given: str) -> Walk:
    place = walk(command(text))
    environment = place.execution.environment
    environment.variables = given
    environment.save(update_fields=["variables"])
    return place


def _ran(text: str, **given: str) -> tuple[str, int | None, str]:
    run = run_now(_place(text, **given))
    return run.status, run.exit_code, output_of(run).decode()


def _runs_in(engine: Engine, text: str) -> bool:
    return text in engine.processes_in("worker")


def test_docker_commands_run_in_pipes_and_end_as_they_should(bare: Path, worker: Engine) -> None:
    there = {"DOCKER_HOST": worker.url}
    loop = "for n in 3 1 2; do docker exec worker echo said $n; done | sort | tail -1"
    assert _ran(loop, **there) == ("succeeded", 0, "said 3\n")
    status, code, said = _ran("docker exec worker sh -c 'echo out; echo err >&2; exit 5'", **there)
    assert (status, code, sorted(said.split())) == ("failed", 5, ["err", "out"])
    several = "docker exec gone true; echo $?; docker -H unix:///no.sock ps; echo $?; docker build ."
    status, code, said = _ran(several, **there)
    assert (status, code) == ("failed", 64)
    assert "No such container: gone" in said and "Cannot connect to the Docker daemon at unix:///no.sock" in said
    assert "Install the Docker CLI on the worker" in said and said.count("1\n") == 2


def test_a_time_limit_ends_what_was_started_in_a_container(
    bare: Path, worker: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 2)
    run = run_now(_place("docker exec worker sh -c 'trap \"\" TERM; sleep 801; sleep 802'", DOCKER_HOST=worker.url))
    assert run.status == "timed_out", run.reason
    assert not _runs_in(worker, "sleep 80")


def _stopped(place: Walk, starts: Any) -> CommandRun:
    run = begin(place)
    until(starts, 20, "it runs where it was started")
    runner.stop(run=run, by=place.user)
    return ended(run, 30)


def test_a_stop_ends_what_was_started_in_a_container(bare: Path, worker: Engine) -> None:
    place = _place("docker exec -u nobody worker sleep 803", DOCKER_HOST=worker.url)
    run = _stopped(place, lambda: _runs_in(worker, "sleep 803"))
    assert run.status == "stopped", run.reason
    assert not _runs_in(worker, "sleep 803")


def test_what_cannot_be_ended_in_a_container_is_not_called_stopped(bare: Path, worker: Engine) -> None:
    place = _place("docker exec worker sleep 804", DOCKER_HOST=worker.url)

    def frozen() -> bool:
        if not _runs_in(worker, "sleep 804"):
            return False
        worker.docker("pause", "worker")
        return True

    run = _stopped(place, frozen)
    worker.docker("unpause", "worker")
    assert run.status == "stop_unconfirmed"
    assert "`sleep` in container worker" in run.reason
    assert _runs_in(worker, "sleep 804")
    worker.docker("exec", "worker", "sh", "-c", "kill -9 $(ps | grep '[s]leep 804' | cut -c1-6)", check=False)


def test_the_real_docker_leaves_its_process_and_that_is_said(worker: Engine) -> None:
    if not re.match(r"/usr/(local/)?s?bin/", str(shutil.which("docker"))):
        pytest.skip("docker is not in a system folder: apt install docker.io")
    place = _place("docker exec worker sleep 805", DOCKER_HOST=worker.url)
    run = _stopped(place, lambda: _runs_in(worker, "sleep 805"))
    assert run.status == "stop_unconfirmed"
    assert "`docker exec`" in run.reason
    assert _runs_in(worker, "sleep 805")


def test_kubectl_commands_run_in_pipes_and_end_as_they_should(bare: Path, shop: Cluster, tmp_path: Path) -> None:
    there = {"KUBECONFIG": str(shop.config(tmp_path / "config"))}
    assert _ran("kubectl get pods -l app=api -o name | sort | tail -1", **there) == ("succeeded", 0, "pod/api-2\n")
    status, code, said = _ran("kubectl exec api-1 -- sh -c 'echo out; exit 5'", **there)
    assert (status, code) == ("failed", 5) and "command terminated with exit code 5" in said
    wrong, gone = (
        shop.config(tmp_path / "wrong", token="wrong"),
        shop.config(tmp_path / "gone", url="https://127.0.0.1:1"),
    )
    several = f"kubectl logs gone; kubectl --kubeconfig {wrong} get pods; kubectl --kubeconfig {gone} delete pod api-1"
    status, code, said = _ran(several, **there)
    assert (status, code) == ("failed", 1)
    assert 'pods "gone" not found' in said and "(Unauthorized)" in said and "was refused" in said


def test_a_stop_of_kubectl_exec_is_unconfirmed(bare: Path, shop: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "began"
    script = f"kubectl exec api-1 -- sh -c 'echo $$ > {mark}; sleep 20'"
    place = _place(script, KUBECONFIG=str(shop.config(tmp_path / "config")))
    run = _stopped(place, mark.exists)
    assert run.status == "stop_unconfirmed"
    assert "`sh` in pod api-1" in run.reason


def test_a_stop_of_what_only_asks_a_cluster_is_a_stop(bare: Path, shop: Cluster, tmp_path: Path) -> None:
    place = _place(
        "kubectl wait --for=condition=Ready pod/waiting --timeout=60s", KUBECONFIG=str(shop.config(tmp_path / "c"))
    )
    run = begin(place)
    runner.stop(run=run, by=place.user)
    assert ended(run, 30).status == "stopped"


def test_a_worker_tells_its_stand_ins_among_its_programs(bare: Path) -> None:
    _place("docker ps")
    there = frozenset(needed.facts(["env.test"])["programs"]["env.test"])
    assert {"docker (stand-in)", "docker-compose (stand-in)", "kubectl (stand-in)", "bash"} <= there
    assert needed.lacking({"kind": "shell", "text": "docker exec db psql | kubectl get pods"}, there, "") == ""
    assert "helm" in needed.lacking({"kind": "shell", "text": "helm list"}, there, "")
    for text, named in (
        ("command docker build . | bash", "subcommand build"),
        ("kubectl apply -f a.yaml", "subcommand apply"),
    ):
        assert named in needed.lacking({"kind": "shell", "text": text}, there, "")
        assert needed.lacking({"kind": "shell", "text": text}, there | {"docker", "kubectl"}, "") == ""
    assert needed.lacking({"kind": "shell", "text": "cat docker build"}, there, "") == ""
