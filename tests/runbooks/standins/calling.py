"""Calling a stand-in as a command does: by its name on PATH, in a private directory."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runbooks.standins import launchers

# Exit status, standard output, standard error.
Said = tuple[int, str, str]
Call = Callable[..., Said]


@dataclass(frozen=True)
class Standins:
    """The stand-ins with an environment of their own."""

    home: Path
    variables: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        # The system's folders hold the real programs, so here they come last.
        path = f"{launchers.folder()}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "TZ": "UTC", **self.variables}

    def call(self, *words: str, feed: str = "") -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        return subprocess.run(
            words, env=self.environment, cwd=self.home, input=feed, capture_output=True, text=True, timeout=60
        )

    def flood(self, *words: str) -> tuple[int, int]:
        """Bytes that one prints, and by how many MiB its memory has grown from the first of them to the last."""
        process = subprocess.Popen(words, env=self.environment, cwd=self.home, stdout=subprocess.PIPE)
        assert process.stdout is not None
        count, seen = 0, []
        while piece := process.stdout.read(1 << 20):
            count += len(piece)
            seen += _most_memory(process.pid)
        process.wait(20)
        return count, (seen[-1] - seen[0]) // 1024

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Start one and go on."""
        return subprocess.Popen(
            words,
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _most_memory(pid: int) -> list[int]:
    """The most memory (in KiB) that a process has had; nothing when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    return [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
