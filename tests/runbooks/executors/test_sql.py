"""SQL against a real PostgreSQL: what is printed, what is refused, what is undone."""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from checks.probes import Place
from runbooks.executors import CannotStart, executors, sql_wall
from runbooks.parameters import BadValue, Unbindable
from tests.peers import until
from tests.runbooks.executors.jobs import carried_out, job

HERE = {"postgres": Place(settings.DATABASE_URL)}


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    """A few tables in the database of the tests."""
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        connection.execute("""
            DROP TABLE IF EXISTS shop_orders;
            CREATE TABLE shop_orders (id int PRIMARY KEY, buyer text NOT NULL DEFAULT 'nobody', paid numeric);
            CREATE INDEX shop_orders_buyer ON shop_orders (buyer);
            INSERT INTO shop_orders VALUES (1, 'ann', 9.50), (2, 'bob', NULL), (3, E'two\\nlines', 1)""")
        yield
        connection.execute("DROP TABLE shop_orders")


def run(text: str, **given: Any) -> int:
    return carried_out(text, "sql", **{"place": HERE, **given})


def refusal(text: str, **given: Any) -> str:
    with pytest.raises(CannotStart) as caught:
        run(text, **given)
    return str(caught.value)


def count() -> int:
    with psycopg.connect(settings.DATABASE_URL) as connection:
        return int(connection.execute("SELECT count(*) FROM shop_orders").fetchone()[0])  # type: ignore[index]


def test_rows_are_an_aligned_table_with_their_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT * FROM shop_orders ORDER BY id") == 0
    assert capsys.readouterr().out == (
        " id | buyer | paid\n"
        "----+-------+------\n"
        "  1 | ann   | 9.50\n"
        "  2 | bob   | NULL\n"
        "  3 | two  +|    1\n"
        "    | lines |\n"
        "(3 rows)\n"
    )


def test_statements_follow_each_other_and_the_first_error_ends_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT 1 AS first; -- a; remark\nSELECT nonsense FROM shop_orders; SELECT 'never'") == 1
    printed = capsys.readouterr()
    assert "first" in printed.out and "never" not in printed.out
    assert 'ERROR:  column "nonsense" does not exist\nLINE 1: SELECT nonsense FROM' in printed.err
    assert printed.err.splitlines()[2] == " " * len("LINE 1: SELECT ") + "^"


def test_no_rows_and_expanded_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT id FROM shop_orders WHERE id > 9;\n\\x\nSELECT id, buyer FROM shop_orders WHERE id = 1") == 0
    printed = capsys.readouterr().out
    assert " id\n----\n(0 rows)" in printed
    assert "-[ RECORD 1 ]" in printed and "buyer | ann" in printed


def test_many_rows_are_counted_and_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT n FROM generate_series(1, 25000) n") == 0
    printed = capsys.readouterr()
    assert printed.out.count("\n") < 1010
    assert "(the first 1,000 of 25,000 rows)" in printed.out
    assert "LIMIT" in printed.err


def test_a_huge_value_is_cut_and_its_length_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT repeat('ab', 5000000) AS much, repeat('c', 3000) AS more, repeat('d', 2000) AS whole") == 0
    printed = capsys.readouterr().out
    assert "ab… (10,000,000 in all)" in printed and "cc… (3,000 in all)" in printed
    assert "d" * 2000 in printed and len(printed) < 30_000


def test_options_of_the_address_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    address = make_conninfo(settings.DATABASE_URL, options="-c search_path=shop_schema")
    assert run("SHOW search_path; SHOW lock_timeout", place={"postgres": Place(address)}) == 0
    printed = capsys.readouterr().out
    assert "shop_schema" in printed and "10s" in printed


def test_what_only_reads_cannot_write(capsys: pytest.CaptureFixture[str]) -> None:
    before = count()
    assert run("INSERT INTO shop_orders VALUES (7)") == 1
    assert "read-only transaction" in capsys.readouterr().err
    assert run("COMMIT; BEGIN; DELETE FROM shop_orders") == 1
    assert "COMMIT is left out" in capsys.readouterr().err
    assert run("/* so */ COMMIT/**/AND NO CHAIN; -- and\nEND--\n; DELETE FROM shop_orders") == 1
    assert capsys.readouterr().err.count("left out") == 2
    assert count() == before


