#!/usr/bin/env python
"""Command-line entry to erpops."""

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        # Before Django: the supervisor makes what settings need, and stays small.
        from erpops import up

        sys.exit(up.main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpops.settings")
    role = {"serve": "web", "engine": "engine", "worker": "worker"}.get("".join(sys.argv[1:2]))
    if role:
        # Before settings load, which differ: only web shares a connection pool.
        os.environ.setdefault("ERPOPS_ROLE", role)
    from django.core.management import execute_from_command_line  # after the environment is set

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
