"""Shell commands and scripts: bash without start-up files, the script constant, values in the environment."""

import os
import re
import shutil
from pathlib import Path

from runbooks.executors import CannotStart, Job, Launch, ssh

KINDS = ("shell", "script", "http")
_ASSIGNMENTS = re.compile(r"^(?:\s*[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|[^\s;&|]*)\s+)*")
_WORD = re.compile(r"\s*([A-Za-z0-9_./+-]+)(?=[\s;&|<>)]|$)")
OWN_WORDS = frozenset(
    "alias bg bind break builtin caller case cd command compgen complete continue coproc declare dirs disown do done "
    "echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs "
    "kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source "
    "suspend test then time times trap true type typeset ulimit umask unalias unset until wait while .".split()
)


def launch(job: Job) -> Launch:
    """bash for the script, here or on the environment's shell host.

    Refuses when bash, the folder to start in or the program that the script begins with is not here.
    """
    if job.shell_host:
        return ssh.launch(job)
    path = job.env.get("PATH", "")
    bash = shutil.which("bash", path=path)
    if bash is None:
        raise CannotStart("bash is not installed on this worker, so shell commands cannot run here.")
    if job.folder and not Path(job.folder).is_dir():
        raise CannotStart(
            f"There is no folder {job.folder} on this worker, where the commands of this environment start. "
            "Make it there, or change the folder of the environment."
        )
    _require_program(first_program(job.script), path, job.folder or str(job.home))
    return Launch(argv=[bash, "--noprofile", "--norc", "-c", job.script], env=job.env, folder=job.folder)


def _require_program(program: str | None, path: str, folder: str) -> None:
    """Raise `CannotStart` where what a script begins with is not here, as seen from `folder`."""
    if not program or program in OWN_WORDS:
        return
    if "/" not in program:
        if shutil.which(program, path=path) is None:
            raise CannotStart(
                f"The program {program} is not installed on this worker. Install it there, or run this by hand."
            )
    elif not (place := Path(folder, program)).is_file():
        raise CannotStart(f"There is no file {place} on this worker. Put it there, or run this by hand.")
    elif not os.access(place, os.X_OK):
        raise CannotStart(f"{place} may not be executed. Make it so with chmod +x, or run this by hand.")


def first_program(script: str) -> str | None:
    """The program that a script of one line begins with; None where only bash can tell."""
    text = script.strip()
    if "\n" in text and not text.split("\n", 1)[0].endswith(("\\", "|", "'", '"')):
        return None
    found = _WORD.match(text, _ASSIGNMENTS.match(text).end())  # type: ignore[union-attr]
    return found.group(1) if found else None
