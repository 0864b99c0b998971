"""Every place of the table of failpoints stands in the source once, by its name, and nothing else does."""

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from erpops import failpoints
from tests.rules.tree import ROOT, Module, calls, modules, planted


def places(found: list[Module]) -> Counter[str]:
    """How often each name is passed; a name that is not written out is `?`."""
    names: Counter[str] = Counter()
    for module in found:
        for call in calls(module):
            if isinstance(call.func, ast.Name) and call.func.id == "failpoint":
                [given] = call.args
                names[str(given.value) if isinstance(given, ast.Constant) else "?"] += 1
    return names


def test_each_place_of_the_table_stands_in_the_source_once() -> None:
    assert places(modules()) == dict.fromkeys(failpoints.POINTS, 1)


def test_a_place_that_is_not_in_the_table_is_seen(tmp_path: Path) -> None:
    text = "from erpops.failpoints import failpoint\nfailpoint('nowhere')\nfailpoint('a' + 'b')\n"
    assert places(planted(tmp_path, "runbooks/bad.py", text)) == {"nowhere": 1, "?": 1}


@pytest.mark.parametrize("wrong", ["nowhere:1", "page.sent", "page.sent:0", "page.sent:x", "page.sent:1:explode"])
def test_a_failpoint_that_makes_no_sense_stops_the_start(wrong: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="name:nth"):
        failpoints.arm(wrong)


_PASSES = (
    "from erpops.failpoints import failpoint\nfor n in range(1, 5):\n failpoint('page.sent'); print(n, flush=True)"
)


def _run(armed: str, counter: str = "") -> tuple[int, str]:
    variables = {**os.environ, "ERPOPS_FAILPOINT": armed, "ERPOPS_FAILPOINT_COUNTER": counter}
    done = subprocess.run(
        [sys.executable, "-c", _PASSES], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout


def test_the_nth_pass_is_the_last_act_of_its_process() -> None:
    assert _run("page.sent:3") == (-signal.SIGKILL, "1\n2\n")
    assert _run("page.before_send:1") == (0, "1\n2\n3\n4\n")


def test_with_a_counter_one_process_of_many_ends(tmp_path: Path) -> None:
    counter = str(tmp_path / "passes")
    assert _run("page.sent:6", counter) == (0, "1\n2\n3\n4\n")
    assert _run("page.sent:6", counter) == (-signal.SIGKILL, "1\n")
    assert _run("page.sent:6", counter) == (0, "1\n2\n3\n4\n")
