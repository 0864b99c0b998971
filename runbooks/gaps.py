"""What the library lacks and where it contradicts itself: alerts without a runbook, several for one alert."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import yaml
from django.db.models import QuerySet

from erpops import egress
from incidents.models import Alert
from runbooks.compiler.lint import between
from runbooks.models import Runbook

RULES_LIMIT = 5 * 1024 * 1024
_TIMEOUT_S = 10.0


class Unreadable(ValueError):
    """Rules that cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Conflict:
    """Several published runbooks for one alert, and what they say differently."""

    alert: str
    runbooks: list[Runbook]
    sayings: list[str]


@dataclass(frozen=True)
class Gap:
    """An alert that no published runbook names; `source` says where it is known from."""

    alert: str
    source: str
    severity: str = ""
    summary: str = ""


def conflicts(runbooks: QuerySet[Runbook]) -> list[Conflict]:
    """Alerts that several published runbooks name, with thresholds that differ."""
    shelf = list(runbooks.filter(current__isnull=False).select_related("current"))
    owners: dict[str, list[Runbook]] = defaultdict(list)
    for runbook in shelf:
        for alert in runbook.alerts:
            owners[alert].append(runbook)
    found = []
    for alert, several in sorted(owners.items()):
        if len(several) > 1:
            found.append(Conflict(alert, several, _sayings(several, alert)))
    return found


def sayings(runbooks: Sequence[Runbook]) -> list[str]:
    """What published runbooks say differently of the alerts that all of them name."""
    shared = set.intersection(*(set(runbook.alerts) for runbook in runbooks))
    return list(dict.fromkeys(said for alert in sorted(shared) for said in _sayings(runbooks, alert)))


def _sayings(several: Sequence[Runbook], alert: str) -> list[str]:
    documents = [{"path": r.title, "runbooks": [_of_alert(r, alert)]} for r in several]
    return [finding["message"] for _, finding in between(documents) if finding["rule"] == "threshold.differs"]


def _of_alert(runbook: Runbook, alert: str) -> dict[str, Any]:
    assert runbook.current is not None
    return {**runbook.current.compiled, "alerts": [alert]}


def seen(runbooks: QuerySet[Runbook]) -> list[Gap]:
    """Alerts that have fired here and that no runbook names."""
    named = _named(runbooks)
    rows = Alert.objects.values_list("name", "severity").order_by("name").distinct()
    return [Gap(name, "fired here", severity) for name, severity in rows if name not in named][:200]


def of_rules(runbooks: QuerySet[Runbook], rules: Iterable[Gap]) -> list[Gap]:
    """The alerts of `rules` that no runbook names."""
    named = _named(runbooks)
    return [rule for rule in rules if rule.alert not in named]


def from_file(body: bytes) -> list[Gap]:
    """The alerting rules of a Prometheus rules file. Raises Unreadable."""
    if len(body) > RULES_LIMIT:
        raise Unreadable("The file is larger than 5 MB. Send one group of rules at a time.")
    try:
        data = yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise Unreadable(f"This is no YAML{line}: {getattr(error, 'problem', None) or 'check its form'}.") from error
    return _rules(data.get("groups") if isinstance(data, Mapping) else None, "the rules file")


def from_prometheus(address: str) -> list[Gap]:
    """The alerting rules of a running Prometheus. Raises Unreadable."""
    url = f"{address.rstrip('/')}/api/v1/rules"
    if not address.startswith(("http://", "https://")):
        raise Unreadable("Give the address of Prometheus, for example http://prometheus:9090.")
    try:
        with egress.client(timeout_s=_TIMEOUT_S) as client:
            answer = client.get(url, params={"type": "alert"})
        data = answer.json() if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError) as error:
        raise Unreadable(f"{url} could not be read: {error}.") from error
    if not isinstance(data, Mapping):
        raise Unreadable(f"{url} answered {answer.status_code}, not with rules.")
    return _rules((data.get("data") or {}).get("groups"), address)


def _rules(groups: Any, source: str) -> list[Gap]:
    if not isinstance(groups, list):
        raise Unreadable("There are no groups of rules in it: a Prometheus rules file begins with groups.")
    found: dict[str, Gap] = {}
    for group in groups:
        for rule in (group or {}).get("rules") or [] if isinstance(group, Mapping) else []:
            name = rule.get("alert") or (rule.get("name") if rule.get("type") == "alerting" else None)
            if name:
                labels, notes = rule.get("labels") or {}, rule.get("annotations") or {}
                severity, summary = str(labels.get("severity", "")), str(notes.get("summary", ""))
                found.setdefault(str(name), Gap(str(name)[:200], source, severity[:40], summary[:200]))
    return list(found.values())


def _named(runbooks: QuerySet[Runbook]) -> set[str]:
    rows = runbooks.filter(current__isnull=False).values_list("alerts", flat=True)
    return {alert for alerts in rows for alert in alerts}
