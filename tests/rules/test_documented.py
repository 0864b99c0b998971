"""What a person can set or call is written down, and what is written down is there."""

import re
from pathlib import Path

from django.core.management import get_commands

from tests.rules.tree import ROOT

CONFIGURATION = ROOT / "docs" / "configuration.md"
COMMANDS = ROOT / "docs" / "commands.md"
OURS = {"erpops", "incidents", "checks", "runbooks"}


def undocumented(names: set[str], text: str) -> list[str]:
    """The names that `text` does not give in backticks."""
    return sorted(name for name in names if not re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", text))


def settings_read() -> set[str]:
    """Every variable that the settings ask the environment for."""
    found: set[str] = set()
    for path in (ROOT / "erpops").rglob("*.py"):
        found |= set(re.findall(r"\benv\.\w+\(\s*\"([A-Z_]+)\"", path.read_text(encoding="utf-8")))
    return found


def test_every_setting_is_documented() -> None:
    assert undocumented(settings_read(), CONFIGURATION.read_text(encoding="utf-8")) == []


def test_every_documented_setting_exists() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)`", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE))
    assert named and named <= settings_read()


def test_every_command_is_documented() -> None:
    ours = {name for name, app in get_commands().items() if app in OURS}
    assert ours and undocumented(ours, COMMANDS.read_text(encoding="utf-8")) == []


def test_every_make_target_is_documented() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert (
        targets and undocumented({f"make {target}" for target in targets}, COMMANDS.read_text(encoding="utf-8")) == []
    )


def test_a_missing_word_is_seen() -> None:
    assert undocumented({"ERPOPS_NEW", "ERPOPS_OLD"}, "| `ERPOPS_OLD` | … |") == ["ERPOPS_NEW"]


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / Path(target)).exists():
                broken.append(f"{page.relative_to(ROOT)} → {target}")
    assert broken == []


def test_migrations_have_names() -> None:
    unnamed = [
        str(path.relative_to(ROOT))
        for path in ROOT.glob("*/migrations/0*.py")
        if re.match(r"\d+_(auto|alter|add|remove)_?\d*_", path.name) or "auto" in path.name
    ]
    assert unnamed == []
