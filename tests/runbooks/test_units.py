"""What is executed for a command: terminals left out, shells shared, missing programs told before the start."""

from typing import Any

import pytest

from runbooks import needed, units, walk
from runbooks.compiler import compile_text

FENCE = """# Restart

## Steps

1. Look

   ```bash
{commands}
   ```
"""


def commands(*lines: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A compiled runbook of one fence, and its commands."""
    text = FENCE.format(commands="\n".join(f"   {line}" for line in lines))
    compiled: dict[str, Any] = dict(compile_text(text, path="restart.md")["runbooks"][0])
    return compiled, [c for phase in compiled["phases"] for step in phase["steps"] for c in step["commands"]]


@pytest.mark.parametrize(
    ("written", "executed"),
    [
        ("docker exec -it web sh -c 'ls -t'", "docker exec -i web sh -c 'ls -t'"),
        ("docker exec -t web ls -t", "docker exec web ls -t"),
        ("docker exec -u root -ti web date", "docker exec -u root -i web date"),
        ("docker exec web tar -t -f /a.tar", "docker exec web tar -t -f /a.tar"),
        ("docker run --rm --tty alpine date", "docker run --rm alpine date"),
        ("kubectl exec -n shop web-0 -it -- ls -t", "kubectl exec -n shop web-0 -i -- ls -t"),
        ("kubectl -n shop exec -it web-0 -- date", "kubectl -n shop exec -i web-0 -- date"),
        ("docker compose exec db pg_isready", "docker compose exec -T db pg_isready"),
        ("docker-compose -f a.yml exec db psql -t", "docker-compose -f a.yml exec -T db psql -t"),
        ("docker-compose exec -T db date", "docker-compose exec -T db date"),
        ("docker-compose exec db psql -U app -d shop -c 1", "docker-compose exec -T db psql -U app -d shop -c 1"),
        ("docker-compose exec -u app -T db sort -T /tmp", "docker-compose exec -u app -T db sort -T /tmp"),
        ("docker-compose exec -e A=-T db date", "docker-compose exec -T -e A=-T db date"),
        ("docker-compose exec -d db sleep 9", "docker-compose exec -d db sleep 9"),
        ("docker compose run -d web", "docker compose run -d web"),
        ("docker ps -a | sort -t: -k2", "docker ps -a | sort -t: -k2"),
    ],
)
def test_what_asks_for_a_terminal_is_left_out_and_nothing_else(written: str, executed: str) -> None:
    text, told = units.without_terminal(written)
    assert text == executed
    assert bool(told) == (written != executed)


def test_a_command_brings_the_shell_that_it_needs() -> None:
    compiled, (first, second) = commands("POD=$(kubectl get pod -o name)", 'kubectl logs --tail=5 "$POD"')
    unit = units.as_run(compiled, second)
    assert unit["text"].split("\n") == ["set -e", first["text"], "set +e", second["text"]]
    assert unit["risk"] == "read"
    assert str(first["line"]) in unit["told"][0]


def test_the_parameters_of_the_shared_shell_are_asked_for_too() -> None:
    compiled, found = commands("cd /srv/<service>", "tail -n 5 app.log")
    assert [p["name"] for p in units.as_run(compiled, found[1])["parameters"]] == ["service"]


def test_the_shell_of_a_command_that_changes_something_is_not_made_again() -> None:
    compiled, found = commands("ID=$(docker run -d alpine sleep 5)", 'docker logs "$ID"')
    unit = units.as_run(compiled, found[1])
    assert unit["risk"] == "blocked"
    assert str(found[0]["line"]) in unit["because"]


def test_a_command_that_stands_alone_stays_as_it_is() -> None:
    compiled, found = commands("df -h", "free -m")
    assert [units.as_run(compiled, command)["text"] for command in found] == ["df -h", "free -m"]


@pytest.mark.parametrize(
    ("script", "programs"),
    [
        ("sudo timeout 5 kubectl get pods | grep -v Running", ("sudo", "timeout", "kubectl", "grep")),
        ("cd /tmp && echo hello", ()),
        ("docker exec db psql -c 'select 1'", ("docker",)),
        ("./deploy.sh --fast", ()),
        ("env LANG=C date", ("env", "date")),
        ("check() { curl -s localhost; }\ncheck", ("curl",)),
        ("find / -name x | xargs rm", ("find", "xargs", "rm")),
    ],
)
def test_the_programs_of_a_script_are_those_that_start_on_its_machine(script: str, programs: tuple[str, ...]) -> None:
    assert needed.programs_of(script) == programs


def test_what_a_worker_lacks_is_said_by_name() -> None:
    command = {"kind": "shell", "text": "kubectl get pods | jq ."}
    assert "kubectl is not installed" in needed.lacking(command, frozenset({"jq"}), "")
    assert needed.lacking(command, frozenset({"jq", "kubectl"}), "") == ""
    assert needed.lacking(command, None, "") == ""


def test_a_worker_tells_the_programs_of_its_own_path() -> None:
    assert {"ls", "sh"} <= needed.on_path("/nowhere:/usr/bin:/bin")


def sql_commands(*lines: str) -> list[dict[str, Any]]:
    """The SQL of a fence as it is executed."""
    text = FENCE.replace("bash", "sql").format(commands="\n".join(f"   {line}" for line in lines))
    compiled: dict[str, Any] = dict(compile_text(text, path="orders.md")["runbooks"][0])
    return [units.as_run(compiled, found) for found in walk.all_commands(compiled)]


def test_a_transaction_runs_as_one_by_the_line_that_ends_it() -> None:
    begin, delete, count, rollback, after = sql_commands(
        "BEGIN;", "DELETE FROM orders WHERE id = <id>;", "SELECT count(*) FROM orders;", "ROLLBACK;", "SELECT 1;"
    )
    assert begin["risk"] == "read" and not begin["because"]
    for inner in (delete, count):
        assert inner["risk"] == "blocked" and "the transaction of line 8" in inner["because"]
    assert rollback["risk"] == "destroy"
    assert rollback["text"] == ("BEGIN;\nDELETE FROM orders WHERE id = <id>;\nSELECT count(*) FROM orders;\nROLLBACK;")
    assert [parameter["name"] for parameter in rollback["parameters"]] == ["id"]
    assert rollback["told"] == ["Runs in one session with line 8, 9, 10."]
    assert after["text"] == "SELECT 1;" and after["risk"] == "read"


def test_settings_of_a_session_come_with_what_follows() -> None:
    timeout, expanded, select = sql_commands("SET statement_timeout = '5s';", "\\x", "SELECT * FROM orders")
    assert timeout["told"] == []
    assert expanded["text"] == "SET statement_timeout = '5s';\n\\x"
    assert select["text"].split("\n")[:2] == ["SET statement_timeout = '5s';", "\\x"]
    assert select["risk"] == "read" and select["text"].endswith("SELECT * FROM orders\n;")


def test_a_transaction_that_nothing_ends_is_not_run_in_parts() -> None:
    _, update = sql_commands("BEGIN;", "UPDATE orders SET paid = true;")
    assert update["risk"] == "blocked"
