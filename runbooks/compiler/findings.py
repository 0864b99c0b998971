"""Defects and hazards of commands: what cannot run, what is gone, what does not do what it says."""

import re
from collections.abc import Callable, Iterator

from runbooks.compiler import flags, queries
from runbooks.compiler.blocks import Block
from runbooks.compiler.commands import Compiled
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Command, Document, Finding
from runbooks.compiler.lint import defects

_ERRORS = frozenset(["shell.syntax", "sql.syntax", "promql.syntax", "logql.syntax"])
_RENAMED_COLUMNS = re.compile(r"\b(mean|total|min|max|stddev)_time\b")
_DB_PORTS = {"5432": "PostgreSQL", "3306": "MySQL", "6379": "Redis", "27017": "MongoDB"}
_GLOB_URL = re.compile(r"curl\b.*?([\"'])?https?://[^\"'\s]*[?&]query=[^\"'\s]*(?:\[\d|\{)")

Rule = Callable[[Command], Iterator[tuple[int, str, str, str, str | None]]]


def make(line: int, rule: str, level: str, message: str, suggestion: str | None = None) -> Finding:
    return {"line": line, "rule": rule, "level": level, "message": message, "suggestion": suggestion}  # type: ignore[typeddict-item]


def of_commands(document: Document, context: Context) -> list[Finding]:
    """Findings about single commands and fences."""
    out = [
        make(line, rule, "error" if rule in _ERRORS else "warning", message) for line, rule, message in context.problems
    ]
    for command in all_commands(document):
        for rule in RULES:
            out += [make(*found) for found in rule(command)]
        out += [make(*found) for found in defects.of_command(command)]
        out += _flagged(command)
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            for step in phase["steps"]:
                title = f"{runbook['title']} {step['title']}"
                out += [make(*found) for found in defects.vacuum_for_space(title, step["commands"])]
    for compiled in context.compiled.values():
        out += of_fence(compiled)
        out += [make(*found) for found in defects.of_fence(compiled)]
    return out


def all_commands(document: Document) -> Iterator[Command]:
    """Every command of the document, wherever it stands."""
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            for step in phase["steps"]:
                yield from step["commands"]
    for reference in document["references"]:
        yield from reference["commands"]
    for checklist in document["checklists"]:
        stack = list(checklist["items"])
        while stack:
            item = stack.pop(0)
            yield from item["commands"]
            stack += item["items"]


def _line_of(command: Command, pattern: re.Pattern[str]) -> int:
    for offset, row in enumerate(command["text"].split("\n")):
        if pattern.search(row):
            return command["line"] + offset
    return command["line"]


def _renamed_columns(command: Command) -> Iterator[tuple[int, str, str, str, str | None]]:
    match = _RENAMED_COLUMNS.search(command["text"])
    if match and "pg_stat_statements" in command["text"]:
        old = match.group()
        new = old.replace("_time", "_exec_time")
        yield (
            _line_of(command, _RENAMED_COLUMNS), "sql.renamed-column", "error",
            f"pg_stat_statements has no column {old} since PostgreSQL 13.", f"Write {new}.",
        )  # fmt: skip


def _http_to_database(command: Command) -> Iterator[tuple[int, str, str, str, str | None]]:
    match = re.search(r"\b(?:curl|wget)\b.*?https?://[\w.-]+:(\d+)", command["text"], re.DOTALL)
    if match and match.group(1) in _DB_PORTS:
        name = _DB_PORTS[match.group(1)]
        yield (
            command["line"], "http.database-port", "error",
            f"This speaks HTTP to a {name} port: it fails even when {name} is healthy.",
            "Use a client of the database, for example pg_isready or redis-cli ping.",
        )  # fmt: skip


def _client_without_user(command: Command) -> Iterator[tuple[int, str, str, str, str | None]]:
    match = re.search(
        r"\b(?:docker|docker-compose|podman|kubectl)\b.*\bexec\b.*?\s(pg_dump|pg_dumpall|psql|pg_restore)\b(.*)",
        command["text"],
        re.DOTALL,
    )
    if match and not re.search(r"\s-U|--username|PGUSER|postgres(?:ql)?://|DATABASE_URL", match.group(2)):
        yield (
            command["line"], "sql.no-user", "warning",
            f"{match.group(1)} without -U connects as the container's user, usually root, which is no database role.",
            "Name the role with -U.",
        )  # fmt: skip
    if match and re.search(r"[\s\"]\$\w+", match.group(2)) and " sh -c" not in command["text"]:
        name = re.search(r"\$(\w+)", match.group(2))
        if name and name.group(1).startswith(("POSTGRES_", "PG", "MYSQL_")):
            yield (
                command["line"], "shell.host-variable", "warning",
                f"${name.group(1)} is expanded on this host, not inside the container.",
                "Set it as a parameter, or wrap the command in sh -c '…'.",
            )  # fmt: skip
    if match and match.group(1).startswith("pg_dump") and "--schema-only" in command["text"]:
        label = (command["label"] or "").lower()
        if re.search(r"integrity|consisten|corrupt|damage", label):
            yield (
                command["line"], "text.not-what-it-says", "warning",
                "A schema dump reads no table data, so it cannot show that data is damaged.",
                "Use pg_amcheck or a full pg_dump.",
            )  # fmt: skip