def test_a_change_is_made_and_a_transaction_of_the_text_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("INSERT INTO shop_orders VALUES (8, 'eve'); VACUUM shop_orders", risk="change") == 0
    assert capsys.readouterr().out.splitlines() == ["INSERT 0 1", "VACUUM"]
    assert count() == 4
    assert run("BEGIN; DELETE FROM shop_orders; ROLLBACK", risk="destroy") == 0
    assert count() == 4
    assert run("DELETE FROM shop_orders WHERE id = <id> RETURNING buyer", risk="change", values={"id": "8"}) == 0
    assert "eve" in capsys.readouterr().out and count() == 3


@pytest.mark.parametrize(
    ("text", "value", "printed"),
    [
        ("SELECT buyer FROM shop_orders WHERE id = <id>", "2", "bob"),
        ("SELECT count(*) FROM shop_orders WHERE buyer = '<who>'", "x' OR '1'='1", " 0"),
        ("SELECT '<who>' AS said", "it's; DROP TABLE shop_orders --", "it's; DROP TABLE shop_orders --"),
        ("SELECT 'about <who>, twice <who>' AS said", "$$ \\ ' %s", "about $$ \\ ' %s, twice $$ \\ ' %s"),
        ("SELECT count(*) FROM <table>", "public.shop_orders", " 3"),
        ("SELECT now() - interval '<n> minutes' < now() AS past", "5", "t"),
        ("SELECT 1 FROM shop_orders WHERE buyer LIKE 'a%' LIMIT <n>", "1", "(1 row)"),
        ("EXPLAIN SELECT * FROM shop_orders WHERE id = <id>", "1", "QUERY PLAN"),
        ('SELECT "<column>" FROM shop_orders WHERE id = 1', "buyer", "ann"),
        ("SET search_path = '<path>'; SHOW search_path", "a'b", "a'b"),
    ],
)
def test_values_are_only_ever_values(text: str, value: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    [name] = set(re.findall(r"<(\w+)>", text))
    assert run(text, values={name: value}) == 0, capsys.readouterr().err
    assert printed in capsys.readouterr().out
    assert count() == 3


@pytest.mark.parametrize("value", ["shop_orders; DROP TABLE shop_orders", 'a"b', "shop_orders WHERE true"])
def test_a_value_for_a_name_is_a_name(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT count(*) FROM <table>", values={"table": value}) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EXPLAIN ANALYZE <query>", "query"),
        ("<query>", "query"),
        ("SELECT $$ <x> $$", "x"),
        ("SELECT E'\\' <x>'", "x"),
        ('SELECT "a <x>" FROM t', "x"),
    ],
)
def test_where_a_value_would_be_code_it_is_refused(text: str, name: str) -> None:
    with pytest.raises(Unbindable):
        job(text, "sql", values={name: "1"})
    with pytest.raises(BadValue):
        job("\\d <table>", "sql", values={"table": "x y"})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_terminate_backend(1)",
        'SELECT pg_catalog . "pg_terminate_backend" (1)',
        "SELECT PG_CANCEL_BACKEND /* so */ (1)",
        'SELECT U&"pg\\005fterminate_backend"(1)',
        "SELECT pg_reload_conf()",
        "SELECT pg_switch_wal()",
        "SELECT pg_sleep(600)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/x')",
        "SELECT * FROM dblink('host=x', 'DELETE FROM t') AS t(a int)",
        "SELECT dblink_exec('x', 'y')",
        "SELECT query_to_xml('SELECT pg_reload_conf()', true, true, '')",
        "COPY (SELECT 1) TO PROGRAM 'touch /tmp/x'",
        "COPY shop_orders TO '/tmp/x'",
        "COPY (SELECT pg_reload_conf()) TO STDOUT",
        "SHOW x; SELECT pg_reload_conf()",
        "SELECT 'a' 'b' , pg_reload_conf()",
        "SELECT E'\\\\' , pg_reload_conf() -- '",
        "COPY shop_orders FROM STDIN",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SET transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN PERFORM pg_reload_conf(); END $$",
        "CALL something()",
        "PREPARE x AS SELECT pg_reload_conf()",
        "EXPLAIN ANALYZE SELECT pg_reload_conf()",
        "SELECT setval('s', 1)",
        "NOTIFY x",
        "SELECT pg_notify('x', 'y')",
        "WITH x AS (SELECT pg_logical_emit_message(false, 'a', 'b')) SELECT * FROM x",
    ],
)
def test_what_acts_in_a_read_only_transaction_is_not_sent(text: str) -> None:
    assert refusal(f"SELECT 1; {text}").startswith("Not sent: ")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'pg_terminate_backend(1)' AS said",
        "SELECT pid, query FROM pg_stat_activity WHERE query ILIKE '%pg_sleep(%' -- pg_reload_conf()",
        "SELECT pg_sleep(0)",
        "SELECT pg_size_pretty(pg_database_size(current_database()))",
        "SHOW max_connections",
        "SET statement_timeout = '5s'",
        "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM shop_orders",
        "COPY shop_orders TO STDOUT",
        "TABLE shop_orders",
        "VALUES (1), (2)",
        "SELECT state, count(*) FROM pg_stat_activity GROUP BY 1",
        "SELECT * FROM pg_locks WHERE NOT granted",
    ],
)
def test_what_reads_is_sent(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql_wall.objection(text, limit_s=30) == ""
    assert run(text) == 0, capsys.readouterr().err


def test_what_acts_is_sent_when_the_risk_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT pg_cancel_backend(0)", risk="disrupt") == 0
    printed = capsys.readouterr()
    assert "(1 row)" in printed.out and "WARNING:" in printed.err


def test_psqls_own_commands_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("\\dt shop_*\n\\d shop_orders\n\\l\n\\du\n\\dn\n\\dx\n\\conninfo\n\\q\nSELECT 'never'") == 0
    printed = capsys.readouterr().out
    assert "shop_orders | table" in printed
    assert "buyer  | text    | not null | 'nobody'::text" in printed
    assert '"shop_orders_pkey" USING btree (id) PRIMARY KEY' in printed
    assert "plpgsql" in printed and "You are connected to database" in printed and "never" not in printed
    assert run("\\di+ shop_*\n\\df nothing\n\\timing\nSELECT 1") == 0
    printed = capsys.readouterr().out
    assert "|  Size" in printed and "16 kB" in printed
    assert "Time: " in printed


@pytest.mark.parametrize("text", ["\\c other", "\\! ls", "\\i x.sql", "\\copy t from x", "\\gexec", "SELECT 1 \\gexec"])
def test_psqls_commands_that_do_more_are_refused_with_a_sentence(text: str) -> None:
    assert refusal(text).endswith(".")


def test_a_long_statement_is_ended_by_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SELECT count(*) FROM generate_series(1, 1000000000)", timeout_s=3) == 1
    assert "statement timeout" in capsys.readouterr().err


def test_a_server_that_goes_away_in_the_middle_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    end_it = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'erpops run 4711' AND state = 'active'"""

    def end() -> None:
        with psycopg.connect(os.environ["ERPOPS_TEST_ADMIN_URL"], autocommit=True) as connection:
            until(lambda: connection.execute(end_it).fetchone(), 20, "the session of the run")

    thread = threading.Thread(target=end)
    thread.start()
    assert run("SELECT count(*) FROM generate_series(1, 10000000000)") == 2
    thread.join(20)
    assert "terminating connection" in capsys.readouterr().err


def test_a_wrong_password_a_missing_server_and_a_bad_address_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = make_conninfo(settings.DATABASE_URL, host="127.0.0.1", port=1)
    assert run("SELECT 1", place={"postgres": Place(elsewhere)}) == 2
    assert "refused" in capsys.readouterr().err
    stranger = make_conninfo(settings.DATABASE_URL, user="nobody_here")
    assert run("SELECT 1", place={"postgres": Place(stranger, "s3cret-pass")}) == 2
    told = capsys.readouterr().err
    assert "nobody_here" in told and "s3cret-pass" not in told
    assert "cannot be read" in refusal("SELECT 1", place={"postgres": Place("http://x y")})
    assert "no PostgreSQL target" in refusal("SELECT 1", place={})


def test_the_session_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("SHOW application_name; SHOW lock_timeout; SHOW statement_timeout") == 0
    printed = capsys.readouterr().out
    assert "erpops run 4711" in printed and "10s" in printed and "28s" in printed


def test_the_call_has_no_other_environment_than_the_job() -> None:
    made = job("SELECT 1", "sql", place=HERE, env={"REGION": "eu"})
    assert executors["sql"](made).env == {"REGION": "eu"}


_ATTACKS = r"""
INSERT INTO shop_orders VALUES (666, 'attack')
UPDATE shop_orders SET buyer = 'attack'
DELETE FROM shop_orders
TRUNCATE shop_orders
DROP TABLE shop_orders
ALTER TABLE shop_orders ADD attack int
CREATE TABLE attack (a int)
SELECT 1 AS a INTO attack
CREATE TABLE attack AS SELECT 1
WITH x AS (INSERT INTO shop_orders VALUES (667, 'attack') RETURNING 1) SELECT * FROM x
COPY (SELECT 1) TO PROGRAM 'touch {canary}'
COPY shop_orders TO '{canary}'
COPY shop_orders FROM PROGRAM 'touch {canary}; echo 9,x,1'
SELECT lo_export(lo_from_bytea(0, 'x'), '{canary}')
SELECT pg_file_write('{canary}', 'x', false)
DO $$ BEGIN INSERT INTO shop_orders VALUES (668, 'attack'); END $$
DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {canary}'''; END $$
SELECT query_to_xml('INSERT INTO shop_orders VALUES (669, ''attack'') RETURNING 1', true, true, '')
SET TRANSACTION READ WRITE; INSERT INTO shop_orders VALUES (670, 'attack')
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; INSERT INTO shop_orders VALUES (671, 'attack')
SET default_transaction_read_only TO off; COMMIT; INSERT INTO shop_orders VALUES (672, 'attack')
BEGIN READ WRITE; INSERT INTO shop_orders VALUES (673, 'attack'); COMMIT
ROLLBACK; START TRANSACTION READ WRITE; INSERT INTO shop_orders VALUES (674, 'attack'); COMMIT
SET ROLE postgres; INSERT INTO shop_orders VALUES (675, 'attack')
\! touch {canary}
\copy shop_orders to program 'touch {canary}'
SELECT 'touch {canary}' \g | sh
EXPLAIN ANALYZE INSERT INTO shop_orders VALUES (676, 'attack')
PREPARE p AS INSERT INTO shop_orders VALUES (677, 'attack'); EXECUTE p
COMMIT AND CHAIN; SET TRANSACTION READ WRITE; INSERT INTO shop_orders VALUES (678, 'attack')
""".strip().splitlines()
_WRAPS = ("{}", "SELECT 1; {}", "/* a /* b */ ; */ {}", "-- a\n{}", "COMMIT;\n{}", "SELECT E'\\';' ; {}")


def test_attacks_by_a_superuser_on_what_reads_leave_no_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stacked statements, programs, files, other transactions: with the strongest rights that there are."""
    canary = tmp_path / "canary"
    tmp_path.chmod(0o777)
    superuser = make_conninfo(
        os.environ["ERPOPS_TEST_ADMIN_URL"], dbname=conninfo_to_dict(settings.DATABASE_URL)["dbname"]
    )
    tried = 0
    for attack in _ATTACKS:
        for wrap in _WRAPS:
            tried += 1
            try:
                ended = run(wrap.format(attack.format(canary=canary)), place={"postgres": Place(superuser)})
            except CannotStart:
                continue
            assert ended == 1, (attack, wrap, capsys.readouterr())
    assert tried >= 150
    assert not canary.exists() and count() == 3
    with psycopg.connect(settings.DATABASE_URL) as connection:
        assert connection.execute("SELECT to_regclass('attack')").fetchone() == (None,)
        columns = connection.execute("SELECT * FROM shop_orders WHERE buyer = 'attack'")
        assert columns.fetchall() == [] and len(columns.description or []) == 3
