"""What a command finds in its environment is what the documentation lists, byte for byte."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from runbooks import variables
from runbooks.executors import Job, executors
from tests.rules.tree import ROOT
from tests.runbooks.builders import command, output_of, walk
from tests.runbooks.running import run_now, wait_all_gone

PAGE = ROOT / "docs" / "running-commands.md"


def documented(home: str) -> list[str]:
    """The list of the documentation, for one command's directory."""
    [block] = re.findall(r"^```environment\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(block.replace("{directory}", home).replace("{data}", str(settings.DATA_DIR))).splitlines()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["shell", "script"])
def test_the_environment_is_the_documented_list(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "GIT_SSH_COMMAND", "SOME_TOKEN", "ERPOPS_SECRET_KEY"):
        monkeypatch.setenv(name, "/nowhere")
    # What bash was given, not what it makes of it. Scripts take no parameters.
    text = "cat /proc/$$/environ; : <pod>" if kind == "shell" else "#!/bin/bash\ncat /proc/$$/environ\ntrue"
    place = walk(command(text, kind=kind, parameters=[{"name": "pod"}] * (kind == "shell")))
    environment = place.execution.environment
    environment.variables = {"REGION": "eu", "LD_LIBRARY_PATH": "/evil", "BASH_ENV": "/evil", "PATH": "/evil"}
    environment.save(update_fields=["variables"])
    run = run_now(place, values={"pod": "web-1"} if kind == "shell" else {})
    wait_all_gone()
    assert run.status == "succeeded", run.reason
    home = str(settings.DATA_DIR / "spool" / str(run.pk) / "work")
    given = ["REGION=eu"] + ["ERPOPS_P_POD=web-1"] * (kind == "shell")
    assert sorted(output_of(run).decode().rstrip("\0").split("\0")) == sorted([*documented(home), *given])


def test_sql_receives_the_same_list(tmp_path: Path) -> None:
    given = variables.Variables({"DATABASE_URL": "postgresql://app@127.0.0.1:1/x", "PGOPTIONS": "-c a=b"})
    env = variables.process_environment(given=given, bound={"ERPOPS_P_POD": "web-1"}, home=str(tmp_path))
    launch = executors["sql"](Job("SELECT 1", env, {"ERPOPS_P_POD": "web-1"}, "read", {}, tmp_path, 60))
    own = ["DATABASE_URL=postgresql://app@127.0.0.1:1/x", "ERPOPS_P_POD=web-1", "PGOPTIONS=-c a=b"]
    assert sorted(f"{name}={value}" for name, value in launch.env.items()) == sorted([*documented(str(tmp_path)), *own])
