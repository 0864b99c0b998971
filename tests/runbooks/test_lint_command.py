"""`manage.py lint_runbooks` for people and for CI, without a database."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

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
