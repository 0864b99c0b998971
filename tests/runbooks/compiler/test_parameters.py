"""Values never become code: the script is constant, and a real shell runs it harmlessly."""

import os
import subprocess
from pathlib import Path

import pytest

from runbooks.compiler.contract import Parameter
from runbooks.parameters import BadValue, MissingValues, Unbindable, bind, env_name, validate
from tests.runbooks.compiler.fragments import Commands, OneCommand

HOSTILE = [
    "; touch {c}", "$(touch {c})", "`touch {c}`", "| touch {c}", "&& touch {c}",
    "' ; touch {c} ; '", "\" ; touch {c} ; \"", "\n touch {c}", "x\ntouch {c}\n", "$(<{c})",
    "${{IFS}}touch {c}", ">{c}", ">> {c}", "< /etc/passwd > {c}", "x' 'touch {c}", "*", "?", "~",
    "!", "!!", "\\", "\\\\", "\\'", "a b c", "\t", "{{a,b}}", "$HOME", "${{HOME}}", "$$", "$?", "#",
    "# x", "%s%n", "EOF\ntouch {c}\nEOF", "'\"'\"'; touch {c}; '\"'\"'", "\u2028touch {c}", "é🚨", "a;b",
    "x=$(touch {c})", "[0]", "a[$(touch {c})]",
]  # fmt: skip
SHAPES = [
    "printf '%s\\n' <x>",
    'printf "%s\\n" "<x>"',
    "printf '%s\\n' 'before <x> after'",
    "printf '%s\\n' --name=<x>/32",
    'printf "%s\\n" "$(printf %s <x>)"',
    "printf '%s\\n' $VALUE",
    'printf "%s\\n" "${VALUE}"',
    "cat <<EOF\nfirst <x>\nEOF",
    "printf '%s\\n' '{\"name\": \"<x>\"}'",
    "printf '%s\\n' {{ x }} | cat",
    "printf '%s\\n' http://localhost/<x>/end",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_hostile_values_neither_change_the_script_nor_run(command: OneCommand, shape: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    found = command(shape)
    scripts, printed = set(), 0
    for raw in HOSTILE * 3:
        value = raw.format(c=canary)
        try:
            bound = bind(found, {p["name"]: value for p in found["parameters"]})
        except BadValue:
            continue
        scripts.add(bound.script)
        done = subprocess.run(
            ["bash", "-c", bound.script],
            env={"PATH": os.environ["PATH"], **bound.env},
            cwd=tmp_path,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        if "http" not in shape and '{"name"' not in shape:
            assert value.encode().rstrip(b"\n") in done.stdout
        printed += 1
    assert len(scripts) == 1
    assert printed >= 90
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        "sh -c 'echo <x>'",
        'bash -lc "echo <x>"',
        "docker exec c sh -c 'ls <x>'",
        "awk '{print <x>}' file",
        "awk <x> file",
        "python -c 'print(<x>)'",
        "ssh host 'kill <x>'",
        "watch kubectl logs <x>",
        "eval echo <x>",
        "echo $((<x> + 1))",
        "<x> --help",
        "cat <<'EOF'\n<x>\nEOF",
        "redis-cli EVAL <x> 0",
        "echo $LD_PRELOAD",
        "echo $BASH_ENV",
    ],
)
def test_places_where_a_value_would_be_code_are_refused(command: OneCommand, line: str) -> None:
    found = command(line)
    with pytest.raises(Unbindable):
        bind(found, {p["name"]: "1" for p in found["parameters"]})


def test_missing_values_are_named(command: OneCommand) -> None:
    with pytest.raises(MissingValues) as caught:
        bind(command("kubectl logs <pod> -n <namespace>"), {"pod": "web-1"})
    assert caught.value.names == ["namespace"]
    assert str(caught.value) == "Fill in namespace first."


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("kubectl logs <pod>", "--all"),
        ("kubectl logs <pod>", "a\x00b"),
        ("kubectl logs <pod>", "x" * 4097),
        ("kubectl logs <pod>", " "),
        ("psql -c \"SELECT pg_terminate_backend(<pid>)\"", "1); DROP TABLE t; --"),
        ("psql -c \"SELECT pg_terminate_backend(<pid>)\"", "-1"),
        ("psql -c \"SELECT 1 FROM t WHERE name = '<name>'\"", "x' OR '1'='1"),
        ("psql -c \"SELECT 1 FROM <table>\"", "t; DELETE FROM t"),
        ("make deploy VERSION=<version>", "$(shell id)"),
    ],
)  # fmt: skip
def test_values_that_a_place_cannot_take_are_refused(command: OneCommand, line: str, value: str) -> None:
    found = command(line)
    with pytest.raises(BadValue):
        bind(found, {p["name"]: value for p in found["parameters"]})


