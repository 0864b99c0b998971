"""Working without a runbook: one typed line that only reads, compiled, rated and run like any other command.

The line becomes a version of its own of a runbook that stays out of the library, so everything that holds for
commands holds for it: the constant text under a digest, the gate, at most one process, the record.
"""

import re

from django.contrib.auth.models import User
from django.db import transaction

from incidents.models import Incident
from runbooks import library, runner, staging, starts, units, walk
from runbooks.choices import Risk
from runbooks.models import CommandRun
from runbooks.refusals import Refused
from runbooks.staging import Content

LONGEST = 1000
_SQL = re.compile(r"(?:select|show|explain|with|table)\b", re.IGNORECASE)
_FENCE = "~~~~~~"
# What is left to a written runbook although it only reads, by the compiler's flag.
_LEFT = {
    "interactive": "it asks questions while it runs",
    "secret": "it may print a secret",
    "outage": "users may notice it",
    "opaque": "what it does cannot be seen from here",
}


def look(*, incident: Incident, line: str, by: User) -> CommandRun:
    """Run a typed line in the incident's environment. Refused unless the compiler is sure that it only reads."""
    line = line.strip()
    content = _compiled(line)
    with transaction.atomic():
        version = library.keep_line(incident=incident, content=content, by=by)
        execution = starts.start_looking(version=version, incident=incident, line=line, by=by)
    step_run = execution.steps.select_related("execution__version__runbook", "execution__environment").get(position=0)
    return runner.request(step_run=step_run, command=0, by=by)


def _compiled(line: str) -> Content:
    if not line:
        raise Refused("Type a command that reads, for example `df -h`.")
    if "\n" in line or "\r" in line or len(line) > LONGEST or line.startswith("~~~"):
        raise Refused(f"Type one command in one line of at most {LONGEST} characters.")
    language = "sql" if _SQL.match(line) else "bash"
    text = f"# Without a runbook\n\n## Diagnosis\n\n### Look\n\n{_FENCE}{language}\n{line}\n{_FENCE}\n"
    try:
        content = staging.compiled_alone(text, path="typed.md", under=None, given={})
    except ValueError as error:
        raise Refused(str(error)) from error
    _require_reading(line, content)
    return content


def _require_reading(line: str, content: Content) -> None:
    found = list(walk.all_commands(content.compiled))
    if len(found) != 1 or found[0]["text"].strip() != line or len(walk.places(content.compiled)) != 1:
        raise Refused("erpops does not read this as one command. Type one command in one line.")
    command = units.as_run(content.compiled, found[0])
    risk = Risk(command["risk"])
    if command["because"] or risk != Risk.READ:
        rule = next((why["rule"] for why in command["why"] if why["about"] == "risk"), "")
        said = f"{risk.label.upper()}{f' ({rule})' if rule else ''}"
        raise Refused(
            f"This is rated {said}. Without a runbook only what reads is run: write a runbook for it, or do it by hand "
            "and note what came of it.",
            code="risk",
        )
    if flag := next((flag for flag in _LEFT if flag in command["flags"]), None):
        raise Refused(f"This is not run without a runbook: {_LEFT[flag]}.", code="risk")
    if asked := [item["name"] for item in command["parameters"] if item["notation"] != "env"]:
        raise Refused(f"Type the value itself in place of {', '.join(asked)}.", code="parameters")
