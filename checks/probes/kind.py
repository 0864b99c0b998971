"""What a probe is: the options it takes, the unit of its value, and how it measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from checks.choices import TargetKind
from erpops.registry import Registry


class ProbeFailed(Exception):
    """The probe did not get through, or what answered is wrong; the message is one sentence for a person."""


class BadOptions(ValueError):
    """Options that a probe cannot use: a sentence for each option's name in `sentences`."""

    def __init__(self, sentences: dict[str, str]) -> None:
        self.sentences = sentences
        super().__init__(" ".join(sentences.values()))


@dataclass(frozen=True)
class Measurement:
    """What a probe found: a value in the probe's unit, and words for it if there is more to say."""

    value: float
    unit: str
    message: str = ""


@dataclass(frozen=True)
class Place:
    """Where a target is found now. `credential` is a secret: never part of a message.

    `trust` is what it must prove to be: certificates of its authority (PEM), or host keys as in known_hosts.
    """

    address: str
    credential: str = ""
    trust: str = ""


@dataclass(frozen=True)
class Option:
    """One option of a probe. `clean` returns the value to keep or raises ValueError with a sentence."""

    name: str
    label: str
    help: str = ""
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    clean: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Probe:
    """A way of measuring targets of some kinds.

    `measure(place, options, timeout_s)` returns within about `timeout_s` seconds or raises `ProbeFailed`.
    `unit` maps the value of the option named "value" to a unit; `""` holds the unit of any other probe.
    """

    label: str
    kinds: frozenset[str]
    measure: Callable[[Place, Mapping[str, Any], float], Measurement]
    units: Mapping[str, str]
    options: tuple[Option, ...] = field(default_factory=tuple)

    def unit(self, options: Mapping[str, Any]) -> str:
        """The unit of what these options measure."""
        return self.units.get(str(options.get("value", "")), self.units.get("", ""))

    def clean(self, given: Mapping[str, Any]) -> dict[str, str]:
        """The options to keep: known ones, checked, defaults filled in. Raises `BadOptions`."""
        kept: dict[str, str] = {}
        wrong = {name: f"This probe has no option {name!r}." for name in given if name not in self._names()}
        for option in self.options:
            value = str(given.get(option.name, "") or option.default).strip()
            try:
                kept[option.name] = _clean(option, value)
            except ValueError as error:
                wrong[option.name] = str(error)
        if wrong:
            raise BadOptions(wrong)
        return {name: value for name, value in kept.items() if value}

    def words(self, options: Mapping[str, Any]) -> str:
        """What these options measure, for a person: `HTTP answer: path /healthz, expected status 200`."""
        said = []
        for option in self.options:
            value = str(options.get(option.name, ""))
            if value:
                said.append(dict(option.choices).get(value) or f"{option.label} {value}")
        return ": ".join(part for part in (self.label, ", ".join(said)) if part)

    def _names(self) -> set[str]:
        return {option.name for option in self.options}


def _clean(option: Option, value: str) -> str:
    if option.choices and value not in dict(option.choices):
        raise ValueError(f"Choose one of: {', '.join(name for name, _ in option.choices)}.")
    if any(ord(letter) < 32 for letter in value):
        raise ValueError("Write it on one line, without control characters.")
    return option.clean(value) if option.clean and value else value


def first_line(error: Exception, *, limit: int = 200) -> str:
    """What an error says, in one line."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:limit]


probes: Registry[Probe] = Registry("probe")

ANY_KIND = frozenset(TargetKind.values)
