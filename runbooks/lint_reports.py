"""Lint results for people and for machines: text, JSON, SARIF 2.1.0, annotations of a CI. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from erpops.htmx import VERSION
from runbooks.compiler.lint import RULES

LEVELS = ("info", "warning", "error")
_SARIF_LEVELS = {"info": "note", "warning": "warning", "error": "error"}
_ANNOTATIONS = {"info": "notice", "warning": "warning", "error": "error"}
Found = tuple[str, Mapping[str, Any]]


def selected(
    documents: Iterable[Mapping[str, Any]], *, level: str, rules: Sequence[str] = (), ignored: Sequence[str] = ()
) -> list[Found]:
    """(path, finding) of the findings of at least `level`, of `rules` if any are named, without the `ignored`."""
    least = LEVELS.index(level)
    return [
        (document["path"], finding)
        for document in documents
        for finding in document["findings"]
        if LEVELS.index(finding["level"]) >= least
        and (not rules or finding["rule"] in rules)
        and finding["rule"] not in ignored
    ]


def allowed(
    documents: Iterable[Mapping[str, Any]], *, rules: Sequence[str] = (), ignored: Sequence[str] = ()
) -> list[Found]:
    """(path, finding) of what the documents allow, each with its `reason`."""
    return [
        (document["path"], finding)
        for document in documents
        for finding in document["suppressed"]
        if (not rules or finding["rule"] in rules) and finding["rule"] not in ignored
    ]


def text(found: Sequence[Found], suppressed: Sequence[Found] = ()) -> str:
    """A line each, as compilers write them, and a sum."""
    lines = [f"{path}:{f['line']}: {f['level']}: {_said(f)} [{f['rule']}]" for path, f in found]
    counts = [(level, sum(f["level"] == level for _, f in found)) for level in reversed(LEVELS)]
    summed = ", ".join(f"{count} {level}{'s' if count != 1 else ''}" for level, count in counts)
    lines.append(f"{summed}, {len(suppressed)} allowed." if suppressed else f"{summed}.")
    return "\n".join(lines)


def as_json(found: Sequence[Found], _suppressed: Sequence[Found] = ()) -> str:
    """A list of objects with path, line, rule, level, message, suggestion."""
    return json.dumps([{"path": path, **finding} for path, finding in found], ensure_ascii=False, indent=1)


def sarif(found: Sequence[Found], suppressed: Sequence[Found] = ()) -> str:
    """A SARIF 2.1.0 log with the rules that are used and their help; what is allowed is there as suppressed."""
    used = sorted({finding["rule"] for _, finding in [*found, *suppressed]})
    index = {rule: number for number, rule in enumerate(used)}
    run = {
        "tool": {
            "driver": {
                "name": "erpops",
                "semanticVersion": VERSION,
                "informationUri": "https://erpops.example/",
                "rules": [_sarif_rule(rule) for rule in used],
            }
        },
        "columnKind": "utf16CodeUnits",
        "results": [_sarif_result(path, finding, index) for path, finding in [*found, *suppressed]],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=1)


def github(found: Sequence[Found], _suppressed: Sequence[Found] = ()) -> str:
    """Workflow commands that show each finding beside its line."""
    return "\n".join(_annotations(found))


FORMATS: dict[str, Callable[[Sequence[Found], Sequence[Found]], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "github": github,
}


def _said(finding: Mapping[str, Any]) -> str:
    return f"{finding['message']} {finding['suggestion']}" if finding["suggestion"] else str(finding["message"])


def _sarif_rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix, "markdown": f"{rule.why} **{rule.fix}**"},
        "properties": {"tags": [rule.family]},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.level]},
    }


def _sarif_result(path: str, finding: Mapping[str, Any], index: Mapping[str, int]) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": quote(path.lstrip("/"))}, "region": {"startLine": finding["line"]}}
    allowed_by = {"kind": "inSource", "justification": finding.get("reason", "")}
    return {
        "ruleId": finding["rule"],
        "ruleIndex": index[finding["rule"]],
        "level": _SARIF_LEVELS[finding["level"]],
        "message": {"text": _said(finding)},
        "locations": [{"physicalLocation": place}],
        **({"suppressions": [allowed_by]} if "reason" in finding else {}),
    }


def _annotations(found: Iterable[Found]) -> Iterator[str]:
    for path, finding in found:
        where = f"file={_property(path)},line={finding['line']},title={_property(RULES[finding['rule']].title)}"
        yield f"::{_ANNOTATIONS[finding['level']]} {where}::{_data(_said(finding))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
