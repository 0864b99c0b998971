"""The stand-in for kubectl against a server that speaks the protocol, compared with the real kubectl on it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.standins import start
from tests.peers import needed, until
from tests.runbooks.standins.calling import Call, Said, Standins
from tests.runbooks.standins.clusters import Cluster, cluster
from tests.runbooks.standins.objects import Object, initial


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


@pytest.fixture
def shop(running: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster as it was in the beginning, and its kubeconfig where kubectl looks for it."""
    running.objects, running.protocols = initial(), ("v5.channel.k8s.io", "v4.channel.k8s.io")
    running.seen.clear()
    monkeypatch.setenv("HOME", str(tmp_path))
    running.config(tmp_path / ".kube" / "config")
    return running


@pytest.fixture
def here(shop: Cluster, capfd: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> Said:
        capfd.readouterr()
        status = start.carry_out("kubectl", list(words))
        return (status, *capfd.readouterr())

    return call


@pytest.fixture
def standins(shop: Cluster, tmp_path: Path) -> Standins:
    return Standins(tmp_path, {})


_SAME = [
    "get pods",
    "get pods -o wide",
    "get pods -A",
    "get pods api-1 nope",
    "get pods -l app=api --no-headers",
    "get pods -l app=nothing",
    "get deploy,pods",
    "get configmaps,secrets",
    "get certificates",
    "get nonsense",
    "get pods -n forbidden",
    "get pods -o name",
    "get pod api-1 -o json",
    "get pods -o yaml",
    "get pods --field-selector=status.phase!=Running,status.phase!=Succeeded",
    "get pods --sort-by=.status.containerStatuses[0].restartCount",
    "get pods -o custom-columns=NAME:.metadata.name,LAST:.status.containerStatuses[0].lastState.terminated.reason",
    "get deployment api -o jsonpath={.spec.template.spec.containers[*].image}",
    'get pods -o jsonpath={range_.items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}',
    "logs twin --tail=1",
    "logs -l app=job --prefix",
    "logs deploy/api --tail=1",
    "logs api-1 -c nothing",
    "exec api-1 -- sh -c echo_out;_echo_err_>&2;_exit_5",
    "exec api-1 -- /no/such/program",
    "rollout status deployment/api",
    "rollout undo deployment/api",
    "scale deployment/api --replicas=3",
    "set image deployment/api api=api:9",
    "set env deployment/api A=b LEVEL-",
    "delete pod api-1",
    "cordon node-a",
    "top pods --sort-by=memory",
]
_SAME_TOO = [
    "get po api-1",
    "get pod/api-1",
    "get pods nope",
    "get deploy -o name",
    "get pods -o json",
    "get pods,services -l app=api",
    "get nodes",
    "get certificates -A",
    "get pods -n other",
    "get pods --show-labels",
    "get pods -L app",
    "get events --sort-by=.lastTimestamp --field-selector type!=Normal",
    "get pods -o jsonpath={.items[?(@.status.phase=='Pending')].metadata.name}",
    "get pod api-1 -o jsonpath={.metadata.labels}",
    "get deployment api -o jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}",
    "get deployment api -o jsonpath={.status.unavailableReplicas}",
    "get pod nope --ignore-not-found",
    'get pods -o go-template={{range_.items}}{{.metadata.name}}{{"\\n"}}{{end}}',
    "logs api-1 --tail=3",
    "logs twin -c second --tail=1",
    "logs api-1 --all-containers --prefix --tail=1",
    "logs -l app=job --tail=-1",
    "logs nope",
    "logs -f api-1 --tail=1",
    "exec api-1 -- seq 30000",
    "exec deploy/api -- echo hi",
    "exec twin -- echo x",
    "exec twin -c second -- echo y",
    "exec nope -- ls",
    "rollout history deployment/api",
    "rollout restart deployment/api",
    "rollout pause deployment/api",
    "rollout resume deployment/api",
    "rollout restart deploy nope",
    "scale deploy api --replicas=2",
    "set image deployment/api nothing=api:9",
    "set env deployment/api --list",
    "set resources deployment/api --limits=memory=200Mi",
    'patch service web -p {"spec":{"selector":{"colour":"green"}}}',
    'patch service web --type merge -p {"spec":{"selector":{"colour":"blue"}}}',
    "label pod api-1 app=other",
    "label pod api-1 app=other --overwrite",
    "label pod api-1 tier-",
    "annotate pod api-1 note=1",
    "uncordon node-a",
    "top pod --containers",
    "top nodes",
    "delete pod nope",
    "config current-context",
    "config get-contexts",
    "cluster-info",
    "wait --for=condition=Ready pod -l app=api --timeout=3s",
    "wait --for=condition=Ready pod/waiting --timeout=1s",
    "--context nope get pods",
]


def _words(line: str) -> list[str]:
    """The words of a line in which an underscore is a space within a word."""
    return [word.replace("_", " ") for word in line.split(" ")]


def _left(found: dict[tuple[str, str, str], Object]) -> str:
    """What is in the cluster, without numbers of versions, times of this run, and fields that are empty anyway."""
    text = re.sub(r"'resourceVersion': '\d+'|'creationTimestamp': None, |, 'resources': {}", "", str(found))
    return re.sub(r"'kubectl.kubernetes.io/restartedAt': '[^']*'", "restarted", text)


def _needs_a_recent_kubectl() -> None:
    """Older ones word and lay out some things otherwise."""
    [program] = needed("kubectl")
    told = subprocess.run([program, "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=60)
    version = json.loads(told.stdout)["clientVersion"]["gitVersion"]
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (1, 30):
        pytest.skip(f"kubectl here is {version}, which says some things otherwise: install 1.30 or newer")


def _compared(lines: list[str], shop: Cluster, here: Call, home: Path) -> list[Any]:
    """The lines for which the two programs differ in what they say or in what they leave."""
    _needs_a_recent_kubectl()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECACHEDIR": str(home / "cache")}
    different = []
    for line in lines:
        shop.objects = initial()
        done = subprocess.run(
            ["kubectl", *_words(line)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        real = (done.returncode, done.stdout, done.stderr, _left(shop.objects))
        shop.objects = initial()
        ours = (*here(*_words(line)), _left(shop.objects))
        if real != ours:
            different.append((line, *(pair for pair in zip(real, ours, strict=True) if pair[0] != pair[1])))
    return different


def test_it_says_and_does_what_the_real_kubectl_does(shop: Cluster, here: Call, tmp_path: Path) -> None:
    assert _compared(_SAME, shop, here, tmp_path) == []


@pytest.mark.slow
def test_it_says_and_does_what_the_real_kubectl_does_in_more_cases(shop: Cluster, here: Call, tmp_path: Path) -> None:
    assert _compared(_SAME_TOO, shop, here, tmp_path) == []


def test_wrong_credentials_and_a_cluster_that_is_gone(shop: Cluster, here: Call, tmp_path: Path) -> None:
    shop.config(tmp_path / "wrong", token="wrong")
    assert here("--kubeconfig", str(tmp_path / "wrong"), "get", "pods") == (
        1,
        "",
        "error: You must be logged in to the server (Unauthorized)\n",
    )
    for words in (("get", "pods"), ("exec", "api-1", "--", "true"), ("scale", "deploy/api", "--replicas=1")):
        status, _, said = here("-s", "https://127.0.0.1:1", *words)
        assert status == 1
        assert said.startswith("The connection to the server 127.0.0.1:1 was refused")


def test_a_cluster_that_cannot_prove_who_it_is_gets_no_token(shop: Cluster, here: Call, tmp_path: Path) -> None:
    path = shop.config(tmp_path / "unproven")
    path.write_text(re.sub(r', "certificate-authority-data": "[^"]*"', "", path.read_text()))
    status, _, said = here("--kubeconfig", str(path), "get", "pods")
    assert status == 1
    assert "failed to verify certificate" in said


def test_standard_input_reaches_the_process_and_ends(shop: Cluster, standins: Standins) -> None:
    fed = "".join(f"line {number}\n" for number in range(20_000))
    assert standins.call("kubectl", "exec", "-i", "api-1", "--", "cat", feed=fed).stdout == fed
    piped = standins.call("sh", "-c", "kubectl exec api-1 -- seq 100000 | tail -1")
    assert piped.stdout == "100000\n"


def test_a_flood_is_passed_on_and_not_kept(shop: Cluster, standins: Standins) -> None:
    count, grown = standins.flood("kubectl", "exec", "api-1", "--", "sh", "-c", "yes | head -c 40000000")
    assert count == 40_000_000
    assert grown < 25


def test_input_is_refused_where_its_end_could_not_be_told(shop: Cluster, standins: Standins) -> None:
    shop.protocols = ("v4.channel.k8s.io",)
    assert standins.call("kubectl", "exec", "api-1", "--", "echo", "said").stdout == "said\n"
    refused = standins.call("kubectl", "exec", "-i", "api-1", "--", "cat", feed="never sent")
    assert refused.returncode == 1
    assert "no protocol in common" in refused.stderr


def test_describe_tells_states_limits_and_events(here: Call) -> None:
    status, said, _ = here("describe", "pod", "api-2")
    assert status == 0
    for line in (
        r"Name: +api-2",
        r"Status: +Running",
        r"Restart Count: +3",
        r"memory: +1Gi",
        r"Warning +BackOff .*BackOff of api-2",
    ):
        assert re.search(line, said), (line, said)
    assert "api-1" not in said
    assert "2 desired" in here("describe", "deployment", "api")[1]
    assert re.search(r"cpu: +2", here("describe", "node", "node-a")[1])


def test_a_secret_is_described_without_its_values(shop: Cluster, here: Call) -> None:
    meta = {"name": "key", "namespace": "shop"}
    shop.objects["secrets", "shop", "key"] = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": meta,
        "data": {"k": "aGlkZGVu"},
    }
    said = here("describe", "secret", "key")[1]
    assert "8 bytes" in said
    assert "aGlkZGVu" not in said


def test_what_it_does_not_know_is_refused_before_anything_is_asked(shop: Cluster, here: Call) -> None:
    for words, named in (
        (("apply", "-f", "green.yaml"), "apply"),
        (("drain", "node-a"), "drain"),
        (("port-forward", "api-1", "80"), "port-forward"),
        (("edit", "deploy/api"), "edit"),
        (("get", "pods", "--watch"), "--watch"),
        (("exec", "-it", "api-1", "--", "sh"), "--tty"),
        (("delete", "deployment", "api"), "delete deployment"),
        (("delete", "pod/api-1", "deployment/api"), "delete deployment"),
        (("delete", "pods", "--all", "--cascade=orphan"), "--cascade"),
        (("scale", "deploy/api", "--replicas=0", "--as", "root"), "--as"),
        (("get", "pods", "-o", "jsonpath={.items[?(@.a=~'x')]}"), "path"),
    ):
        status, printed, said = here(*words)
        assert (status, printed) == (64, ""), (words, said)
        assert named in said and "Install kubectl on the worker" in said
    assert shop.seen == []


def test_a_read_changes_nothing_and_a_name_stays_one_segment(shop: Cluster, here: Call) -> None:
    here("get", "pod", "api-1/log")
    here("describe", "pods")
    here("get", "pods", "../../apis/apps/v1/namespaces/shop/deployments/api")
    assert shop.seen == []


def test_ending_it_leaves_a_note_because_the_process_goes_on(shop: Cluster, standins: Standins, tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; trap '' PIPE; sleep 60"
    process = standins.begin("kubectl", "exec", "api-1", "--", "sh", "-c", script)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 15, "the process runs")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 143
    assert "may go on" in said
    assert [note.read_text() for note in (tmp_path / ".elsewhere").iterdir()] == ["`sh` in pod api-1"]
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
