"""A real Docker engine of the tests' own: its data, its socket and its containers live in one directory."""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from erpops.embedded.launch import dying_with_parent, free_port
from tests.peers import needed, until
from tests.runbooks.standins.certificates import self_signed

IMAGE = "box:1"
# What every image that is fit for a shell has, and no more.
_APPLETS = "sh ls sleep cat echo true false ps kill env id pwd wc head tail date seq sort touch rm yes dd".split()
_PASSWD = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"


@dataclass
class Engine:
    """A running engine. `docker` calls the real command line with it, where there is one."""

    socket: Path
    log: Path
    port: int

    @property
    def secured(self) -> dict[str, str]:
        """The variables with which it is reached over TLS."""
        place = self.socket.parent / "certificates"
        return {"DOCKER_HOST": f"tcp://127.0.0.1:{self.port}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(place)}

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The real docker, without a terminal."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.socket.parent),
            "DOCKER_HOST": self.url,
            "TZ": "UTC",
        }
        done = subprocess.run(
            ["docker", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def container(self, name: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """A container that runs until it is told to end."""
        patient = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")
        self.docker("run", "-d", "--name", name, "--network", "none", *options, IMAGE, *(command or patient))
        return name

    def processes_in(self, name: str) -> str:
        """The command lines of everything that runs in a container."""
        return self.docker("top", name, "-eo", "pid,args").stdout


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine with one image, or a skip that says why there is none."""
    [dockerd, _, busybox] = needed("dockerd", "docker", "busybox")
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of one's own needs root: run the tests as root")
    folder = Path(tempfile.mkdtemp(prefix="erpops-docker-"))
    running = Engine(folder / "docker.sock", folder / "log", free_port())
    argv = [dockerd, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-H", running.url]
    argv += ["--pidfile", f"{folder}/pid", "--storage-driver", "vfs", "--bridge=none", "--iptables=false"]
    argv += ["--ip-forward=false", "--ip-masq=false", "-H", f"tcp://127.0.0.1:{running.port}", *_tls(folder)]
    with running.log.open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, **dying_with_parent(signal.SIGTERM))
    try:
        _wait_ready(running, process)
        _bring_image(running, Path(busybox), folder)
        yield running
    finally:
        # It ends the containers that still run before it ends itself.
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _tls(folder: Path) -> list[str]:
    """One certificate for all: it vouches for itself, for the engine and for its clients."""
    place = folder / "certificates"
    place.mkdir()
    key, certificate = self_signed()
    for name, text in (("ca.pem", certificate), ("cert.pem", certificate), ("key.pem", key)):
        (place / name).write_text(text)
    files = [f"--tlscacert={place}/ca.pem", f"--tlscert={place}/cert.pem", f"--tlskey={place}/key.pem"]
    return ["--tlsverify", *files]


def _wait_ready(running: Engine, process: subprocess.Popen[bytes]) -> None:
    def ready() -> bool:
        if process.poll() is not None:
            said = running.log.read_text(errors="replace").strip().splitlines()[-1:]
            pytest.skip(f"dockerd cannot run on this machine: {said}")
        return running.docker("version", check=False).returncode == 0

    until(ready, 30, "dockerd answers")


def _bring_image(running: Engine, busybox: Path, folder: Path) -> None:
    archive = folder / "image.tar"
    passwd = folder / "passwd"
    passwd.write_text(_PASSWD)
    with tarfile.open(archive, "w") as tar:
        for name in ("bin", "etc"):
            # Otherwise only root may look into them.
            below = tarfile.TarInfo(name)
            below.type, below.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(below)
        tar.add(busybox, "bin/busybox")
        tar.add(passwd, "etc/passwd")
        for name in _APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        place = tarfile.TarInfo("tmp")
        place.type, place.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(place)
    running.docker("import", str(archive), IMAGE)
