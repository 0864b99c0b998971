"""Defects are findings with a line and a rule; what looks like one and is none is left alone."""

from datetime import date
from pathlib import Path

import pytest

from runbooks.compiler import compile_text
from runbooks.compiler.contract import Document
from runbooks.compiler.lint import overdue
from tests.runbooks.compiler.fragments import Compile


def rules_of(document: Document, levels: tuple[str, ...] = ("error", "warning")) -> set[tuple[int, str]]:
    return {(f["line"], f["rule"]) for f in document["findings"] if f["level"] in levels}


@pytest.mark.parametrize(
    ("body", "tag", "line", "rule"),
    [
        ('psql -U a -c "\nSELECT 1;\nVACUUM;"', "bash", 6, "sql.in-transaction"),
        ("BEGIN;\nVACUUM orders;\nCOMMIT;", "sql", 5, "sql.in-transaction"),
        ("psql -U a -c \"UPDATE u SET h = '$2a$12$abc' WHERE id = 1;\"", "bash", 4, "shell.expansion"),
        ("psql -U a -c \"SELECT h LIKE '$2a$%' FROM u;\"", "bash", 4, "shell.expansion"),
        ("ssh <host> \"ps aux | awk '{print $2}'\"", "bash", 4, "shell.expansion"),
        ("kubectl exec <pod> -- psql -U $DB_USER -c 'SELECT 1'", "bash", 4, "shell.host-variable"),
        ("zcat a.sql.gz | docker exec db psql -U app", "bash", 4, "exec.no-input"),
        ("docker compose stop web\ndocker compose rm -f web", "bash", 0, ""),
        (
            "curl -s localhost:9090/api/v1/query --data-urlencode 'query=rate(a{b=\"c\"}[5m])/rate(a[5m])'",
            "bash",
            4,
            "promql.of-itself",
        ),
        (
            "groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up == 0\n    severity: page",
            "yaml",
            9,
            "yaml.alert-rule",
        ),
        ("groups:\n- name: a\n  rules:\n  - alert: X\n    expr: rate(a[5m]) by (b)", "yaml", 8, "promql.syntax"),
        ("# Query Prometheus:\n# cache_hits_total by (kind)", "bash", 5, "promql.syntax"),
        ("curl -X POST a.test/x -H 'Content-Type: application/json' -d '{\n \"a\": 1,\n}'", "bash", 4, "http.json"),
        ("rm -rf /var/lib/postgresql/data/pg_wal/*", "bash", 4, "sql.wal-removed"),
    ],
)
def test_a_defect_is_reported_where_it_stands(compiled: Compile, body: str, tag: str, line: int, rule: str) -> None:
    rules = rules_of(compiled(f"# A\n\n```{tag}\n{body}\n```\n"))
    assert ((line, rule) in rules) if rule else (rules == set())


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        ("curl -g 'http://p:9090/api/v1/query?query=rate(x[5m])'", "bash"),
        ("docker exec db pg_dump -U app shop", "bash"),
        ("docker exec -u postgres db psql -c 'SELECT 1'", "bash"),
        ("sum(rate(x_total[5m])) by (job)", "promql"),
        ('sum(rate(a{b="c"}[5m])) / sum(rate(a[5m]))', "promql"),
        ('rate(a{b="c"}[5m]) / rate(d[5m])', "promql"),
        ("groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up == 0", "yaml"),
        ("name: {{ .Values.name }}\nlist: [", "yaml"),
        ("kubectl exec db -- psql -U app -c 'SELECT 1'", "bash"),
        ("docker exec db psql -U app -c \"SELECT now() < '2030-01-01'\"", "bash"),
        ("docker exec -i db psql -U app -v ON_ERROR_STOP=1 < a.sql", "bash"),
        ("docker exec db sh -c 'psql -U \"$POSTGRES_USER\" < /tmp/a.sql'", "bash"),
        ("awk '{print $1, $2}' app.log", "bash"),
        ("ssh <host> \"ps aux | awk '{print \\$2}'\"", "bash"),
        ("INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET b = 2;", "sql"),
        ("DELETE FROM a WHERE id = 1;", "sql"),
        ("SELECT waiting.pid FROM pg_stat_activity waiting;", "sql"),
        ("sort names.txt > sorted.txt", "bash"),
        ("kubectl logs -f -l app=shop --max-log-requests 9", "bash"),
        ("kubectl logs deploy/shop", "bash"),
        ("kubectl exec -n shop <pod> -c web -- ls", "bash"),
        ("journalctl --vacuum-size=500M", "bash"),
        ("curl 'http://a.test/?a=1&b=2' && echo ok", "bash"),
        ("curl http://a.test/ && echo ok", "bash"),
        ("export DATABASE_URL=postgres://user:password@localhost:5432/db", "bash"),
        ("mysql -u root -p -e 'SELECT 1'", "bash"),
        ("PGPASSWORD=\"$DB_PASSWORD\" psql -U app -c 'SELECT 1'", "bash"),
        ('mongodump --uri "$MONGO_URI"', "bash"),
        ("docker run --rm mongo mongosh --eval 'db.stats()'", "bash"),
        ("ip route show", "bash"),
        ("helm upgrade shop ./chart --install", "bash"),
        ('{"a": 1}\n{"a": 2}', "json"),
        ("kubectl exec db-0 -i -n shop -- psql -U app -v ON_ERROR_STOP=1 < a.sql", "bash"),
        ("kubectl exec db-0 -n shop -- psql -U app -c 'SELECT 1' > out.txt", "bash"),
        ("docker exec db bash -c 'psql -U app < /tmp/a.sql'", "bash"),
        ("docker ps -q | xargs docker inspect -f '{{.Name}}'", "bash"),
        ("curl a.test/x -H 'Content-Type: application/json' -d '{\"a\": \"'\"$X\"'\"}'", "bash"),
        ("curl a.test/x -H 'Content-Type: application/json' -d '{\"a\": <id>}'", "bash"),
        ("curl -s --key a.pem https://a.test/health", "bash"),
        ("# Check the pods after the restart\nkubectl get pods", "bash"),
        ("# Check whether pprof is enabled\ncurl http://localhost:6060/debug/pprof/", "bash"),
        ("docker stop <container>", "bash"),
        ('rate(a_total{code="500"}[5m]) / ignoring(code) rate(a_total[5m])', "promql"),
        ("kubectl scale deployment shop --replicas=0\nkubectl scale deployment shop --replicas=3", "bash"),
        ("cat hosts | grep a > found.txt", "bash"),
        ("sudo cat /etc/shadow > /tmp/out", "bash"),
        ("rm -rf ./build/*", "bash"),
        ("find /var/log -mtime +7 -name '*.gz'", "bash"),
        ('echo "it costs \\$5"', "bash"),
        ("PREPARE a AS SELECT $1;", "sql"),
        ("WITH old AS (DELETE FROM a WHERE b RETURNING *) SELECT count(*) FROM old;", "sql"),
        ("kubectl delete pod <pod>", "bash"),
        ("helm upgrade shop ./chart --namespace shop", "bash"),
        ("aws ecr get-login-password | docker login --username AWS --password-stdin r.test", "bash"),
        ("curl http://mimir/prometheus/api/v1/alerts", "bash"),
    ],
)
def test_what_is_right_is_not_reported(compiled: Compile, body: str, tag: str) -> None:
    rules = rules_of(compiled(f"# A\n\n```{tag}\n{body}\n```\n"))
    assert {rule for _, rule in rules} <= {"command.interactive"}