def _curl_globbing(command: Command) -> Iterator[tuple[int, str, str, str, str | None]]:
    text = command["text"]
    if _GLOB_URL.search(text) and not re.search(r"\s(?:-g|--globoff|--data-urlencode)\b", text):
        yield (
            command["line"], "curl.globbing", "error",
            "curl reads […] and {…} in an address as a range and refuses it.",
            "Add -g, or send the query with -G --data-urlencode 'query=…'.",
        )  # fmt: skip


def _retired(command: Command) -> Iterator[tuple[int, str, str, str, str | None]]:
    text = command["text"]
    for pattern, rule, message, suggestion in _RETIRED:
        if pattern.search(text):
            yield command["line"], rule, "error", message, suggestion


_REMOVED_APIS = r"\bapiVersion:\s*(?:extensions/v1beta1|apps/v1beta[12]|policy/v1beta1|batch/v1beta1)"
# (pattern, rule, message, suggestion)
_DEFECTS: tuple[tuple[str, str, str, str | None], ...] = (
    (
        r":9093/api/v1/|alertmanager[\w.:]*/api/v1/",
        "api.removed",
        "Alertmanager removed API v1 in 0.27.",
        "Use /api/v2/.",
    ),
    (
        r"\bkubectl\s+rolling-update\b",
        "command.removed",
        "kubectl rolling-update no longer exists.",
        "Use kubectl rollout.",
    ),
    (r"\bkubectl\b.*\s--generator\b", "command.removed", "kubectl no longer knows --generator.", None),
    (_REMOVED_APIS, "api.removed", "Kubernetes removed this API version.", "Use the stable version of the API."),
    (r"\bhelm\s+init\b", "command.removed", "helm init was removed in Helm 3.", None),
    (
        r"\bpg_archivecleanup\s+(?![^\n]*<)(?:-\w+\s+)*\S+\s*$",
        "command.incomplete",
        "pg_archivecleanup needs the oldest WAL file to keep.",
        "Name the file after the directory.",
    ),
    (
        r"\bcurl\b.*-X\s*DELETE\b.*:9200/[\w*-]+[\"']?\s.*?(?:-d|--data)",
        "text.not-what-it-says",
        "DELETE removes the whole index; Elasticsearch ignores the query in the body.",
        "Use POST …/_delete_by_query, or delete indices by name.",
    ),
    (
        r"\bpg_terminate_backend\s*\(\s*pid\s+FROM\b",
        "sql.syntax",
        "A bracket closes in the wrong place: pg_terminate_backend(pid) comes before FROM.",
        "Write SELECT pg_terminate_backend(pid) FROM …",
    ),
    (
        r"\"[^\"]*\$2[aby]\$\d",
        "shell.expansion",
        "The shell expands $2… and $1… inside double quotes: the hash arrives damaged.",
        "Escape the dollar signs, or use single quotes.",
    ),
)
_RETIRED = tuple((re.compile(pattern, re.DOTALL), rule, text, advice) for pattern, rule, text, advice in _DEFECTS)


def _blocking_keys(command: Command) -> Iterator[tuple[int, str, str, str, str | None]]:
    if re.search(r"\b(?:redis|valkey)-cli\b.*\bKEYS\b", command["text"]):
        yield (
            command["line"], "redis.keys", "warning", "KEYS stops the server while it walks every key.",
            "Use --scan --pattern.",
        )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _renamed_columns,
    _http_to_database,
    _client_without_user,
    _curl_globbing,
    _retired,
    _blocking_keys,
)


def _flagged(command: Command) -> list[Finding]:
    """One informative finding per hazard flag and per example value left in."""
    out = []
    for flag in ("endless", "interactive", "secret"):
        if flag in command["flags"]:
            level = "warning" if command["risk"] == "blocked" else "info"
            out.append(make(command["line"], f"command.{flag}", level, flags.EFFECTS[flag]))
    literals = [p["name"] for p in command["parameters"] if p["notation"] == "literal"]
    if literals:
        message = f"An example value is left in the command: {', '.join(literals)}."
        out.append(make(command["line"], "command.example-value", "info", message, "Confirm it as a parameter."))
    return out


def of_fence(compiled: Compiled) -> list[Finding]:
    """Findings about a fence as a whole."""
    if compiled.kind == "yaml":
        return _alert_rule(compiled.source)
    out: list[Finding] = []
    for entry in compiled.entries:
        text, kind = getattr(entry, "text", None), getattr(entry, "kind", "")
        if kind == "query" and isinstance(text, str):
            query = text.partition(": ")[2] if ": " in text and not queries.kind_of(text) else text
            found = queries.kind_of(query)
            problem = queries.problem(found, query) if found else None
            if problem:
                out.append(make(entry.line, problem[0], "error", problem[1]))  # type: ignore[union-attr]
    return out


def _alert_rule(source: Block) -> list[Finding]:
    """A YAML fence with an alerting rule that Prometheus would not load."""
    match = re.search(r"^(\s*(?:-\s+)?)alert:\s*\S", source.text, re.MULTILINE)
    if match is None or re.search(r"^\s*groups:\s*$", source.text, re.MULTILINE):
        return []
    line = source.first_content_line + source.text.count("\n", 0, match.start())
    stray = re.search(r"^severity:", source.text, re.MULTILINE)
    extra = ", and severity belongs under labels" if stray else ""
    return [
        make(
            line, "yaml.alert-rule", "error",
            f"This is no Prometheus rule file: the rule needs groups and rules around it{extra}.",
            "Put it under groups: - name: … rules:.",
        )
    ]  # fmt: skip
