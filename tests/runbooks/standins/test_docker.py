"""The stand-in for docker against a real engine, compared with the real docker where both answer."""

import re
import signal
import subprocess
import sys

import pytest

from checks.connectors import connectors
from checks.probes import Place
from tests.peers import until
from tests.rules.tree import ROOT
from tests.runbooks.standins.calling import Call, Said, Standins
from tests.runbooks.standins.engines import IMAGE, Engine

_COMPOSE = {"project": "shop", "service": "api", "container-number": "1", "oneoff": "False"}
_LABELS = tuple(word for key, value in _COMPOSE.items() for word in ("--label", f"com.docker.compose.{key}={value}"))
_FILES = ("--label", "com.docker.compose.project.config_files=/srv/shop/docker-compose.prod.yml")


@pytest.fixture(scope="module", autouse=True)
def _containers(docker_engine: Engine) -> None:
    docker_engine.container("shop-api-1", options=(*_LABELS, *_FILES, "-e", "SHOWN=yes"))
    docker_engine.docker("exec", "shop-api-1", "touch", "/tmp/made")
    talker = "echo one; echo two >&2; echo three; trap 'exit 0' TERM; sleep 1000 & wait"
    docker_engine.container("talker", "sh", "-c", talker)
    docker_engine.docker("volume", "create", "data")


_SAME = [
    "ps",
    "ps -a --no-trunc",
    "ps -aq",
    "ps --format table_{{.Names}}\\t{{.Status}}",
    "ps --filter name=talker --format {{.Names}}:{{.Image}}:{{.Ports}}",
    "images",
    "images --format {{.Repository}}:{{.Tag}}/{{.Size}}",
    "image ls box",
    "network ls",
    "network inspect none",
    "volume ls",
    "volume inspect data",
    "system df",
    "inspect shop-api-1",
    "inspect nothing",
    "inspect --format {{.State.Status}}_exit={{.State.ExitCode}}_oom={{.State.OOMKilled}} talker",
    "inspect --format {{json_.State}} talker",
    "inspect --format {{range_.Config.Env}}{{println_.}}{{end}} shop-api-1",
    "inspect --format {{range_$k,_$v_:=_.NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}}{{end}} talker",
    "inspect --format {{if_eq_.State.Status_`running`}}up{{else}}down{{end}} talker",
    'inspect --format {{index_.Config.Labels_"com.docker.compose.service"}} shop-api-1',
    "logs talker",
    "logs --tail 1 talker",
    "logs nothing",
    "top talker",
    "top talker -eo pid,args",
    "port talker",
    "diff shop-api-1",
    "stats --no-stream --format {{.Name}} talker",
    "exec shop-api-1 sh -c echo_out;_echo_err_>&2;_exit_5",
    "exec shop-api-1 no-such-program",
    "exec -u nobody -w /tmp -e A=1 shop-api-1 sh -c id;_pwd;_echo_$A",
    "exec -w /nowhere shop-api-1 pwd",
    "exec nothing ls",
    "kill nothing",
    "stop nothing shop-gone",
    "rename nothing other",
    "rm talker",
    "update --memory 200m --memory-swap 300m talker",
    "run --rm --network none box:1 sh -c echo_out;_echo_err_>&2;_exit_7",
    "system prune --force",
    "image prune -f",
    "version --format {{.Server.Version}}",
    "info --format {{.ServerVersion}}",
    "-H tcp://127.0.0.1:1 ps",
    "-H unix:///nowhere.sock ps",
]


def _words(line: str) -> list[str]:
    """The words of a line in which an underscore is a space within a word."""
    return [word.replace("_", " ") for word in line.split(" ")]


def _differs(line: str, docker_engine: Engine, here: Call) -> tuple[Said, Said] | None:
    """What the two say where it is not the same. Asked again: an age may change between the two calls."""
    for _ in range(5):
        done = docker_engine.docker(*_words(line), check=False)
        # Older versions begin this one sentence otherwise.
        said = done.stderr.replace("Error: No such container", "Error response from daemon: No such container")
        real, ours = (done.returncode, done.stdout, said), here("docker", *_words(line))
        if real == ours:
            return None
    return real, ours


def test_it_says_what_the_real_docker_says(docker_engine: Engine, here: Call) -> None:
    found = {line: _differs(line, docker_engine, here) for line in _SAME}
    assert {line: pair for line, pair in found.items() if pair} == {}


def test_standard_input_and_large_output_go_through_whole(standins: Standins) -> None:
    fed = "".join(f"line {number}\n" for number in range(20_000))
    assert standins.call("docker", "exec", "-i", "talker", "cat", feed=fed).stdout == fed
    counted = standins.call("sh", "-c", "docker exec talker seq 100000 | tail -1")
    assert counted.stdout == "100000\n"


