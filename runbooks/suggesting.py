"""What a walk has found so far that speaks for or against a condition of the text, in words. It never decides. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.choices import RunStatus, StepStatus
from runbooks.compiler.assertions import judge

_EMPTY = frozenset(
    "if when the a an is are was were be been being has have had by to in on at of and or not no it its this that "
    "with from than issue issues problem problems trouble case any all there still detected due caused cause".split()
)
_STATES = frozenset("full high low slow down running started stopped healthy unhealthy red green yellow large".split())
# What people call a thing, and the programs that look at it.
_LOOKS_AT = {
    "df": "disk", "du": "disk", "lsblk": "disk", "free": "memory", "vmstat": "memory", "ping": "network",
    "dig": "network", "nc": "network", "docker": "container", "kubectl": "pod", "psql": "database",
    "pg_isready": "database", "redis-cli": "cache", "top": "cpu", "uptime": "cpu",
}  # fmt: skip
_SAME = {"postgres": "database", "postgresql": "database", "db": "database", "storage": "disk", "space": "disk"}
_NUMBER = re.compile(r"([<>≥≤]=?)\s*(\d+(?:\.\d+)?)\s*(%)?")
_LONE = re.compile(r"^\W*(-?\d+(?:\.\d+)?)\W*$")
_PERCENT = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s?%")
_FAILS = re.compile(r"\b(?:fails?|failed|unsuccessful|still|persists?|does(?:n.t| not) (?:work|help))\b", re.IGNORECASE)
_WORKS = re.compile(r"\b(?:success(?:ful)?|succeeds?|healthy|works?)\b", re.IGNORECASE)
_IS_DOWN = re.compile(r"\b(?:not running|down|stopped|crash(?:es|ed|ing)?|unreachable|not started)\b", re.IGNORECASE)
_DOWN = re.compile(
    r"\b(?:exited|crashloopbackoff|error|imagepullbackoff|pending|notready|evicted|oomkilled|dead|inactive|stopped|refused|"
    r"unreachable|no such container|not found)\b|(?<!\d)0/\d+\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:no|not|never|without|0)\b[^.;]{0,24}$", re.IGNORECASE)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
_LEAD = re.compile(r"^expected[^:]{0,20}:\s*", re.IGNORECASE)
_FULL = 90.0


@dataclass(frozen=True)
class Seen:
    """The latest attempt of a command of an earlier step, with the beginning of what it printed."""

    position: int
    step: str
    run: int
    text: str
    label: str
    status: str
    exit_code: int | None
    output: str
    expected: tuple[Mapping[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The command in a few words, and its step."""
        line = " ".join(self.text.split())
        return f"`{line if len(line) <= 60 else line[:59] + '…'}` (step {self.position + 1})"


@dataclass(frozen=True)
class Before:
    """The step right before a branch, and how it stands."""

    position: int
    title: str
    status: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found: it speaks for the condition, against it (False), or beside it (None)."""

    text: str
    speaks: bool | None
    run: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"text": self.text, "speaks": self.speaks, "run": self.run}


def suggested(findings: Iterable[Finding]) -> bool:
    """Something speaks for it and nothing against it."""
    words = [finding.speaks for finding in findings]
    return True in words and False not in words


def findings_for(
    condition: str, *, seen: Sequence[Seen], labels: Mapping[str, str], before: Before | None
) -> list[Finding]:
    """What speaks for or against `condition`, at most four findings, the strong ones first."""
    words = _words(condition)
    near = [each for each in seen if _about(each) & words]
    found = [
        *_outcome(condition, before),
        *_numbers(condition, near or seen[-3:]),
        *_full(words, near),
        *_down(condition, near),
        *_told(words, seen),
        *_labels(words, labels),
        *_unexpected(near),
    ]
    distinct = list({finding.text: finding for finding in found}.values())
    return sorted(distinct, key=lambda finding: finding.speaks is None)[:4]


def _words(text: str) -> set[str]:
    """The words that carry meaning, alike whether singular or plural, in a name in capitals or not."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    found = {_stem(word) for word in re.findall(r"[a-z][a-z+]+|[a-z]", parted) if word not in _EMPTY and len(word) > 1}
    return {_SAME.get(word, word) for word in found}


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _about(seen: Seen) -> set[str]:
    programs = {_LOOKS_AT[word] for word in re.findall(r"[\w-]+", seen.text) if word in _LOOKS_AT}
    return (_words(f"{seen.step} {seen.label} {seen.text}") | programs) - _STATES


