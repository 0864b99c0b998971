"""What changed between two texts, in the words of runbooks: one edit, one change."""

import time
from typing import Any

import pytest

from runbooks.compiler import compile_text
from runbooks.differences import Change, needs_second_person, semantic, textual

TEXT = """# Disk full

**Alert**: `DiskFull`
**Severity**: Critical

## Symptoms

- Writes fail

## Diagnosis

1. **Look at the disks**
   ```bash
   df -h
   # Should be > 10
   ```

2. **Find the writer**
   ```bash
   # Newest first
   ls -lt <directory>
   ```
   Look at the first ten.

## Resolution

1. **If logs fill it**
   ```bash
   journalctl --vacuum-size=500M
   ```

2. **If data fill it** (if safe)
   ```bash
   systemctl restart writer
   ```

## Verification

- [ ] Writes work
- [ ] The alert is gone
"""


def compiled(text: str) -> dict[str, Any]:
    return dict(compile_text(text, path="disk.md")["runbooks"][0])


def changes(old: str, new: str) -> list[Change]:
    assert TEXT.count(old) == 1
    return semantic(compiled(TEXT), compiled(TEXT.replace(old, new)))


def test_the_same_text_has_no_changes_wherever_its_lines_stand() -> None:
    assert semantic(compiled(TEXT), compiled(TEXT)) == []
    assert semantic(compiled(TEXT), compiled(TEXT.replace("## Diagnosis\n", "\n\n## Diagnosis\n"))) == []


@pytest.mark.parametrize(
    ("old", "new", "kind", "what", "words"),
    [
        ("# Disk full", "# Disk is full", "changed", "runbook", "title"),
        ("`DiskFull`", "`DiskAlmostFull`", "changed", "runbook", "DiskAlmostFull"),
        ("`DiskFull`", "`DiskFull`, `InodesGone`", "added", "runbook", "InodesGone"),
        ("Critical", "Warning", "changed", "runbook", "severity"),
        ("- Writes fail", "- Writes fail\n- Reads fail", "added", "runbook", "Reads fail"),
        ("Look at the disks", "Look at all disks", "changed", "step", "title"),
        ("df -h\n", "df -hT\n", "changed", "command", "command changed"),
        ("<directory>", "<folder>", "changed", "command", "asks for folder"),
        ("# Should be > 10", "# Should be > 20", "changed", "command", "expected"),
        ("# Newest first", "# The newest first", "changed", "command", "label"),
        ("Look at the first ten.", "Look at the first five.", "changed", "text", "text"),
        ("**Find the writer**", "**Find the writer** (if needed)", "changed", "step", "optional"),
        ("If logs fill it", "If old logs fill it", "changed", "step", "title"),
        ("- [ ] Writes work", "- [ ] Writes work again", "changed", "item", "item"),
        ("\n- [ ] The alert is gone", "", "removed", "item", "item"),
        ("## Resolution", "## Resolution (15 minutes)", "changed", "phase", "time"),
    ],
)
def test_one_edit_is_one_change(old: str, new: str, kind: str, what: str, words: str) -> None:
    (change,) = changes(old, new)
    assert (change.kind, change.what) == (kind, what)
    assert words in change.sentence


def test_a_step_that_moved_is_said_to_have_moved_and_nothing_else() -> None:
    first = TEXT[TEXT.index("1. **If logs") : TEXT.index("2. **If data")]
    second = TEXT[TEXT.index("2. **If data") : TEXT.index("## Verification")]
    swapped = TEXT.replace(first + second, second.replace("2.", "1.", 1) + first.replace("1.", "2.", 1))
    (change,) = semantic(compiled(TEXT), compiled(swapped))
    assert (change.kind, change.what) == ("moved", "step")


def test_a_step_that_came_or_went_is_named() -> None:
    step = TEXT[TEXT.index("2. **Find") : TEXT.index("## Resolution")]
    (gone,) = semantic(compiled(TEXT), compiled(TEXT.replace(step, "")))
    assert (gone.kind, gone.what, gone.before) == ("removed", "step", "Find the writer")
    (fresh,) = semantic(compiled(TEXT.replace(step, "")), compiled(TEXT))
    assert (fresh.kind, fresh.what, fresh.after) == ("added", "step", "Find the writer")


@pytest.mark.parametrize(
    ("old", "new", "second"),
    [
        ("df -h\n", "df -hT\n", False),
        ("df -h\n", "systemctl restart writer\n", False),
        ("systemctl restart writer", "systemctl status writer", True),
        ("systemctl restart writer", "rm -rf /var/data", True),
        ("df -h\n", "df -h\n   rm -r /tmp/old\n", True),
    ],
)
def test_less_risk_said_and_more_destroyed_both_need_a_second_person(old: str, new: str, second: bool) -> None:
    assert needs_second_person(changes(old, new)) is second


def test_the_lines_of_two_texts() -> None:
    (hunk,) = textual("a\nb\nc\n", "a\nB\nc\n")
    assert [(row.sign, row.old, row.new, row.text) for row in hunk] == [
        (" ", 1, 1, "a"),
        ("-", 2, 0, "b"),
        ("+", 0, 2, "B"),
        (" ", 3, 3, "c"),
    ]
    assert textual("same\n", "same\n") == []


def test_two_long_versions_are_compared_in_less_time_than_they_take_to_compile_twice() -> None:
    step = (
        "{0}. **Look at disk {0}**\n   ```bash\n   df -h /disk/{0}\n   ls /disk/{0}\n   ```\n   See what is there.\n\n"
    )
    text = "# All of it\n\n## Diagnosis\n\n" + "".join(step.format(number) for number in range(1, 81))
    other = text.replace("df -h /disk/4", "df -hT /disk/4").replace("**Look at disk 7", "**Look into disk 7")
    assert len(text.splitlines()) > 500
    began = time.perf_counter()
    old, new = compiled(text), compiled(other)
    middle = time.perf_counter()
    assert len(semantic(old, new)) == 22
    textual(text, other)
    assert time.perf_counter() - middle < 5 * (middle - began)
