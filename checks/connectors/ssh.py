"""SSH hosts: a user on a host whose keys are known, and a private key."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from checks.choices import TargetKind
from checks.connectors import addresses, failures
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes.kind import Place

CONFIG, KNOWN = ".ssh/config", ".ssh/known_hosts"
_COMPARE = "Compare it with the host's own (ssh-keygen -lf on the host), then paste the line into “Trust”: "
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:-]*")
_NO_CLIENT = Report(False, "ssh is not installed on this machine.", "Install the OpenSSH client.")


def _clean(text: str) -> tuple[str, str]:
    try:
        parts = urlsplit(text.strip())
        fits = parts.scheme == "ssh" and (parts.port or 1) > 0
    except ValueError:
        fits = False
    # Nothing that could be read as an option, or as more than one word of the client's configuration.
    if not fits or not _NAME.fullmatch(parts.username or "") or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("Write it as ssh://user@host:22.")
    return addresses.without_password(parts)


def files(name: str, place: Place) -> dict[str, str]:
    """The client's configuration of one host with its key, below a home directory."""
    parts = urlsplit(place.address)
    key = f".ssh/{name}.key"
    block = [
        f"Host {name} {parts.hostname}",
        f"  HostName {parts.hostname}",
        f"  Port {parts.port or 22}",
        f"  User {parts.username}",
        f"  HostKeyAlias {_alias(parts)}",
        f'  IdentityFile "${{HOME}}/{key}"',
        "  IdentitiesOnly yes",
        f'  UserKnownHostsFile "${{HOME}}/{KNOWN}"',
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        "  BatchMode yes",
        "  ConnectTimeout 10",
        "  ServerAliveInterval 5",
        "  ServerAliveCountMax 3",
        "",
    ]
    private = place.credential.replace("\r\n", "\n").strip() + "\n"
    return {CONFIG: "\n".join(block), key: private, KNOWN: _known(parts, place.trust)}


def _alias(parts: SplitResult) -> str:
    return f"[{parts.hostname}]:{parts.port}" if parts.port and parts.port != 22 else str(parts.hostname)


def _known(parts: SplitResult, trust: str) -> str:
    """known_hosts lines for this host's keys, whatever name they were copied with."""
    found = []
    for line in trust.splitlines():
        words = line.split()
        at = next((at for at, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))), None)
        if at is not None and len(words) > at + 1:
            found.append(f"{_alias(parts)} {words[at]} {words[at + 1]}\n")
    return "".join(found)


def _test(place: Place, timeout_s: float) -> Report:
    if shutil.which("ssh") is None:
        return _NO_CLIENT
    parts = urlsplit(place.address)
    if not _known(parts, place.trust):
        return _offered(parts, timeout_s)
    with tempfile.TemporaryDirectory(prefix="erpops-ssh-") as home:
        for name, text in files("target", place).items():
            path = Path(home, name)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text)
        command = ["ssh", "-F", f"{home}/{CONFIG}", "target", "uname -srn"]
        env = {"HOME": home, "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Report(False, f"{parts.hostname} does not answer.", failures.SILENT)
    if done.returncode == 0:
        return Report(True, f"{parts.username} is let in: {done.stdout.strip()[:150]}.")
    return _refused(done.stderr, parts)


def _refused(said: str, parts: SplitResult) -> Report:
    where = str(parts.hostname)
    if "Host key verification failed" in said or "HOST IDENTIFICATION HAS CHANGED" in said:
        return Report(
            False,
            f"{where} shows another host key than the trusted one.",
            "Find out why before you trust it: the host was made anew, or somebody stands between.",
        )
    if "Permission denied" in said or "invalid format" in said or "error in libcrypto" in said:
        return Report(
            False,
            f"{where} does not let {parts.username} in with this key.",
            "Paste the whole private key, and add its public half to authorized_keys there.",
        )
    last = said.strip().splitlines()[-1] if said.strip() else "it gave no reason"
    return failures.report(OSError(last), where=where)


def _offered(parts: SplitResult, timeout_s: float) -> Report:
    """The key that the host shows, for a person to compare."""
    try:
        scan = subprocess.run(
            ["ssh-keyscan", "-T", "5", "-p", str(parts.port or 22), "-t", "ed25519,ecdsa,rsa", str(parts.hostname)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return Report(False, f"{parts.hostname} does not answer.", failures.SILENT)
    keys = [line for line in scan.stdout.splitlines() if line and not line.startswith("#")]
    if not keys:
        return Report(False, f"{parts.hostname} shows no host key.", failures.REFUSED)
    chosen = next((line for line in keys if "ed25519" in line), keys[0])
    printed = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=chosen, capture_output=True, text=True, timeout=timeout_s, check=False
    ).stdout.split()
    fingerprint = printed[1] if len(printed) > 1 else "unknown"
    words = chosen.split()
    return Report(
        False, f"The host key is not trusted yet. It shows {fingerprint}.", f"{_COMPARE}{words[1]} {words[2]}"
    )


def _hand_over(name: str, place: Place, first: bool) -> Handed:
    return Handed({}, {"private key": place.credential}, files(name, place))


connectors.add(
    TargetKind.SSH,
    Connector(
        address="ssh://user@host:22",
        credential="The private key of that user, without a passphrase.",
        trust="The host's public keys, as in known_hosts. “Test now” shows what the host offers.",
        clean=_clean,
        test=_test,
        hand_over=_hand_over,
    ),
)
