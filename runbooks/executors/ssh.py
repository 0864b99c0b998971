"""Shell commands on an SSH host: the same constant script, values in the environment, the tree ended as a whole.

A constant program on the other side reads variables and script from its input, starts the script, and watches
that input: when it closes, because of a stop or because the connection is gone, everything that carries the
attempt's mark is ended there. It says on the error stream that it began and how it ended; without the last word
nobody knows the outcome, and then that is what is recorded.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable

from checks.connectors.ssh import CONFIG
from runbooks.calling import Verdict
from runbooks.choices import RunStatus
from runbooks.executors import CannotStart, Job, Launch

# What only means something on the worker's machine.
_OF_THE_WORKER = frozenset("PATH HOME PWD TMPDIR PGPASSFILE KUBECONFIG DOCKER_CERT_PATH".split())

# Runs under any login shell: it holds no single quote.
_FAR_SIDE = r"""
while IFS= read -r -d "" pair && [ -n "$pair" ]; do export "$pair"; done
IFS= read -r -d "" nonce; IFS= read -r -d "" mark; IFS= read -r -d "" script
IFS= read -r -d "" folder
say() { printf "\036erpops %s %s\n" "$nonce" "$*" >&2; }
members() { grep -lsz "^ERPOPS_MARK=$mark\$" /proc/[0-9]*/environ; }
sweep() { for file in $(members); do pid=${file#/proc/}; kill -s "$1" "${pid%/environ}" 2>/dev/null; done; }
gone() { for turn in $(seq 50); do [ -z "$(members)" ] && return 0; sleep 0.1; done; return 1; }
exec 3<&0
if [ -n "$folder" ]; then cd -- "$folder" || { say missing; exit 1; }; fi
say began
ERPOPS_MARK=$mark bash --noprofile --norc -c "$script" </dev/null 3<&- & child=$!
{ cat <&3 >/dev/null; sweep TERM; gone || sweep KILL; } 2>/dev/null & watch=$!
wait "$child"; status=$?
if [ -n "$(members)" ]; then sleep 1; sweep KILL; gone; fi
say ended "$status" "$(members | grep -c .)"
kill "$watch" 2>/dev/null
"""


def launch(job: Job) -> Launch:
    """A call that carries the script to the environment's shell host. Raises `CannotStart` without a client."""
    client = shutil.which("ssh", path=job.env.get("PATH", ""))
    if client is None:
        raise CannotStart("ssh is not installed on this worker, so the shell host of this environment is not reached.")
    return Launch(env=job.env, call=_call(client, job))


def _call(client: str, job: Job) -> Callable[[], int]:
    def call() -> int:
        return _Session(client, job).carry_out()

    return call


class _Session:
    """One script on the far side, seen from the process of the call."""

    def __init__(self, client: str, job: Job) -> None:
        self.client, self.job = client, job
        self.nonce = secrets.token_hex(12)
        self.began = False
        self.lost = False
        self.end: tuple[int, int] | None = None

    def carry_out(self) -> int:
        command = [self.client, "-F", str(self.job.home / CONFIG), "-T", self.job.shell_host, "--"]
        process = subprocess.Popen(
            [*command, f"exec bash --noprofile --norc -c '{_FAR_SIDE}'"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # A stop is passed on by closing the input; a client that died of it could not tell how that went.
            preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),  # noqa: PLW1509
        )
        assert process.stdin is not None
        assert process.stderr is not None
        far_input = process.stdin
        signal.signal(signal.SIGTERM, lambda *_: far_input.close())
        # If it goes away before it has read everything, its error stream tells why.
        with contextlib.suppress(OSError, ValueError):
            _write_all(far_input.fileno(), self._handed_over())
        said = self._listen(process.stderr.fileno())
        process.wait()
        return self._status(said)

    def _handed_over(self) -> bytes:
        env = {name: value for name, value in self.job.env.items() if name not in _OF_THE_WORKER}
        pairs = "".join(f"{name}={value}\0" for name, value in env.items())
        return f"{pairs}\0{self.nonce}\0{secrets.token_hex(12)}\0{self.job.script}\0{self.job.folder}\0".encode()

    def _listen(self, source: int) -> str:
        """Pass the error stream on without what is said to us; its last lines, for a sentence."""
        pattern = re.compile(rb"\x1eerpops " + self.nonce.encode() + rb" (began|missing|ended) ?(\d*) ?(\d*)\n")
        held, last = b"", b""
        while data := _read(source):
            held += data
            while match := pattern.search(held):
                self._note(match)
                held = held[: match.start()] + held[match.end() :]
            # What may be the beginning of such a line waits for its rest.
            keep = held.rfind(b"\x1e")
            shown, held = (held, b"") if keep < 0 or len(held) - keep > 120 else (held[:keep], held[keep:])
            last = (last + shown)[-2000:]
            _write_all(2, shown)
        _write_all(2, held)
        return (last + held).decode(errors="replace")

    def _note(self, match: "re.Match[bytes]") -> None:
        if match.group(1) == b"began":
            self.began = True
        elif match.group(1) == b"missing":
            self.lost = True
        else:
            self.end = int(match.group(2) or 0), int(match.group(3) or 0)

    def _status(self, said: str) -> int:
        host = self.job.shell_host
        if self.end is not None:
            status, left = self.end
            if left:
                Verdict(RunStatus.STOP_UNCONFIRMED, f"{left} of its processes still run on {host}.").leave(self.job)
            return status
        if self.lost:
            where = f"{self.job.folder} on {host}, where the commands of this environment start"
            told = f"There is no folder {where}. Make it there, or change the folder of the environment."
            Verdict(RunStatus.NOT_STARTED, told).leave(self.job)
            return 255
        if not self.began:
            reason = said.strip().splitlines()[-1] if said.strip() else "it gave no reason"
            Verdict(RunStatus.NOT_STARTED, f"{host} was not reached: {reason}").leave(self.job)
            return 255
        lost = f"The connection to {host} was lost. What ran there is ended when its host notices; check it."
        Verdict(RunStatus.OUTCOME_UNKNOWN, lost).leave(self.job)
        return 255


def _read(source: int) -> bytes:
    try:
        return os.read(source, 65536)
    except OSError:
        return b""


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