def _outcome(condition: str, before: Before | None) -> Iterator[Finding]:
    """“If restart fails”, “if successful”: how the step before ended."""
    if before is None or before.status not in {StepStatus.PASSED, StepStatus.FAILED}:
        return
    fails, works = bool(_FAILS.search(condition)), bool(_WORKS.search(condition))
    if fails == works:
        return
    failed = before.status == StepStatus.FAILED
    yield Finding(f"Step {before.position + 1}, {before.title}, {before.status}.", failed == fails)


def _numbers(condition: str, near: Sequence[Seen]) -> Iterator[Finding]:
    """“if > 150”, “low (<70%)”: the number that a command printed."""
    asked = _NUMBER.search(condition)
    if asked is None:
        return
    sign, limit, percent = asked[1].replace("≥", ">=").replace("≤", "<="), float(asked[2]), asked[3] or ""
    for each in near:
        values = _percentages(each) if percent else _alone(each)
        if values:
            worst = max(values) if sign[0] == ">" else min(values)
            holds = _COMPARE[sign](worst, limit)
            yield Finding(
                f"{each.name} printed {worst:g}{percent}: {'' if holds else 'not '}{sign} {limit:g}{percent}.",
                holds,
                each.run,
            )


def _percentages(seen: Seen) -> list[float]:
    return [float(value) for value in _PERCENT.findall(seen.output) if float(value) <= 100]


def _alone(seen: Seen) -> list[float]:
    """The one number of an output that is nothing but a number, headings and row counts aside."""
    found = [float(match[1]) for line in seen.output.splitlines() if (match := _LONE.match(line))]
    return found if len(found) == 1 else []


def _full(words: set[str], near: Sequence[Seen]) -> Iterator[Finding]:
    if "full" not in words:
        return
    for each in near:
        if values := _percentages(each):
            yield Finding(f"{each.name}: {max(values):g} % used.", max(values) >= _FULL, each.run)


def _down(condition: str, near: Sequence[Seen]) -> Iterator[Finding]:
    if not _IS_DOWN.search(condition):
        return
    for each in near:
        if line := next((line for line in each.output.splitlines() if _DOWN.search(line)), ""):
            yield Finding(f"{each.name} says “{_short(line)}”.", True, each.run)
        elif each.status in {RunStatus.FAILED, RunStatus.TIMED_OUT}:
            yield Finding(f"{each.name} failed{_exit(each)}.", True, each.run)


def _told(words: set[str], seen: Sequence[Seen]) -> Iterator[Finding]:
    """A line that holds every word of the condition, unless it denies it."""
    if not words or words <= {"running"}:
        return
    for each in seen:
        for line in each.output.splitlines():
            found = [re.search(rf"(?<![\w-]){word}\w{{0,3}}(?![\w-])", line, re.IGNORECASE) for word in words]
            if all(found) and not any(_DENIED.search(line[: match.start()]) for match in found if match):
                yield Finding(f"{each.name} says “{_short(line)}”.", True, each.run)
                break


def _labels(words: set[str], labels: Mapping[str, str]) -> Iterator[Finding]:
    for name, value in labels.items():
        if words and words <= _words(value):
            yield Finding(f"The alert says {name} = {value[:80]}.", True)


def _unexpected(near: Sequence[Seen]) -> Iterator[Finding]:
    """Failures and unmet expectations of commands that look at the same thing; what they mean is for a person."""
    for each in near:
        for item in each.expected:
            if judge(item["assertion"], each.output, each.exit_code).ok is False:
                wanted = _LEAD.sub("", item["text"])[:80]
                yield Finding(f"{each.name} did not print what is expected ({wanted}).", None, each.run)
        if each.status in {RunStatus.FAILED, RunStatus.TIMED_OUT}:
            yield Finding(f"{each.name} failed{_exit(each)}.", None, each.run)


def _exit(seen: Seen) -> str:
    return "" if seen.exit_code is None else f", exit {seen.exit_code}"


def _short(line: str) -> str:
    text = " ".join(line.split())
    return text if len(text) <= 100 else text[:99] + "…"
