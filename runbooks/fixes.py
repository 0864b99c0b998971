"""Corrections that can be made without understanding: a finding, its line, and the line as it should be. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_COLUMN = re.compile(r"\b(mean|total|min|max|stddev)_time\b")
Fix = Callable[[str], str]

# By rule: what to do with the line that the finding names.
_FIXES: dict[str, Fix] = {
    "sql.renamed-column": lambda line: _COLUMN.sub(lambda match: match.group().replace("_time", "_exec_time"), line),
    "api.removed": lambda line: line.replace(":9093/api/v1/", ":9093/api/v2/"),
    "curl.globbing": lambda line: re.sub(r"\bcurl\b(?! -g)", "curl -g", line, count=1),
    "redis.keys": lambda line: re.sub(r"\bKEYS\s+(\S+)", r"--scan --pattern \1", line, count=1),
    "command.retired": lambda line: re.sub(r"\bdocker-compose(?=\s)", "docker compose", line),
    "compose.v1": lambda line: re.sub(r"\bdocker-compose(?=\s)", "docker compose", line),
}


def corrected(finding: Mapping[str, Any], line: str) -> str | None:
    """The line as it should be; None where only a person can say."""
    fix = _FIXES.get(finding["rule"])
    changed = fix(line) if fix else line
    return changed if changed != line else None
