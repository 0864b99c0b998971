"""Defects are findings with a line and a rule, and never silent repairs."""

import pytest

from runbooks.compiler.contract import Document
from tests.runbooks.compiler.fragments import Compile


def _rules(document: Document, levels: tuple[str, ...] = ("error", "warning")) -> set[tuple[int, str]]:
    return {(f["line"], f["rule"]) for f in document["findings"] if f["level"] in levels}


@pytest.mark.parametrize(
    ("body", "tag", "rule"),
    [
        ("SELECT query, mean_time FROM pg_stat_statements;", "sql", "sql.renamed-column"),
        ("SELECT * FORM t WHERE;", "sql", "sql.syntax"),
        ("curl -f http://db:5432", "bash", "http.database-port"),
        ('curl "http://p:9090/api/v1/query?query=rate(x[5m])"', "bash", "curl.globbing"),
        ("curl -s http://localhost:9093/api/v1/alerts", "bash", "api.removed"),
        ("docker exec db pg_dump shop", "bash", "sql.no-user"),
        ("echo 'open", "bash", "shell.syntax"),
        ("rate(x_total[5m]) by (job)", "promql", "promql.syntax"),
        ('{job="a"}[5m]', "logql", "logql.syntax"),
        ("alert: X\nexpr: up == 0\nseverity: critical", "yaml", "yaml.alert-rule"),
        ("pg_archivecleanup /data/pg_wal", "bash", "command.incomplete"),
        ("curl -X DELETE \"localhost:9200/logs-*\" \\\n  -d '{}'", "bash", "text.not-what-it-says"),
        ('redis-cli KEYS "a*"', "bash", "redis.keys"),
        ("htop", "bash", "command.interactive"),
    ],
)
def test_a_defect_is_reported_where_it_stands(compiled: Compile, body: str, tag: str, rule: str) -> None:
    document = compiled(f"# A\n\n```{tag}\n{body}\n```\n")
    assert (4, rule) in _rules(document)


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        ("SELECT query, mean_exec_time FROM pg_stat_statements;", "sql"),
        ("curl -g 'http://p:9090/api/v1/query?query=rate(x[5m])'", "bash"),
        ("docker exec db pg_dump -U app shop", "bash"),
        ("sum(rate(x_total[5m])) by (job)", "promql"),
        ("groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up == 0", "yaml"),
        ("kubectl exec db -- psql -U app -c 'SELECT 1'", "bash"),
    ],
)
def test_what_is_right_is_not_reported(compiled: Compile, body: str, tag: str) -> None:
    assert _rules(compiled(f"# A\n\n```{tag}\n{body}\n```\n")) == set()


def test_dead_anchors_and_links_that_leave_the_document(compiled: Compile) -> None:
    document = compiled("# A\n\n## Real part\n\nSee [x](#real-part), [y](#gone) and [z](../other.md).\n")
    rules = [(f["rule"], f["level"]) for f in document["findings"]]
    assert rules == [("link.anchor", "warning"), ("link.relative", "info")]


def test_hazards_are_told_as_information(compiled: Compile) -> None:
    document = compiled("# A\n\n```bash\ntail -f app.log\ncat .env\nnslookup yourdomain.com\n```\n")
    assert [(f["line"], f["rule"]) for f in document["findings"] if f["level"] == "info"] == [
        (4, "command.endless"),
        (5, "command.secret"),
        (6, "command.example-value"),
    ]
