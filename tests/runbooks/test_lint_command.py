"""`manage.py lint_runbooks` for people and for CI, without a database."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

ROOT = Path(__file__).resolve().parents[2]
BAD = """# A

1. Look

   ```sql
   SELECT query, mean_time FROM pg_stat_statements;
   ```

2. Follow

   ```bash
   tail -f a%b.log
   ```
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad, really.md").write_text(BAD)
    return tmp_path


def run(*args: object) -> tuple[str, int]:
    """What it printed, and its exit status."""
    out = StringIO()
    try:
        call_command("lint_runbooks", *map(str, args), stdout=out)
    except SystemExit as ended:
        return out.getvalue(), int(ended.code or 0)
    return out.getvalue(), 0


def test_text_names_file_line_level_and_rule_and_errors_fail(folder: Path) -> None:
    out, status = run(folder)
    assert f"{folder}/bad, really.md:6: error: " in out
    assert "[sql.renamed-column]" in out
    assert "1 error, " in out
    assert status == 1


def test_the_levels_that_are_printed_and_that_fail_are_chosen(folder: Path) -> None:
    out, status = run(folder, "--level", "warning", "--ignore", "sql.renamed-column")
    assert (out.strip(), status) == ("0 errors, 0 warnings, 0 infos.", 0)
    assert run(folder, "--ignore", "sql.renamed-column", "--fail-on", "info")[1] == 1
    assert "command.endless" not in run(folder, "--rule", "sql.renamed-column")[0]


def test_json_is_a_list_of_findings(folder: Path) -> None:
    found = json.loads(run(folder, "--format", "json", "--level", "error")[0])
    assert [(f["line"], f["rule"]) for f in found] == [(6, "sql.renamed-column")]


def test_sarif_has_rules_and_regions(folder: Path) -> None:
    log = json.loads(run(folder, "--format", "sarif", "--level", "error")[0])
    assert log["version"] == "2.1.0"
    (result,) = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "sql.renamed-column"
    assert rules[0]["help"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place["region"]["startLine"] == 6
    assert not place["artifactLocation"]["uri"].startswith("/")


def test_annotations_are_escaped_for_the_runner_that_reads_them(folder: Path) -> None:
    lines = run(folder, "--format", "github")[0].splitlines()
    error = next(line for line in lines if line.startswith("::error "))
    assert "bad%2C really.md,line=6,title=" in error
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)


@pytest.mark.parametrize("args", [("--rule", "no.such"), ("--ignore", "no.such")])
def test_a_rule_that_does_not_exist_is_a_usage_error(args: tuple[str, ...], folder: Path) -> None:
    with pytest.raises(CommandError, match=r"no rule no\.such") as error:
        run(folder, *args)
    assert error.value.returncode == 2


def test_an_empty_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No Markdown files there") as error:
        run(tmp_path)
    assert error.value.returncode == 2


def test_what_a_document_allows_is_summed_up_and_suppressed_in_sarif(folder: Path) -> None:
    mark = "<!-- erpops: allow sql.renamed-column because it is version 12 -->\n"
    (folder / "bad, really.md").write_text(mark + BAD)
    out, status = run(folder, "--level", "warning")
    assert (out.strip(), status) == ("0 errors, 0 warnings, 0 infos, 1 allowed.", 0)
    (result,) = json.loads(run(folder, "--format", "sarif", "--level", "warning")[0])["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": "it is version 12"}]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("bad%2C%20really.md")


def test_reviews_that_are_over_are_told_by_the_day_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\n1. Look\n\n**Next review**: 2020-01-31\n")
    assert "a.md:5: info: The next review was due on 2020-01-31." in run(tmp_path)[0]


def test_it_needs_no_database(folder: Path) -> None:
    broken = {
        **os.environ,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "erpops.settings",
    }
    command = [sys.executable, "manage.py", "lint_runbooks", str(folder), "--level", "error"]
    ended = subprocess.run(command, cwd=ROOT, env=broken, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "[sql.renamed-column]" in ended.stdout


@pytest.mark.parametrize("args", [("--format", "xml"), ()])
def test_wrong_use_ends_with_two(args: tuple[str, ...]) -> None:
    command = [sys.executable, "manage.py", "lint_runbooks", *(["."] if args else []), *args]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