def test_dead_anchors_and_links_that_leave_the_document(compiled: Compile) -> None:
    document = compiled("# A\n\n## Real part\n\nSee [x](#real-part), [y](#gone) and [z](../other.md).\n")
    rules = [(f["rule"], f["level"]) for f in document["findings"]]
    assert rules == [("runbook.none", "info"), ("link.anchor", "warning"), ("link.relative", "info")]


def test_the_second_of_two_headings_has_an_anchor_of_its_own(compiled: Compile) -> None:
    document = compiled("# A\n\n## Steps\n\n1. Look\n\n## Steps\n\n1. See [more](#steps-1)\n")
    assert "link.anchor" not in {f["rule"] for f in document["findings"]}


def test_hazards_are_told_as_information(compiled: Compile) -> None:
    document = compiled("# A\n\n```bash\ntail -f app.log\ncat .env\nnslookup yourdomain.com\n```\n")
    assert [(f["line"], f["rule"]) for f in document["findings"] if f["level"] == "info"] == [
        (4, "command.endless"),
        (5, "command.secret"),
        (6, "command.example-value"),
    ]


@pytest.mark.parametrize(
    "command",
    [
        "printenv DB_PASSWORD",
        "docker exec web env",
        "kubectl get secret a -o yaml",
        "kubectl config view --raw",
        "cat ~/.aws/credentials",
        "cat /proc/1/environ",
        "redis-cli CONFIG GET requirepass",
        "gcloud secrets versions access latest --secret=a",
        "set | grep PASS",
    ],
)
def test_what_prints_secrets_is_told(compiled: Compile, command: str) -> None:
    assert (4, "command.secret") in rules_of(compiled(f"# A\n\n```bash\n{command}\n```\n"), ("info",))


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA",
        "token: ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" + "xR0c",
        "https://hooks.slack.com/services/" + "T0AB12CD3/B0EF45GH6/aB3dE6gH9jK2mN5pQ8sT1vW4",
    ],
)
def test_keys_are_found_in_any_line(text: str) -> None:
    document = compile_text(f"# A\n\n1. Look\n\n{text}\n", path="a.md")
    assert "secret.in-text" in {f["rule"] for f in document["findings"]}


