"""A document says which commands may be repeated, and which command tells whether another one was done."""

from typing import Any

from runbooks.compiler import compile_text

TEXT = """# A

1. Start it

   {mark}
   ```bash
   systemctl start shop
   ```

   ```bash
   systemctl restart other
   ```

2. Look

   ```bash
   systemctl is-active  shop
   ```
"""


def commands(mark: str) -> tuple[list[Any], set[str]]:
    document = compile_text(TEXT.format(mark=mark), path="a.md")
    [runbook] = document["runbooks"]
    found = [c for phase in runbook["phases"] for step in phase["steps"] for c in step["commands"]]
    return found, {finding["rule"] for finding in document["findings"]}


def test_a_reason_makes_the_next_block_repeatable_and_no_other() -> None:
    [start, restart, look], _ = commands("<!-- erpops: repeatable because starting what runs changes nothing -->")
    assert start["repeatable"] == "starting what runs changes nothing"
    assert "repeatable" not in restart
    assert "repeatable" not in look


def test_without_a_reason_nothing_is_repeatable() -> None:
    [start, *_], rules = commands("<!-- erpops: repeatable -->")
    assert "repeatable" not in start
    assert "repeat.no-reason" in rules


def test_the_command_that_decides_is_found_by_its_text() -> None:
    [start, restart, look], rules = commands("<!-- erpops: decided by `systemctl is-active shop` -->")
    assert start["decided_by"] == look["line"]
    assert "decided_by" not in restart
    assert "decide.unknown" not in rules


def test_only_a_command_that_reads_can_decide() -> None:
    [start, *_], rules = commands("<!-- erpops: decided by systemctl restart other -->")
    assert "decided_by" not in start
    assert "decide.unknown" in rules


def test_a_document_without_marks_says_nothing_of_it() -> None:
    found, rules = commands("")
    assert all("repeatable" not in command and "decided_by" not in command for command in found)
    assert not rules & {"repeat.no-reason", "decide.unknown"}