def test_a_number_may_be_negative(command: OneCommand) -> None:
    assert bind(command("tail -n <count> file"), {"count": "-5"}).env == {"ERPOPS_P_COUNT": "-5"}


def test_a_literal_keeps_its_own_value_until_one_is_given(command: OneCommand) -> None:
    found = command("nslookup yourdomain.com")
    kept, given = bind(found, {}), bind(found, {"yourdomain.com": "db.internal"})
    assert kept.script == given.script == 'nslookup "${ERPOPS_P_YOURDOMAIN_COM}"'
    assert (kept.env, given.env) == (
        {"ERPOPS_P_YOURDOMAIN_COM": "yourdomain.com"},
        {"ERPOPS_P_YOURDOMAIN_COM": "db.internal"},
    )


def test_a_variable_keeps_its_name_and_is_quoted(command: OneCommand) -> None:
    bound = bind(command("psql -U $DB_USER -l"), {"DB_USER": "app -c DROP"})
    assert bound.script == 'psql -U "$DB_USER" -l'
    assert bound.env == {"DB_USER": "app -c DROP"}


def test_a_value_in_an_address_is_encoded(command: OneCommand) -> None:
    bound = bind(command("curl http://localhost/users/<user>?x=1"), {"user": "a/../b?c=d&e"})
    assert bound.env == {"ERPOPS_P_USER_IN_URL": "a%2F..%2Fb%3Fc%3Dd%26e"}


def test_a_value_in_json_cannot_leave_its_string(command: OneCommand) -> None:
    bound = bind(command("""curl -d '{"name": "<name>"}' http://x"""), {"name": 'a", "admin": "b'})
    assert bound.env == {"ERPOPS_P_NAME_IN_JSON": 'a\\", \\"admin\\": \\"b'}


def test_sql_names_its_values_and_keeps_its_text(commands: Commands) -> None:
    (found,) = commands("SELECT * FROM <table> WHERE pid = <pid> AND name = '<name>';", "sql")
    bound = bind(found, {"table": "t", "pid": "1", "name": "x'y"})
    assert bound.script == "SELECT * FROM ${ERPOPS_P_TABLE} WHERE pid = ${ERPOPS_P_PID} AND name = '${ERPOPS_P_NAME}';"
    assert bound.env == {"ERPOPS_P_TABLE": "t", "ERPOPS_P_PID": "1", "ERPOPS_P_NAME": "x'y"}
    (whole,) = commands("EXPLAIN ANALYZE <query>;", "sql")
    with pytest.raises(Unbindable):
        bind(whole, {"query": "SELECT 1"})


def test_two_names_that_fold_to_one_stay_apart(command: OneCommand) -> None:
    bound = bind(command("printf '%s%s' <a-b> <a_b>"), {"a-b": "1", "a_b": "2"})
    assert bound.env == {"ERPOPS_P_A_B": "1", "ERPOPS_P_A_B_2": "2"}
    assert env_name("postgres-pod") == "ERPOPS_P_POSTGRES_POD"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("ip", "192.0.2.0/24", "300.1.1.1"),
        ("ip", "2001:db8::1", "db"),
        ("host", "db-1.internal:5432", "a b"),
        ("pid", "4711", "0x12"),
        ("number", "-3", "three"),
        ("pod", "web-7d9f8b6c5d-x2x4z", "Web_1"),
        ("container", "api_1", "-api"),
        ("email", "a@b.co", "a@b"),
        ("timestamp", "2026-01-19T02:00:00Z", "'; --"),
        ("duration", "5m", "soon"),
        ("revision", "12", "a b"),
        ("text", "any thing", "  "),
    ],
)
def test_each_type_says_what_it_wants(kind: str, good: str, bad: str) -> None:
    parameter: Parameter = {"name": "value", "notation": "angle", "type": kind, "line": 1}
    assert validate(parameter, good) is None
    sentence = validate(parameter, bad)
    assert sentence is not None
    assert sentence.endswith(".")
