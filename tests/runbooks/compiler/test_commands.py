"""A fence becomes logical units, and each comment finds the command that it belongs to."""

import pytest

from tests.runbooks.compiler.fragments import Commands, OneCommand, OneStep


def test_continuations_quotes_pipes_and_heredocs_make_one_unit(commands: Commands) -> None:
    body = (
        "curl -X POST http://x \\\n  -d '{\n  \"a\": 1\n}'\n"
        "kubectl logs web |\n  grep ERROR\n"
        "kubectl apply -f - <<EOF\nkind: X\nEOF\n"
        "a=1; df -h\n"
        "for i in 1 2; do\n  df -h\ndone"
    )
    found = commands(body)
    assert [c["text"].split("\n")[0] for c in found] == [
        "curl -X POST http://x \\",
        "kubectl logs web |",
        "kubectl apply -f - <<EOF",
        "a=1; df -h",
        "for i in 1 2; do",
    ]
    assert [c["end_line"] - c["line"] for c in found] == [3, 1, 2, 0, 2]


def test_lines_are_those_of_the_document(command: OneCommand) -> None:
    found = command("df -h")
    assert (found["line"], found["end_line"]) == (7, 7)


def test_a_comment_above_is_the_label_and_one_below_an_expectation(commands: Commands) -> None:
    first, second = commands("# Ask the cache\nredis-cli ping\n# Expected: PONG\n\n# Free space\ndf -h")
    assert (first["label"], second["label"]) == ("Ask the cache", "Free space")
    (expected,) = first["expected"]
    assert (expected["text"], expected["line"]) == ("Expected: PONG", 9)
    assert expected["assertion"] == {"op": "equals", "value": "PONG"}
    assert second["expected"] == []


def test_a_trailing_comment_is_no_part_of_the_command(commands: Commands) -> None:
    (found,) = commands("kubectl delete pod web-1  # it comes back by itself")
    assert found["text"] == "kubectl delete pod web-1"
    assert found["notes"][0]["text"] == "it comes back by itself"


@pytest.mark.parametrize(
    ("comment", "kind"),
    [
        ("# Or restart it", "alternative"),
        ("# If it fails, restore", "condition"),
        ('# rate(http_requests_total{status="500"}[5m])', "query"),
        ("# Update configuration: DB_POOL=50", "setting"),
        ("# Restart the service", "label"),
    ],
)
def test_what_a_comment_is_is_kept(command: OneCommand, comment: str, kind: str) -> None:
    assert command(f"{comment}\ndf -h")["notes"][0]["kind"] == kind


def test_commands_inside_comments_are_no_commands(step: OneStep) -> None:
    found = step("# docker restart everything\n# psql -c 'DROP TABLE t'")
    assert found["commands"] == []
    assert found["manual"] is True
    assert found["blocks"][0]["kind"] == "comment"


def test_a_variable_of_the_fence_ties_its_commands_together(commands: Commands) -> None:
    first, second, third = commands('FILE=/b/x.gz\nls /b\nzcat "$FILE" | wc -c')
    assert (first["kind"], first["risk"]) == ("env", "read")
    assert third["shares_shell_with"] == [first["line"]]
    assert second["shares_shell_with"] == []
    assert [p["name"] for p in third["parameters"]] == []


def test_a_setting_that_nothing_uses_takes_effect_elsewhere(commands: Commands) -> None:
    setting, restart = commands("DB_MAX_CONNECTIONS=100\ndocker restart api")
    assert (setting["kind"], setting["risk"]) == ("env", "change")
    assert restart["kind"] == "shell"


def test_prompts_come_off_and_output_stays_apart(commands: Commands) -> None:
    (found,) = commands("$ df -h /\nFilesystem Size\n/dev/sda1 10G")
    assert found["text"] == "df -h /"
    assert [n["text"] for n in found["notes"]] == ["Filesystem Size", "/dev/sda1 10G"]


def test_a_typed_database_session_becomes_sql(commands: Commands) -> None:
    found = commands("psql -U app shop\n\n\\dt  # tables\nSELECT count(*) FROM t;  # Should return 1\n\\q")
    assert [(c["kind"], c["risk"], c["text"]) for c in found] == [
        ("shell", "blocked", "psql -U app shop"),
        ("sql", "read", "\\dt"),
        ("sql", "read", "SELECT count(*) FROM t;"),
    ]


def test_a_client_call_in_a_sql_fence_is_a_shell_command(commands: Commands) -> None:
    found = commands("-- Connect\nkubectl exec -it db-0 -- psql\n\n-- Look\nSELECT 1;", "sql")
    assert [(c["kind"], c["label"]) for c in found] == [("shell", "Connect"), ("sql", "Look")]


def test_the_kind_is_http_when_curl_comes_first(commands: Commands) -> None:
    found = commands("time curl http://x\ndocker exec api curl http://x\nwget -q http://x")
    assert [c["kind"] for c in found] == ["http", "shell", "http"]


def test_expected_output_may_have_several_lines(command: OneCommand) -> None:
    (expected,) = command("docker-compose ps\n\n# Expected output:\n# NAME  STATUS\n# db    Up")["expected"]
    assert expected["text"].split("\n") == ["Expected output:", "NAME  STATUS", "db    Up"]