def test_a_flood_is_passed_on_and_not_kept(standins: Standins) -> None:
    count, grown = standins.flood("docker", "exec", "talker", "sh", "-c", "yes | head -c 40000000")
    assert count == 40_000_000
    assert grown < 25


def test_over_tls_input_ends_and_no_output_is_lost(docker_engine: Engine, standins: Standins) -> None:
    secured = Standins(standins.home, docker_engine.secured)
    fed = "".join(f"line {number}\n" for number in range(50_000))
    assert secured.call("docker", "exec", "-i", "talker", "cat", feed=fed).stdout == fed
    done = secured.call("docker", "exec", "talker", "sh", "-c", "seq 100000 | tail -1; echo err >&2; exit 4")
    assert (done.returncode, done.stdout, done.stderr) == (4, "100000\n", "err\n")
    assert "No such container" in secured.call("docker", "exec", "gone", "true").stderr


def test_an_engine_refuses_who_has_no_certificate(docker_engine: Engine, standins: Standins) -> None:
    for without in ({"DOCKER_CERT_PATH": str(standins.home)}, {"DOCKER_TLS_VERIFY": ""}):
        stranger = Standins(standins.home, {**docker_engine.secured, **without})
        done = stranger.call("docker", "ps")
        assert done.returncode == 1
        assert done.stderr.startswith(("error during connect", "Cannot connect", "Error response from daemon")), done


def test_fast_commands_lose_no_output(here: Call) -> None:
    assert [here("docker", "exec", "talker", "echo", "said") for _ in range(20)] == [(0, "said\n", "")] * 20


def test_containers_are_stopped_started_and_run(docker_engine: Engine, here: Call) -> None:
    started = here("docker", "run", "-d", "--name", "mine", "--network", "none", "-e", "A=b", IMAGE, "sleep", "99")
    assert re.fullmatch(r"[0-9a-f]{64}\n", started[1]), started
    for words, state in (
        (("pause", "mine"), "paused"),
        (("unpause", "mine"), "running"),
        (("kill", "mine"), "exited"),
        (("start", "mine"), "running"),
        (("restart", "-t", "0", "mine"), "running"),
        (("stop", "-t", "0", "mine"), "exited"),
    ):
        done = here("docker", *words)
        assert done == (0, "mine\n", "")
        assert docker_engine.docker("inspect", "-f", "{{.State.Status}}", "mine").stdout.strip() == state
    assert here("docker", "rm", "-v", "mine")[0] == 0
    assert docker_engine.docker("inspect", "mine", check=False).returncode == 1


def test_images_networks_and_volumes_are_made_and_removed(docker_engine: Engine, here: Call) -> None:
    docker_engine.docker("tag", IMAGE, "box:other")
    assert here("docker", "rmi", "box:other") == (0, "Untagged: box:other\n", "")
    assert here("docker", "volume", "create", "--label", "a=b", "kept") == (0, "kept\n", "")
    assert docker_engine.docker("volume", "inspect", "-f", "{{.Labels.a}}", "kept").stdout == "b\n"
    assert here("docker", "volume", "rm", "kept", "gone") == (
        1,
        "kept\n",
        "Error response from daemon: get gone: no such volume\n",
    )
    status, _, said = here("docker", "network", "connect", "nothing", "talker")
    assert (status, said) == (1, "Error response from daemon: network nothing not found\n")


def test_stats_and_events_are_bounded(here: Call) -> None:
    table = here("docker", "stats", "--no-stream", "talker")[1]
    assert re.search(r"talker\s+\d+\.\d\d%\s+\S+iB / \S+iB\s+\d+\.\d\d%", table), table
    assert "container start" in here("docker", "events", "--since", "10m", "--until", "0s")[1]


def test_what_it_does_not_know_is_refused_before_anything_starts(docker_engine: Engine, here: Call) -> None:
    for words, named in (
        (("build", "."), "build"),
        (("run", "--gpus", "all", IMAGE), "--gpus"),
        (("exec", "-it", "talker", "sh"), "--tty"),
        (("system", "prune"), "without --force"),
        (("ps", "--format", "{{template `x`}}"), "template"),
        (("compose", "up", "-d"), "compose up"),
        (("compose", "down"), "compose down"),
    ):
        done = here("docker", *words)
        assert done[:2] == (64, ""), (words, done)
        assert named in done[2] and "Install the Docker CLI on the worker" in done[2]
        assert done[2].count("\n") == 1
    assert "shop-api-1" in docker_engine.docker("ps").stdout


