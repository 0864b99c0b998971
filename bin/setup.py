#!/usr/bin/env python3
"""Make everything that erpops needs inside this clone, with nothing but Python 3.11 and its venv module.

    python3 bin/setup.py run [-- OPTIONS OF manage.py up]    what `make run` does
    python3 bin/setup.py test                                what `make test` needs
    python3 bin/setup.py lock                                write the lock files anew

Every step leaves a stamp, so that a second run takes milliseconds. Nothing outside the clone is written:
the tools of this set-up, their caches and the packages all live under .boot, .cache, .venv and node_modules.
"""

from __future__ import annotations  # an older Python must get as far as the sentence that refuses it

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOT, CACHE, VENV = ROOT / ".boot", ROOT / ".cache", ROOT / ".venv"
LOG = CACHE / "setup.log"
STAMPS = CACHE / "stamps.json"
LEAST_PYTHON, LEAST_NODE = (3, 11), 18
# What this system trusts. A Node.js that brings certificates of its own knows no company's proxy.
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LOCKS = {"run": ROOT / "requirements.lock", "test": ROOT / "requirements-dev.lock"}
VENDORED = {"node_modules/@tabler/core/dist/css/tabler.min.css": "static/vendor/tabler.min.css"}
COMPILE = ["pip", "compile", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
COMPILED = {
    "requirements-uv.lock": ["requirements-uv.in"],
    "requirements-node.lock": ["requirements-node.in"],
    "requirements-server.lock": ["pyproject.toml"],
    "requirements.lock": ["pyproject.toml", "--extra", "embedded"],
    "requirements-dev.lock": ["pyproject.toml", "--extra", "embedded", "--group", "dev"],
}
UNREACHABLE = re.compile(
    r"Name or service not known|name resolution|error sending request|Could not connect|ENOTFOUND|EAI_AGAIN"
    r"|ECONNREFUSED|ETIMEDOUT|Failed to establish a new connection|Network is unreachable|dns error"
)


class SetupError(Exception):
    """A sentence for the person at the terminal: what is missing and the remedy."""


def main(arguments: list[str]) -> int:
    profile = arguments[0] if arguments else ""
    if profile not in ("run", "test", "lock"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        check_python()
        if profile == "lock":
            check_writable()
            make_locks()
            return 0
        set_up(profile)
    except SetupError as error:
        print(f"\nerpops: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if profile == "run":
        options = arguments[2:] if arguments[1:2] == ["--"] else arguments[1:]
        os.chdir(ROOT)
        os.execv(python_of(VENV), [str(python_of(VENV)), "manage.py", "up", *options])
    return 0


def set_up(profile: str) -> None:
    """Run the steps whose result is not there yet."""
    steps: list[tuple[str, Callable[[], list[str]], Callable[[], None]]] = [
        ("Installer", boot_stamp, make_boot),
        ("Python packages", lambda: packages_stamps(profile), lambda: make_venv(profile)),
        ("Front-end assets", lambda: assets_stamps(profile), lambda: make_assets(profile)),
    ]
    for number, (title, stamps, make) in enumerate(steps, 1):
        if read_stamps().get(title) in stamps():
            continue
        check_writable()
        print(f"[{number}/{len(steps)}] {title} … ", end="", flush=True)
        began = time.monotonic()
        make()
        # Taken again: a stamp covers what its step made as well as what it was made from.
        write_stamp(title, stamps()[0])
        print(f"{time.monotonic() - began:.0f} s", flush=True)


# What must be there before anything can be made.


def check_python() -> None:
    if sys.version_info < LEAST_PYTHON:
        raise SetupError(
            f"Python {LEAST_PYTHON[0]}.{LEAST_PYTHON[1]} or newer is needed, {sys.executable} is "
            f"{sys.version.split()[0]}: install a newer one and run `make run PYTHON=python3.12`."
        )


def check_writable() -> None:
    try:
        CACHE.mkdir(exist_ok=True)
        (CACHE / ".write-test").touch()
        (CACHE / ".write-test").unlink()
    except OSError as error:
        raise SetupError(
            f"{ROOT} cannot be written ({error.strerror}): erpops keeps its packages there, "
            f"so clone it to a place of your own."
        ) from error


# The three steps.


def make_boot() -> None:
    """A small environment that holds only the installer, uv, in the version that the lock names."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            "this Python cannot make virtual environments (ensurepip is missing): on Debian and Ubuntu "
            "run `apt install python3-venv`, then start again."
        )
    remove(BOOT)
    run([sys.executable, "-m", "venv", BOOT], "a virtual environment could not be made")
    options = ["--no-input", "--no-cache-dir", "--disable-pip-version-check", "--only-binary", ":all:"]
    run(
        [python_of(BOOT), "-m", "pip", "install", *options, "--require-hashes", "-r", "requirements-uv.lock"],
        "the installer uv could not be fetched",
    )


def make_venv(profile: str) -> None:
    if not python_of(VENV).exists() or python_series(VENV) != python_series(BOOT):
        remove(VENV)
        run(uv("venv", "--quiet", "--python", sys.executable, VENV), "a virtual environment could not be made")
    sync(VENV, LOCKS[profile], "the Python packages could not be installed")


def make_assets(profile: str) -> None:
    """Fetch the browser assets with npm and copy the few files that pages use into static/vendor."""
    omit = [] if profile == "test" else ["--omit=dev"]
    npm_ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", *omit]
    with_npm = find_npm()
    borrowed = None
    if with_npm is None:
        borrowed = CACHE / "node"
        remove(borrowed)
        venv, cache = borrowed / "venv", {"UV_CACHE_DIR": str(borrowed / "cache")}
        run(uv("venv", "--quiet", "--python", sys.executable, venv), "a place for npm could not be made")
        lock = ROOT / "requirements-node.lock"
        sync(venv, lock, "npm could not be fetched; installing Node.js 20 helps", extra=cache)
        with_npm = venv / "bin" / "npm"
    run([with_npm, *npm_ci], "the browser assets could not be fetched", beside=with_npm)
    # Node is needed for this one step only and takes 200 MB.
    remove(borrowed)
    for source, target in VENDORED.items():
        copy_vendored(ROOT / source, ROOT / target)


def copy_vendored(source: Path, target: Path) -> None:
    text = source.read_text(encoding="utf-8")
    # The manifest storage refuses a reference to a map that is not there.
    text = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", text)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def make_locks() -> None:
    if read_stamps().get("Installer") not in boot_stamp():
        make_boot()
        write_stamp("Installer", boot_stamp()[0])
    for lock, arguments in COMPILED.items():
        print(lock, flush=True)
        run(
            uv(*COMPILE, "--python-version", "3.11", *arguments, "--upgrade", "-o", lock),
            f"{lock} could not be made",
        )


# Stamps: what each step depends on. A step lists every stamp that satisfies it, its own first.


def boot_stamp() -> list[str]:
    return [digest(BOOT / "bin" / "uv", ROOT / "requirements-uv.lock")]


def packages_stamps(profile: str) -> list[str]:
    """The test packages contain the packages for running, so that `make run` after `make test` is instant."""
    names = [profile] if profile == "test" else ["run", "test"]
    return [f"{name} {digest(python_of(VENV), LOCKS[name])}" for name in names]


def assets_stamps(profile: str) -> list[str]:
    names = [profile] if profile == "test" else ["run", "test"]
    made = [ROOT / target for target in VENDORED.values()]
    if profile == "test":
        made.append(ROOT / "node_modules" / "axe-core" / "axe.min.js")
    return [f"{name} {digest(*made, ROOT / 'package-lock.json')}" for name in names]


def digest(*paths: Path) -> str:
    """SHA-256 over this Python, the lock files' bytes and whether everything else exists."""
    total = hashlib.sha256(f"{sys.executable} {sys.version}".encode())
    for path in paths:
        total.update(path.read_bytes() if path.name.endswith(("lock", "lock.json")) else str(path.exists()).encode())
    return total.hexdigest()


def read_stamps() -> dict[str, str]:
    try:
        return dict(json.loads(STAMPS.read_text()))
    except (OSError, ValueError):
        return {}


def write_stamp(name: str, value: str) -> None:
    partial = STAMPS.with_suffix(".partial")
    partial.write_text(json.dumps({**read_stamps(), name: value}, indent=1))
    partial.replace(STAMPS)


# Tools.


def uv(*arguments: str | Path) -> list[str | Path]:
    return [BOOT / "bin" / "uv", *arguments]


def sync(venv: Path, lock: Path, failure: str, *, extra: dict[str, str] | None = None) -> None:
    run(
        uv("pip", "sync", "--quiet", "--require-hashes", "--no-build", "--python", python_of(venv), lock),
        failure,
        extra={**index_settings(), **(extra or {})},
    )


def index_settings() -> dict[str, str]:
    """Tell uv about the mirror that pip is configured for, unless uv has settings of its own."""
    own = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
    if any(name in os.environ for name in own):
        return {}
    listed = subprocess.run(
        [python_of(BOOT), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    values = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        values[key.rpartition(".")[2]] = value.strip("'\"").replace("\\n", " ")
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # the lock's hashes decide, whichever index answers
    pairs = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    found |= {uv_name: values[name] for name, uv_name in pairs.items() if name in values}
    if "find-links" in values:
        found["UV_FIND_LINKS"] = ",".join(values["find-links"].split())
    return found


def find_npm() -> Path | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        subprocess.run([npm, "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    major = re.match(r"v(\d+)", version)
    return Path(npm) if major and int(major[1]) >= LEAST_NODE else None


def run(
    command: list[str | Path],
    failure: str,
    *,
    extra: dict[str, str] | None = None,
    beside: Path | None = None,
) -> None:
    """Run one tool with its output in the log; raises SetupError with the likely remedy when it fails."""
    environment = {
        **({"NODE_EXTRA_CA_CERTS": str(SYSTEM_CERTIFICATES)} if SYSTEM_CERTIFICATES.exists() else {}),
        **os.environ,
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "npm_config_cache": str(CACHE / "npm"),
        "NODE_DISABLE_COMPILE_CACHE": "1",
        **(extra or {}),
    }
    for unwanted in (
        "VIRTUAL_ENV",
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_TARGET",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
    ):
        environment.pop(unwanted, None)
    if beside:
        environment["PATH"] = f"{beside.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    with LOG.open("w+", encoding="utf-8", errors="replace") as log:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if done.returncode == 0:
            return
        log.seek(0)
        printed = log.read()
    raise SetupError(f"{failure}: {remedy(printed)}")


def remedy(printed: str) -> str:
    if UNREACHABLE.search(printed):
        return (
            "the package index cannot be reached. Check the network; behind a proxy set HTTPS_PROXY, for a "
            "mirror set PIP_INDEX_URL (Python) or npm_config_registry (npm), then start again."
        )
    if "No space left" in printed or "ENOSPC" in printed:
        return f"the disk of {ROOT} is full; about 900 MB are needed."
    if "no wheel" in printed.lower() or "no matching distribution" in printed.lower():
        return f"there is no ready-made package for this platform. {last_lines(printed)}"
    return f"the tool said (all of it in {LOG}):\n{last_lines(printed)}"


def last_lines(printed: str) -> str:
    return "\n".join(f"    {line}" for line in printed.strip().splitlines()[-8:])


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def python_series(venv: Path) -> str:
    """The version line of a virtual environment, by which a Python upgrade is noticed."""
    try:
        text = (venv / "pyvenv.cfg").read_text()
    except OSError:
        return ""
    found = re.search(r"^version(?:_info)? = (\d+\.\d+\.\d+)", text, re.MULTILINE)
    return found[1] if found else ""


def remove(directory: Path | None) -> None:
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
