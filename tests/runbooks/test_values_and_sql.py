"""Values reach commands without becoming code; SQL runs as written."""

from pathlib import Path

import pytest

from erpops import beats
from runbooks.executors import shell
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import run_now, wait_all_gone

HOSTILE = [
    "$(touch {canary})",
    "`touch {canary}`",
    "; touch {canary}",
    "| touch {canary} #",
    "&& touch {canary}",
    "x\ntouch {canary}",
    "' ; touch {canary} ; '",
    '" ; touch {canary} ; "',
    "${{IFS}}touch {canary}",
    "x > {canary}",
    "\\$(touch {canary})",
    "$((a[$(touch {canary})]))",
    "*",
    "~root",
    "a b  c",
    "••• é 漢",
]


@pytest.mark.django_db(transaction=True)
def test_hostile_values_are_only_ever_text(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    place = walk(command("printf '[%s]' <value> \"in <value>\"", parameters=[{"name": "value"}]))
    scripts = set()
    for hostile in HOSTILE:
        value = hostile.format(canary=canary)
        try:
            run = run_now(place, values={"value": value})
        except Refused:
            continue
        scripts.add(run.script)
        assert output_of(run).decode() == f"[{value}][in {value}]"
        assert not canary.exists()
    wait_all_gone()
    assert len(scripts) == 1
    assert not canary.exists()


@pytest.fixture
def console() -> Walk:
    """A walk in the console's own environment, whose database is the test's own."""
    texts = [
        "SELECT 6*7 AS answer;\nSELECT 'second';",
        "CREATE TABLE made_by_a_test (a int)",
        "SELECT nonsense",
        "SELECT <name>",
    ]
    place = walk(*[command(text, kind="sql", parameters=[{"name": "name"}] * ("<" in text)) for text in texts])
    environment = place.execution.environment
    environment.name = "self"
    environment.save(update_fields=["name"])
    beats.beat(role="worker", queues=["env.self"])
    return place


@pytest.mark.django_db(transaction=True)
def test_sql_runs_and_reading_stays_reading(console: Walk) -> None:
    run = run_now(console, 0)
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert b"42" in output_of(run)
    assert b"second" in output_of(run)
    run = run_now(console, 1)
    assert run.status == "failed"
    assert b"read-only transaction" in output_of(run)
    run = run_now(console, 2)
    assert run.status == "failed"
    assert b"nonsense" in output_of(run)
    run = run_now(console, 3, values={"name": "it's; DROP TABLE x --"})
    assert run.status == "succeeded", output_of(run)
    assert b"it's; DROP TABLE x --" in output_of(run)
    wait_all_gone()


@pytest.mark.parametrize(
    ("script", "program"),
    [
        ("df -h", "df"),
        ("  PGPASSWORD='a b' LANG=C psql -c 'x'", "psql"),
        ("/usr/bin/env true", "/usr/bin/env"),
        ("kubectl get pods | grep x", "kubectl"),
        ("curl -fsS \\\n  http://x", "curl"),
        ("for i in 1 2; do echo $i; done", "for"),
        ("a=1\nno-such $a", None),
        ('"$TOOL" --all', None),
        ("(cd /tmp && ls)", None),
    ],
)
def test_the_first_program_is_found_or_left_to_bash(script: str, program: str | None) -> None:
    assert shell.first_program(script) == program