def test_compose_finds_a_project_by_its_labels(docker_engine: Engine, here: Call) -> None:
    for program in (["docker", "compose"], ["docker-compose"]):
        done = here(*program, "-f", "docker-compose.prod.yml", "exec", "-T", "api", "sh", "-c", "echo $SHOWN; exit 3")
        assert done[:2] == (3, "yes\n"), done
    listed = here("docker", "compose", "ps")[1]
    assert re.search(r"^shop-api-1\s+box:1\s+.*\sapi\s+.*Up", listed, re.MULTILINE), listed
    before = docker_engine.docker("inspect", "-f", "{{.State.StartedAt}}", "shop-api-1").stdout
    assert here("docker", "compose", "-p", "shop", "restart", "-t", "0", "api")[0] == 0
    assert docker_engine.docker("inspect", "-f", "{{.State.StartedAt}}", "shop-api-1").stdout != before
    missing = here("docker", "compose", "exec", "nothing", "ls")
    assert missing == (1, "", "no such service: nothing\n")
    other = here("docker", "compose", "-f", "other.yml", "ps")
    assert other[0] == 1 and "other.yml" in other[2]


def test_a_compose_project_is_a_target_of_its_own(docker_engine: Engine, here: Call) -> None:
    connector = connectors["compose"]
    address, _ = connector.clean(f" {docker_engine.url}?project=shop ")
    assert connector.test(Place(address), 5).said == "Project shop: 1 of 1 containers run."
    other = connector.test(Place(f"{docker_engine.url}?project=other"), 5)
    assert not other.ok and "no container of the project other" in other.said and "docker compose ls" in other.next_step
    given = connector.hand_over("shop-compose", Place(address), True).values
    assert given == {"DOCKER_HOST": docker_engine.url, "COMPOSE_PROJECT_NAME": "shop"}
    for wrong in (docker_engine.url, f"{docker_engine.url}?project=a b", "http://host?project=shop"):
        with pytest.raises(ValueError, match=r"docker\.sock"):
            connector.clean(wrong)


def test_compose_logs_name_their_container(here: Call) -> None:
    here("docker", "compose", "exec", "-T", "api", "sh", "-c", "echo from the log > /proc/1/fd/1")
    assert here("docker", "compose", "logs", "--tail=1", "api")[1] == "api-1  | from the log\n"


def _begun(standins: Standins, docker_engine: Engine, *words: str, shown: str) -> "subprocess.Popen[str]":
    process = standins.begin("docker", *words)
    until(lambda: shown in docker_engine.processes_in("talker"), 10, f"{shown} runs in the container")
    return process


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_ending_it_ends_what_it_started_in_the_container(docker_engine: Engine, standins: Standins, user: str) -> None:
    stubborn = "trap '' TERM; sleep 701 & sleep 702; sleep 703"
    process = _begun(standins, docker_engine, "exec", "-u", user, "talker", "sh", "-c", stubborn, shown="sleep 702")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 143
    assert "was ended too" in said
    assert "sleep 70" not in docker_engine.processes_in("talker")
    assert not list((standins.home / ".elsewhere").iterdir())


def test_what_cannot_be_ended_is_noted(docker_engine: Engine, standins: Standins) -> None:
    process = _begun(standins, docker_engine, "exec", "talker", "sleep", "704", shown="sleep 704")
    process.kill()
    process.communicate(timeout=10)
    assert "sleep 704" in docker_engine.processes_in("talker")
    [note] = (standins.home / ".elsewhere").iterdir()
    assert note.read_text() == "`sleep` in container talker"
    docker_engine.docker("exec", "talker", "sh", "-c", "kill -9 $(ps | grep '[s]leep 704' | head -1)", check=False)


def test_ending_a_container_in_front_ends_it(docker_engine: Engine, standins: Standins) -> None:
    words = ("docker", "run", "--rm", "--name", "front", "--network", "none", IMAGE, "sleep", "705")
    process = standins.begin(*words)
    running = ("ps", "-q", "--filter", "name=front")
    until(lambda: docker_engine.docker(*running).stdout, 10, "the container runs")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143
    assert docker_engine.docker(*running).stdout == ""


def test_a_call_loads_neither_django_nor_the_other_client(standins: Standins) -> None:
    code = "import sys; from runbooks.standins import start; start.carry_out('docker', ['ps']); "
    code += "print(sorted({name.split('.')[0] for name in sys.modules} & {'django', 'kubernetes', 'celery'}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=standins.environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done