def test_keys_that_say_that_they_are_examples_are_not_found() -> None:
    document = compile_text(
        "# A\n\n1. Look\n\nAKIAIOSFODNN7EXAMPLE and ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", path="a.md"
    )
    assert "secret.in-text" not in {f["rule"] for f in document["findings"]}


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("**Next Review**: 2026-05-01", True),
        ("Next review: 1 May 2027", False),
        ("Last Updated: January 19, 2026 | Next Review: Weekly", True),
        ("Last Updated: May 28, 2026 | Next Review: Weekly", False),
        ("Last updated: 2024-02-30", False),
        ("Last updated: 2023-02-01", True),
    ],
)
def test_a_review_that_is_over_is_told(line: str, due: bool) -> None:
    assert bool(list(overdue(["# A", line], date(2026, 6, 1)))) is due


@pytest.mark.parametrize("text", ["[" * 60_000, "- " * 60_000, "a: &a [*a]", "{a: " * 9_000, "\t- a"])
def test_hostile_yaml_is_read_to_an_end(text: str) -> None:
    assert compile_text(f"# A\n\n```yaml\n{text}\n```\n", path="a.md")["unaccounted_lines"] == []


# What a reader finds in the real documents: (document, line, rule).
BY_EYE = [
    line.split()
    for line in (Path(__file__).parent / "by_eye.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
DOCUMENTS = Path(__file__).resolve().parents[5] / "shared" / "documents"


@pytest.mark.parametrize(("number", "line", "rule"), BY_EYE)
def test_what_a_reader_finds_in_the_real_documents_is_found(number: str, line: str, rule: str) -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip("the folder shared/documents beside the checkout is missing: put Markdown runbooks there")
    document = real(number)
    assert (int(line), rule) in {(f["line"], f["rule"]) for f in document["findings"]}


_compiled: dict[str, Document] = {}


def real(number: str) -> Document:
    """One of the real documents, compiled once."""
    if number not in _compiled:
        (file,) = DOCUMENTS.glob(f"{number}*")
        _compiled[number] = compile_text(file.read_bytes(), path=file.name)
    return _compiled[number]
