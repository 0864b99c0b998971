"""SQL: psql against the environment's database, the text constant, values as psql reads them from the environment."""

import shutil

from runbooks.choices import Risk
from runbooks.executors import CannotStart, Job, Launch

KINDS = ("sql",)
# The text goes in as a file of its own, so that psql reads it exactly as it would from a terminal,
# and no part of it is ever seen by the shell.
_SCRIPT = 'exec psql -X -v ON_ERROR_STOP=1 -P pager=off -d "$DATABASE_URL" -f <(printf "%s\\n" "$ERPOPS_SQL")'


def launch(job: Job) -> Launch:
    """The argv for SQL, in read-only transactions if it is said to read only.

    Refuses when the environment names no database or psql is not there.
    """
    if not job.env.get("DATABASE_URL"):
        raise CannotStart(
            "This environment has no DATABASE_URL, so SQL cannot run here: an admin can add the variable."
        )
    path = job.env.get("PATH", "")
    bash, psql = shutil.which("bash", path=path), shutil.which("psql", path=path)
    if bash is None or psql is None:
        raise CannotStart("psql is not installed on this worker, so SQL cannot run here.")
    own = {"ERPOPS_SQL": job.script}
    if job.risk == Risk.READ:
        own["PGOPTIONS"] = "-c default_transaction_read_only=on"
    return Launch(argv=[bash, "--noprofile", "--norc", "-c", _SCRIPT], env={**job.env, **own})
