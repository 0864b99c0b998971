"""Shell commands and scripts: bash without start-up files, the script constant, values in the environment."""

import re
import shutil

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

    Refuses when bash or the program that the script begins with is not here.
    """
    if job.shell_host:
        return ssh.launch(job)
    path = job.env.get("PATH", "")
    bash = shutil.which("bash", path=path)
    if bash is None:
        raise CannotStart("bash is not installed on this worker, so shell commands cannot run here.")
    program = first_program(job.script)
    if program and program not in OWN_WORDS and shutil.which(program, path=path) is None:
        raise CannotStart(
            f"The program {program} is not installed on this worker. Install it there, or run this by hand."
        )
    return Launch(argv=[bash, "--noprofile", "--norc", "-c", job.script], env=job.env)


def first_program(script: str) -> str | None:
    """The program that a script of one line begins with; None where only bash can tell."""
    text = script.strip()
    if "\n" in text and not text.split("\n", 1)[0].endswith(("\\", "|", "'", '"')):
        return None
    found = _WORD.match(text, _ASSIGNMENTS.match(text).end())  # type: ignore[union-attr]
    return found.group(1) if found else None
