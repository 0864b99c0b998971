"""How well a runbook fits an incident, with the reasons in words. Pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from django.utils.text import slugify

from incidents.models import Alert, Incident
from incidents.severities import severity_of
from runbooks.choices import MatchRank
from runbooks.models import Runbook

EXACT, LIKELY, RELATED = 90, 50, 10
_BEST = 100
# What a variant for the place gains, and one for another kind of place loses, within its rank.
_FITS, _MISFITS = 3, 3
_URL_ANNOTATIONS = ("runbook_url", "runbook", "runbookUrl", "playbook", "playbook_url")
_SERVICE_LABELS = ("service", "job", "app", "component")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words that most runbooks and alerts share say nothing about which one fits.
_EMPTY = frozenset(
    "a alert alerts an and are at by critical for from has high how in incident is issue issues it low not of on or "
    "problem problems runbook runbooks sev the to too warning when with without erpops down up over under".split()
)


@dataclass
class Candidate:
    """A runbook with what speaks for it so far."""

    runbook: Runbook
    score: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, score: int, reason: str) -> None:
        self.score = max(self.score, score)
        if reason not in self.reasons:
            self.reasons.append(reason)

    @property
    def rank(self) -> MatchRank:
        if self.score >= EXACT:
            return MatchRank.EXACT
        return MatchRank.LIKELY if self.score >= LIKELY else MatchRank.RELATED

    def shift(self, by: int) -> None:
        """Better or worse among those of its rank, which it keeps."""
        low, high = next(
            (low, high) for low, high in ((EXACT, _BEST), (LIKELY, EXACT - 1), (0, LIKELY - 1)) if self.score >= low
        )
        self.score = min(max(self.score + by, low, 1), high)


def weigh(runbook: Runbook, incident: Incident, alerts: Sequence[Alert]) -> Candidate:
    """What the alerts and the incident say for a runbook; a score of 0 is nothing."""
    candidate = Candidate(runbook)
    names = {name.casefold() for name in runbook.alerts}
    for alert in alerts:
        if _linked(runbook, alert):
            candidate.add(97, f"the alert {alert.name} links to it")
        if alert.name.casefold() in names:
            candidate.add(94, f"alert name equals `{alert.name}`")
    title = words(runbook.title)
    if not candidate.score:
        known = title | words(" ".join(runbook.alerts))
        for alert in alerts:
            _weigh_words(candidate, known, title, words(alert.name), f"the alert {alert.name}")
        _weigh_words(candidate, known, title, words(incident.title), "the title")
    _weigh_service(candidate, title, incident, alerts)
    return candidate


def fit(
    candidate: Candidate,
    incident: Incident,
    *,
    written_for: Collection[str],
    severities: Collection[str],
    runs_on: Collection[str],
) -> None:
    """Set apart what is written for a place like the incident's, and for its severity; within its rank only.

    `written_for` and `runs_on` are platforms, `severities` the words of the document.
    """
    place = incident.environment.label
    if written_for and runs_on:
        if shared := set(written_for) & set(runs_on):
            only = len(set(written_for)) == 1
            named = " and ".join(sorted(shared))
            candidate.reasons.append(
                f"{named} variant for {place}" if only else f"has commands for {named}, as {place}"
            )
            candidate.shift(_FITS)
        else:
            meant, there = " and ".join(sorted(written_for)), " and ".join(sorted(runs_on))
            candidate.reasons.append(f"written for {meant}, but {place} runs on {there}")
            candidate.shift(-_MISFITS)
    if incident.severity in {severity_of(word) for word in severities}:
        candidate.reasons.append(f"for {incident.severity}")
        candidate.shift(1)


def _weigh_words(candidate: Candidate, known: set[str], title: set[str], asked: set[str], what: str) -> None:
    shared = known & asked
    if not shared:
        return
    said = ", ".join(sorted(shared))
    covered = len(shared) / len(asked)
    if len(shared) >= 2 and (covered >= 0.75 or title <= asked):
        candidate.add(LIKELY + round(30 * covered), f"its title and {what} say the same: {said}")
    elif asked == title:
        candidate.add(LIKELY, f"its title and {what} say the same: {said}")
    else:
        candidate.add(RELATED + round(30 * covered), f"it shares words with {what}: {said}")


def _weigh_service(candidate: Candidate, title: set[str], incident: Incident, alerts: Iterable[Alert]) -> None:
    names = {str(alert.labels[label]) for alert in alerts for label in _SERVICE_LABELS if alert.labels.get(label)}
    if incident.service is not None:
        names.add(incident.service.name)
    for name in sorted(names):
        wanted = words(name)
        if wanted and wanted <= title:
            candidate.add(LIKELY if candidate.score else RELATED + 5, f"service {name}")


def _linked(runbook: Runbook, alert: Alert) -> bool:
    """Whether a link in the alert's annotations points at this runbook's page, file or heading."""
    for key in _URL_ANNOTATIONS:
        url = str(alert.annotations.get(key) or "")
        if not url:
            continue
        parts = urlsplit(url)
        segments = [unquote(part) for part in parts.path.split("/") if part]
        ends = {slugify(unquote(parts.fragment)), slugify(re.sub(r"\.\w+$", "", segments[-1])) if segments else ""}
        if ends & {runbook.slug, slugify(runbook.title)}:
            return True
    return False


def words(text: str) -> set[str]:
    """The words that say something, lower case, without plural s; `DiskSpaceLow` has two."""
    found = {word.casefold() for word in _WORD.findall(text)}
    return {word.removesuffix("s") if len(word) > 3 else word for word in found - _EMPTY if len(word) > 1} - _EMPTY
