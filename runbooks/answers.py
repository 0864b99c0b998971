"""What is known of each parameter, and where it came from. Pure.

A value that somebody gave counts first, then what the alert says, then the incident, the environment, and at
last the text's own. `Execution.origins` remembers where a given one was taken from.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from runbooks import secret_values
from runbooks.compiler.contract import Parameter
from runbooks.parameters import is_blank, validate

# Sources whose values may change under the operator until the first command has used them.
PASSING = ("alert", "incident", "environment")
_FROM = {
    "alert": "from the alert",
    "incident": "from the incident",
    "environment": "from the environment",
    "text": "from the runbook",
}
# What senders of alerts call a thing of a type.
_ALIASES = {
    "host": ("instance", "node", "hostname"),
    "ip": ("instance", "address"),
    "pod": ("pod_name",),
    "container": ("container_name",),
}
_GENERIC = frozenset("the your this name id number address value current target affected failing".split())


@dataclass(frozen=True)
class Known:
    """What may fill a parameter that nobody has given: the alerts' labels, the incident's facts, the variables.

    `hidden` are values that no page may show, wherever they stand.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    incident: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    def shown(self, name: str) -> str:
        """A variable as a page may show it."""
        value = self.variables.get(name, "")
        secret = secret_values.is_secret(name) or any(part in value for part in self.hidden)
        return secret_values.SHOWN if secret else value


@dataclass(frozen=True)
class Answer:
    """The value of a parameter and where it came from; `here` if it was given in the step that asks.

    `source` is given, live, output, secret, walk, alert, incident, environment, text or nothing; `step` (from 0) is
    where it was given, `detail` names the list, the output or the other runbook that it was taken from.
    """

    name: str
    type: str
    value: str = ""
    source: str = ""
    step: int | None = None
    here: bool = True
    detail: str = ""

    @property
    def is_secret(self) -> bool:
        return secret_values.is_secret(self.name)

    @property
    def provenance(self) -> str:
        """Where it came from, as the page says it."""
        if self.source == "given":
            return "given here" if self.here else f"from step {(self.step or 0) + 1}"
        said = words({"from": self.source, "detail": self.detail})
        return said if self.here or self.source == "output" else f"{said}, in step {(self.step or 0) + 1}"


def words(origin: Mapping[str, Any]) -> str:
    """Where a value was taken from, after what it is called; empty if somebody typed it."""
    source, detail = str(origin.get("from", "")), origin.get("detail", "")
    if source == "output":
        return f"from the output of {detail}"
    if source == "walk":
        return f"from {detail}"
    if source == "secret":
        return f"by reference to {detail}"
    return f"picked from {detail}" if source == "live" else _FROM.get(source, "")


def answers(
    parameters: Iterable[Mapping[str, Any]],
    *,
    given: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
    known: Known | None = None,
    origins: Mapping[str, Mapping[str, Any]] | None = None,
    position: int | None = None,
) -> list[Answer]:
    """Each parameter once, with what is known of it. `position` is the step that asks."""
    facts = known or Known(labels=labels or {})
    found: dict[str, Answer] = {}
    for item in parameters:
        name = item["name"]
        if name in found:
            continue
        if given.get(name):
            found[name] = _given(item, str(given[name]), (origins or {}).get(name, {}), position)
        else:
            found[name] = _prefilled(item, facts)
    return list(found.values())


def _given(item: Mapping[str, Any], value: str, origin: Mapping[str, Any], position: int | None) -> Answer:
    step = origin.get("step")
    source, detail = str(origin.get("from", "given")), str(origin.get("detail", ""))
    here = step is None or position is None or step == position
    return Answer(item["name"], item["type"], value, source, step, here, detail)


def _prefilled(item: Mapping[str, Any], known: Known) -> Answer:
    name, kind = item["name"], item["type"]
    default = "" if is_blank(item) else item.get("default") or ""
    # A secret comes from a person or by reference, never out of an alert.
    if not secret_values.is_secret(name):
        for source, facts in zip(PASSING, (known.labels, known.incident, known.variables), strict=True):
            by_type = source == "alert"
            if (value := _lookup(item, facts, by_type=by_type)) and not any(secret in value for secret in known.hidden):
                return Answer(name, kind, value, source)
    return Answer(name, kind, default, "text" if default else "")


def _lookup(item: Mapping[str, Any], facts: Mapping[str, str], *, by_type: bool) -> str:
    """The first fact that is called like the parameter, or like its type, and that fits."""
    known = {key_of(name): str(value) for name, value in facts.items()}
    name = key_of(item["name"])
    for key in (name, re.sub(r"_(?:name|id)$", "", name)):
        if value := _fitting(item, known.get(key, "")):
            return value
    if not by_type or item["type"] == "text":
        return ""
    # `<postgres-pod>` is not the pod of an alert about the API.
    for key in (item["type"], *_ALIASES.get(item["type"], ())):
        value = _fitting(item, known.get(key, ""))
        if value and all(word in value.lower() for word in qualifiers(item)):
            return value
    return ""


def qualifiers(item: Mapping[str, Any]) -> list[str]:
    """The words of a parameter's name that say which one of its type is meant."""
    words = key_of(item["name"]).split("_")
    return [word for word in words if word not in _GENERIC and word != item["type"] and word]


def _fitting(item: Mapping[str, Any], value: str) -> str:
    """The value if its type takes it; of `host:port` the host, where a port does not belong."""
    if not value:
        return ""
    for form in (value, re.sub(r":\d{1,5}$", "", value) if item["type"] == "ip" else value):
        if validate(cast("Parameter", item), form) is None:
            return form
    return ""


def key_of(name: str) -> str:
    """A name without case and punctuation."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
