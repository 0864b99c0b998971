"""What is expected becomes an assertion where a machine can judge it, and stays a sentence where it cannot."""

from typing import Any

import pytest

from runbooks.compiler.assertions import judge
from runbooks.compiler.expected import assertion
from tests.runbooks.compiler.fragments import OneRunbook


def compare(sign: str, value: float, unit: str | None = None, **more: str) -> dict[str, Any]:
    return {"op": "compare", "comparator": sign, "value": value, "unit": unit, **more}


def field(name: str, *values: str) -> dict[str, Any]:
    return {"op": "field", "field": name, "values": list(values)}


def contains(value: str) -> dict[str, Any]:
    return {"op": "contains", "value": value}


TABLE = "Expected output:\nNAME   STATUS         PORTS\ndb     Up (healthy)   5432/tcp\nweb    Up             80/tcp"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Expected: PONG", {"op": "equals", "value": "PONG"}),
        ("=> PONG", {"op": "equals", "value": "PONG"}),
        ("Should be 0", compare("==", 0)),
        ("Should be zero", compare("==", 0)),
        ("Should return 200", compare("==", 200)),
        ("returns 1", compare("==", 1)),
        ("Expected: 200", compare("==", 200)),
        ("Expected: 200 OK", {"op": "status", "values": [200]}),
        ("Should return HTTP 204", {"op": "status", "values": [204]}),
        ("Expected status code: 200 or 302", {"op": "status", "values": [200, 302]}),
        ("Should be 0 (no backups older than 24h)", compare("==", 0)),
        ("Expected: 3 replicas", compare("==", 3)),
        ("Expected: 0 files", compare("==", 0)),
        ("Should return 0 rows", {"op": "rows", "comparator": "==", "value": 0.0}),
        ("Should return at least 1 row", {"op": "rows", "comparator": ">=", "value": 1.0}),
        ("Expected: green or yellow", {"op": "any_of", "values": ["green", "yellow"]}),
        ('Expected: "status":"green" or "yellow"', field("status", "green", "yellow")),
        ('Expected: {"status": "ok", "timestamp": "..."}', field("status", "ok")),
        ('Should contain "ready": true', field("ready", "true")),
        ("Expected: status: green", field("status", "green")),
        ("Should show > 100GB free", compare(">", 100, "GB", of="free")),
        ("Should show < 500MB used", compare("<", 500, "MB", of="used")),
        ("Should show count > 0", compare(">", 0)),
        ("Should be < 80", compare("<", 80)),
        ("Should be less than 5%", compare("<", 5, "%")),
        ("hit rate should be > 70%", compare(">", 70, "%")),
        ("Should be above 90 %", compare(">", 90, "%")),
        ("Should be at least 3", compare(">=", 3)),
        ("Must be at most 10 connections", compare("<=", 10)),
        ("Should be 3 or more", compare(">=", 3)),
        ("Should be below 200ms", compare("<", 200, "ms")),
        ("Should be under 5 minutes", compare("<", 5, "minutes")),
        ("Should be >= 32 bytes", compare(">=", 32, "bytes")),
        ("Should be between 1 and 3", {"op": "between", "low": 1.0, "high": 3.0, "unit": None}),
        ("Should be 10-20%", {"op": "between", "low": 10.0, "high": 20.0, "unit": "%"}),
        ("Should be exactly 2", compare("==", 2)),
        ("Expected: no output", {"op": "empty"}),
        ("Should print nothing", {"op": "empty"}),
        ("Expected: no rows", {"op": "empty"}),
        ("Should exit 0", {"op": "exit", "value": 0}),
        ("Expected: exit code 0", {"op": "exit", "value": 0}),
        ("Should show: Up (healthy)", contains("Up (healthy)")),
        ("Expected: healthy", contains("healthy")),
        ("Expected: accepting connections", contains("accepting connections")),
        ("Expected: Certificate will not expire", {"op": "phrase", "value": "Certificate will not expire"}),
        ('Should print "accepting connections"', contains("accepting connections")),
        ("Should return t", {"op": "equals", "value": "t"}),
        ("Should be Running", contains("Running")),
        ("Should not contain ERROR", {"op": "lacks", "value": "ERROR"}),
        ("Should not be f", {"op": "lacks", "value": "f"}),
        (TABLE, {"op": "table", "rows": [["db", "Up (healthy)"], ["web", "Up"]]}),
        ("Expected output:\nPONG", {"op": "equals", "value": "PONG"}),
        ("Expected output:\n-rw-r--r-- 1 backup backup 125M Jan 19 02:15 shop.sql.gz", None),
        ("Expected output:\nNAME          STATUS\nweb-7d4f9c8b5 Running", None),
        ("Should return row count", None),
        ("Output should show fresh backup", None),
        ("Expected: Status changes from Restarting to Up", None),
        ("Verify: p99 < 500ms, error rate < 0.1%", None),
        ("All services should be running", None),
        ("Should be around 50", None),
        ("Should be close to 0", None),
        ("Should decrease", None),
        ("Should be similar to yesterday", None),
        ("Expected: All tables present, data visible", None),
    ],
)
def test_a_sentence_becomes_what_it_says(text: str, expected: dict[str, Any] | None) -> None:
    assert assertion(text) == expected


PODS = "NAME    READY   STATUS\nweb-1   1/1     Running\nweb-2   0/1     Pending\n"
DISKS = "Filesystem  Size  Used Avail Use% Mounted on\n/dev/sda1   250G  110G  140G  45% /\n"
PSQL = " count \n-------\n     0\n(1 row)\n"


