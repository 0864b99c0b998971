"""What is expected becomes an assertion where a machine can judge it, and stays a sentence where it cannot."""

from typing import Any

import pytest

from runbooks.compiler.expected import assertion, judge


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Expected: PONG", {"op": "equals", "value": "PONG"}),
        ("Should be 0", {"op": "compare", "comparator": "==", "value": 0.0, "unit": None}),
        ("Should return 200", {"op": "compare", "comparator": "==", "value": 200.0, "unit": None}),
        ("Expected: 200", {"op": "compare", "comparator": "==", "value": 200.0, "unit": None}),
        ("Should be 0 (no backups older than 24h)", {"op": "compare", "comparator": "==", "value": 0.0, "unit": None}),
        ("Expected: green or yellow", {"op": "any_of", "values": ["green", "yellow"]}),
        ('Expected: "status":"green" or "yellow"', {"op": "any_of", "values": ["green", "yellow"]}),
        ("Should show > 100GB free", {"op": "compare", "comparator": ">", "value": 100.0, "unit": "GB"}),
        ("Should show count > 0", {"op": "compare", "comparator": ">", "value": 0.0, "unit": None}),
        ("Should be < 80", {"op": "compare", "comparator": "<", "value": 80.0, "unit": None}),
        ("Should be >= 32 bytes", {"op": "compare", "comparator": ">=", "value": 32.0, "unit": "bytes"}),
        ("Expected: no output", {"op": "empty"}),
        ("Should show: Up (healthy)", {"op": "contains", "value": "Up (healthy)"}),
        ("Expected: healthy", {"op": "contains", "value": "healthy"}),
        ("Expected: accepting connections", {"op": "contains", "value": "accepting connections"}),
        ("Expected: Certificate will not expire", {"op": "contains", "value": "Certificate will not expire"}),
        ("Should return row count", None),
        ("Output should show fresh backup", None),
        ("Expected: Status changes from Restarting to Up", None),
        ("Verify: p99 < 500ms, error rate < 0.1%", None),
        ("All services should be running", None),
    ],
)
def test_a_sentence_becomes_what_it_says(text: str, expected: dict[str, Any] | None) -> None:
    assert assertion(text) == expected


@pytest.mark.parametrize(
    ("text", "output", "ok"),
    [
        ("Expected: PONG", "PONG\n", True),
        ("Expected: PONG", "PING\n", False),
        ("Expected: PONG", "Warning: no password\nPONG\n", True),
        ("Should be 0", " count \n-------\n     0\n", True),
        ("Should be 0", "3\n", False),
        ("Should be 0", "1 of 3\n", None),
        ("Should be 0", "none\n", None),
        ("Should be < 80", "41.5\n", True),
        ("Should be < 80", "81%\n", False),
        ("Should show > 100GB free", "120G\n", None),
        ("Expected: green or yellow", '{"status":"yellow"}', True),
        ("Expected: green or yellow", '{"status":"red"}', False),
        ("Expected: no output", "", True),
        ("Expected: no output", "web-1 CrashLoopBackOff\n", False),
        ("Should show: Up (healthy)", "web  Up (healthy)  80/tcp", True),
        ("Should return row count", "12", None),
    ],
)
def test_an_output_is_judged_and_never_guessed_at(text: str, output: str, ok: bool | None) -> None:
    assert judge(assertion(text), output).ok is ok
