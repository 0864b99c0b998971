"""Single commands and fences: which rules look at which."""

from collections.abc import Callable, Iterator

from runbooks.compiler import flags
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Command, Document
from runbooks.compiler.findings import all_commands
from runbooks.compiler.lint import containers, http, manifests, order, promises, queries, secrets, shell, sql, versions
from runbooks.compiler.lint.found import Found

_SYNTAX = frozenset(["shell.syntax", "sql.syntax", "promql.syntax", "logql.syntax"])
Check = Callable[[Command], Iterator[Found]]
# A check is asked only where one of its words stands in the command.
_CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    *shell.CHECKS,
    *sql.CHECKS,
    *http.CHECKS,
    *containers.CHECKS,
    *secrets.CHECKS,
)


def of_commands(document: Document, context: Context) -> Iterator[Found]:
    """Everything about the commands of a document, wherever they stand, and about its fences."""
    for line, rule, message in context.problems:
        yield line, rule, "error" if rule in _SYNTAX else "warning", message, _ADVICE.get(rule)
    for command in all_commands(document):
        yield from _of_command(command)
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            for step in phase["steps"]:
                title = f"{runbook['title']} {step['title']}"
                for command in step["commands"]:
                    yield from promises.of_command(command["label"] or step["title"], command)
                    yield from sql.vacuum_for_space(title, command)
    for compiled in context.compiled.values():
        yield from order.of_fence(compiled)
        yield from queries.of_fence(compiled)
        if compiled.kind in ("yaml", "json", "env", "text", "output"):
            yield from manifests.of_fence(compiled.source, compiled.kind)
            yield from versions.of_text(compiled.source.first_content_line, compiled.source.text)


_ADVICE = {
    "shell.syntax": "Close what is open, and end a line that goes on with a backslash.",
    "sql.syntax": "Correct the statement, and try it once.",
    "promql.syntax": "Try the query in the expression browser.",
    "logql.syntax": "Try the query in Grafana.",
    "markdown.fence": "Close it on a line of its own.",
}


def _of_command(command: Command) -> Iterator[Found]:
    text = command["text"]
    for words, check in _CHECKS:
        if any(word in text for word in words):
            yield from check(command)
    yield from versions.of_command(command)
    yield from queries.of_command(command)
    yield from _flagged(command)


def _flagged(command: Command) -> Iterator[Found]:
    """Hazards that the executor meets by itself, and example values left in."""
    for flag in ("endless", "interactive", "secret"):
        if flag in command["flags"]:
            level = "warning" if command["risk"] == "blocked" and flag != "secret" else "info"
            yield command["line"], f"command.{flag}", level, flags.EFFECTS[flag], _HAZARDS[flag]
    literals = list(dict.fromkeys(p["name"] for p in command["parameters"] if p["notation"] == "literal"))
    if literals:
        message = f"An example value is left in the command: {', '.join(literals)}."
        yield command["line"], "command.example-value", "info", message, "Confirm it as a parameter."


_HAZARDS = {
    "endless": "Give it an end, such as --tail, -n, --no-stream or timeout.",
    "interactive": "Give the answers as options.",
    "secret": "Print only what is needed.",
}
