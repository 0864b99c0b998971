"""The tag of a fence is a hint; its content decides what it is."""

import pytest

from runbooks.compiler.fences import classify
from tests.runbooks.compiler.fragments import Compile


@pytest.mark.parametrize(
    ("text", "tag", "before", "kind"),
    [
        ("df -h", "bash", "", "shell"),
        ("# only\n# comments", "bash", "", "comment"),
        ("A=1\nB=2", "bash", "", "env"),
        ("#!/bin/bash\ndf -h", "bash", "", "script"),
        ("f() {\n  df -h\n}\nf", "sh", "", "script"),
        ("topk(5, rate(x_total[5m]))", "bash", "", "promql"),
        ("# query\nsum(rate(x_total[5m])) by (job)", "bash", "", "promql"),
        ('{job="app"} |= "failed" | logfmt', None, "", "logql"),
        ("level:ERROR AND @timestamp:[now-1h TO now]", None, "", "lucene"),
        ("SELECT 1\nFROM t;", None, "", "sql"),
        ("kubectl get pods\nkubectl top nodes", None, "", "shell"),
        ("$ anything --goes", None, "", "shell"),
        ("root@web:~# df -h", None, "", "shell"),
        ("shop=> SELECT 1;", None, "", "sql"),
        ("URL: http://kibana:5601\nIndex: logs-*", None, "", "text"),
        ("apiVersion: v1\nkind: Pod", None, "", "yaml"),
        ("groups:\n  - name: x", "yaml", "", "yaml"),
        ('{"status": "ok"}', None, "", "json"),
        ("GET /_cat/indices", None, "", "http"),
        ("Subject: Rollback of [service]\nReason: [why]", None, "", "message"),
        ("NAME READY\nweb 1/1", None, "The output looks like this:", "output"),
        ("Step 1: Stop\n├─ docker ps", None, "", "text"),
        ("Check the disk and then the network.", None, "", "text"),
        ("find the cause of the outage", None, "", "text"),
        ("", "bash", "", "text"),
        ("graph TD; A-->B", "mermaid", "", "text"),
        ("print('x')", "python", "", "script"),
        ("note", "{note}", "", "text"),
    ],
)
def test_kinds(text: str, tag: str | None, before: str, kind: str) -> None:
    assert classify(text, tag, before) == kind


def test_fences_are_found_in_lists_quotes_and_too_deep(compiled: Compile) -> None:
    document = compiled(
        """
        # Alarm

        1. One
           ```bash
           df -h
           ```

        2. Two

               ```bash
               free -h
               ```

        > ```bash
        > uptime
        > ```
        """
    )
    assert [(f["line"], f["end_line"], f["kind"]) for f in document["fences"]] == [
        (4, 6, "shell"),
        (10, 12, "shell"),
        (14, 16, "shell"),
    ]


def test_a_fence_that_never_closes_is_a_finding(compiled: Compile) -> None:
    document = compiled("# A\n\n```bash\ndf -h\n")
    assert "markdown.fence" in {f["rule"] for f in document["findings"]}