@pytest.mark.parametrize(
    ("text", "output", "ok"),
    [
        ("Expected: PONG", "PONG\n", True),
        ("Expected: PONG", "PING\n", False),
        ("Expected: PONG", "Warning: no password\nPONG\n", True),
        ("Should be 0", PSQL, True),
        ("Should be 0", "3\n", False),
        ("Should be 0", "(integer) 0\n", True),
        ("Should be 0", "1 of 3\n", None),
        ("Should be 0", "none\n", None),
        ("Should return 200", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n", True),
        ("Should return 200", "503", False),
        ("Expected: 200 OK", "HTTP/2 301\nLocation: /x\n\nHTTP/2 200\n", True),
        ("Expected: 200 OK", "HTTP/1.1 503 Service Unavailable\n", False),
        ("Expected: 200 OK", "<html>fine</html>", None),
        ("Should be < 80", "41.5\n", True),
        ("Should be < 80", "81%\n", None),
        ("Should be less than 5%", "4.2%\n", True),
        ("Should be less than 5%", "4%\n12%\n", None),
        ("Should be less than 50%", DISKS, True),
        ("Should show > 100GB free", DISKS, True),
        ("Should show > 100GB free", DISKS.replace("140G", " 40G"), False),
        ("Should show > 100GB free", DISKS.replace("140G", " 96G"), None),
        ("Should show > 100GB free", "120000000\n", None),
        ("Should be below 200ms", "total: 0.123s\n", True),
        ("Should be below 200ms", "0.123\n", None),
        ("Should be between 1 and 3", "2", True),
        ("Should be between 1 and 3", "4", False),
        ("Should return 0 rows", " pid \n-----\n(0 rows)\n", True),
        ("Should return at least 1 row", " pid \n-----\n  12\n(1 row)\n", True),
        ("Should return 0 rows", "", True),
        ("Should return 0 rows", "a\nb\n", False),
        ("Expected: green or yellow", '{"status":"yellow"}', True),
        ("Expected: green or yellow", '{"status":"red"}', False),
        ('Expected: "status":"green" or "yellow"', '{"cluster":"green","status":"red"}', False),
        ('Expected: "status":"green" or "yellow"', '{"status" : "yellow"}', True),
        ('Expected: {"status": "ok"}', "connection refused", None),
        ("Expected: no output", "", True),
        ("Expected: no output", "web-1 CrashLoopBackOff\n", False),
        ("Should show: Up (healthy)", "web  Up (healthy)  80/tcp", True),
        ("Should show: Up (healthy)", "web  Up 3 hours (healthy)  80/tcp", True),
        ("Should show: Up (healthy)", "web  Up 3 hours (unhealthy)  80/tcp", False),
        ("Expected: healthy", "unhealthy\n", False),
        ("Expected: ready", "the node is not ready\n", None),
        ("Should be Running", PODS, None),
        ("Should be Running", PODS.replace("Pending", "Running"), True),
        ("Should not contain ERROR", "all is well\n", True),
        ("Should not contain ERROR", "ERROR: disk\n", False),
        (TABLE, "NAME STATUS\nshop-db-1  Up 2 days (healthy)\nshop-web-1  Up 2 days\n", True),
        (TABLE, "NAME STATUS\nshop-db-1  Exited (1)\nshop-web-1  Up 2 days\n", False),
        (TABLE, "NAME STATUS\nshop-db-1  Up 2 days (healthy)\n", False),
        ("Should return row count", "12", None),
        ("Expected: Certificate will not expire", "Certificate will not expire\n", True),
        ("Expected: the menu opens by itself", "ok\n", None),
    ],
)
def test_an_output_is_judged_and_never_guessed_at(text: str, output: str, ok: bool | None) -> None:
    assert judge(assertion(text), output).ok is ok


@pytest.mark.parametrize(("status", "ok"), [(0, True), (1, False), (None, None)])
def test_an_exit_status_is_judged_where_it_is_known(status: int | None, ok: bool | None) -> None:
    assert judge(assertion("Should exit 0"), "", status).ok is ok


def test_the_reason_says_what_was_compared() -> None:
    assert judge(assertion("Should show > 100GB free"), DISKS).reason == "140G is > 100GB"
    assert judge(assertion("Should be Running"), PODS).reason == "Running is in 1 of 2 rows"


def test_the_fence_below_expected_output_is_what_a_command_prints(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Alarm

        1. Ask the cache

           ```bash
           redis-cli ping
           ```

           Expected output:

           ```
           PONG
           ```
        """
    )
    (command,) = found["phases"][0]["steps"][0]["commands"]
    (expected,) = command["expected"]
    assert (expected["text"], expected["line"], expected["assertion"]) == (
        "PONG",
        12,
        {"op": "equals", "value": "PONG"},
    )


def test_a_fence_that_shows_an_error_is_not_expected(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Alarm

        1. Ask the cache

           ```bash
           redis-cli ping
           ```

           If it is broken, the output shows an error:

           ```
           Could not connect to Redis
           ```
        """
    )
    assert found["phases"][0]["steps"][0]["commands"][0]["expected"] == []


def test_an_expectation_in_the_prose_below_belongs_to_the_command_above(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Alarm

        1. Ask the cache

           ```bash
           redis-cli ping
           redis-cli dbsize
           ```

           - **Expected**: at least 1

        2. Run `redis-cli ping`; it should return `PONG`.
        """
    )
    first, second = found["phases"][0]["steps"]
    assert [[e["text"] for e in c["expected"]] for c in first["commands"]] == [[], ["Expected: at least 1"]]
    assert [e["assertion"] for c in second["commands"] for e in c["expected"]] == [{"op": "equals", "value": "PONG"}]
