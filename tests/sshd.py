"""An OpenSSH server on the loopback address, with keys of its own."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from erpops import pids
from erpops.embedded.launch import free_port
from tests.peers import until

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile {folder}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
LogLevel ERROR
"""


class Sshd:
    """Runs between `with`; lets the present user in with `private_key`."""

    def __init__(self) -> None:
        found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if found is None or shutil.which("ssh") is None:
            pytest.skip("sshd is not installed: apt install openssh-server")
        self.program = found
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="erpops-sshd-"))

    def __enter__(self) -> "Sshd":
        for name in ("host", "user", "stranger"):
            key = str(self.folder / name)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        (self.folder / "config").write_text(_CONFIG.format(port=self.port, folder=self.folder))
        # Debian's server wants this directory when it is started by root.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.process = subprocess.Popen([self.program, "-D", "-e", "-f", str(self.folder / "config")])
        until(self._listens, 10, "sshd to listen")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def private_key(self) -> str:
        return (self.folder / "user").read_text()

    @property
    def strangers_key(self) -> str:
        return (self.folder / "stranger").read_text()

    @property
    def host_key(self) -> str:
        return (self.folder / "host.pub").read_text()

    def stop(self) -> None:
        """End the server and every session of it, as a host that goes down."""
        for pid in [*pids.descendants(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
