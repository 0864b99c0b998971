"""Documents that are read together are compared, and complete each other."""

from pathlib import Path

import pytest

from runbooks.compiler import compile_paths

RULE = """# Rules

## Alert rules

```yaml
groups:
  - name: a
    rules:
      - alert: ShopErrors
        expr: {expr}
```
"""
RUNBOOK = "# Shop\n\n**Alert**: `ShopErrors`\n\n## Symptoms\n\n- {said}\n\n## Resolution\n\n1. Look\n"


def rules_of(folder: Path, **texts: str) -> dict[str, list[str]]:
    """The rules that each document breaks, by its name."""
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    documents = compile_paths([folder])["documents"]
    return {Path(d["path"]).stem: [f["rule"] for f in d["findings"]] for d in documents}


@pytest.mark.parametrize(
    ("expr", "said", "differs"),
    [
        ("sum(rate(e_total[5m])) / sum(rate(r_total[5m])) > 0.05", "Error rate > 5%", False),
        ("sum(rate(e_total[5m])) / sum(rate(r_total[5m])) > 0.02", "Error rate > 5%", True),
        ("sum(rate(e_total[5m])) > 0.1", "Error rate > 5%", True),
        ("histogram_quantile(0.95, sum by (le) (rate(t_seconds_bucket[5m]))) > 2", "p95 > 2 seconds", False),
        ("histogram_quantile(0.95, sum by (le) (rate(t_seconds_bucket[5m]))) > 2", "p95 > 1500 ms", True),
        ("sum(up) < 2", "Nothing answers", False),
    ],
)
def test_the_limit_of_a_rule_is_compared_with_that_of_its_runbook(
    tmp_path: Path, expr: str, said: str, differs: bool
) -> None:
    rules = rules_of(tmp_path, a=RUNBOOK.format(said=said), b=RULE.format(expr=expr))
    assert ("threshold.differs" in rules["b"]) is differs


def test_an_alert_that_a_neighbour_answers_is_not_missing_a_runbook(tmp_path: Path) -> None:
    rule = RULE.format(expr="sum(up) < 2")
    assert "alert.without-runbook" in rules_of(tmp_path, b=rule)["b"]
    assert "alert.without-runbook" not in rules_of(tmp_path, a=RUNBOOK.format(said="Nothing answers"), b=rule)["b"]


def test_links_between_documents_are_followed_to_their_headings(tmp_path: Path) -> None:
    a = "# A\n\nSee [b](b.md), [part](b.md#part-two) and [gone](b.md#gone).\n\n1. Look\n"
    rules = rules_of(tmp_path, a=a, b="# B\n\n## Part two\n\n1. Look\n")
    assert rules["a"] == ["link.anchor"]


def test_a_link_to_a_file_that_is_there_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: []\n")
    assert rules_of(tmp_path, a="# A\n\nSee [rules](rules.yml).\n\n1. Look\n")["a"] == []
