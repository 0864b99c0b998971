"""What the finder of an incident shows: the runbooks that match, who contradicts whom, and what to do without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.db.models import QuerySet

from erpops.clock import Now, seconds
from incidents.models import Alert, Incident
from runbooks import comparing, platforms, walk
from runbooks.choices import Risk
from runbooks.comparing import Rival
from runbooks.models import Match, Runbook
from runbooks.page_queries import Card, cards

DIAGNOSTICS = 4
LOOKING_S = 15.0
_MOST_ALERTS = 200


@dataclass(frozen=True)
class Suggestion:
    """A match with its card. `rivals` are other matches for the same alert; `opening` is the first step of the best."""

    match: Match
    card: Card
    rivals: list[Rival] = field(default_factory=list)
    opening: tuple[str, list[str]] | None = None

    @property
    def contradicted(self) -> list[Rival]:
        """Those that say something else for the same kind of place."""
        return [rival for rival in self.rivals if not rival.variant]

    @property
    def variants(self) -> list[Rival]:
        return [rival for rival in self.rivals if rival.variant]


def of(incident: Incident) -> list[Suggestion]:
    """The matched runbooks of an incident, best first, with their figures."""
    matches = list(Match.objects.filter(incident=incident).select_related("runbook"))
    shelf = Runbook.objects.filter(pk__in=[match.runbook_id for match in matches], archived=False)
    by_id = {card.runbook.pk: card for card in cards(shelf)} if matches else {}
    alerts = list(Alert.objects.filter(incident=incident).values_list("name", flat=True).distinct()[:_MOST_ALERTS])
    rivals = comparing.rivals([card.runbook for card in by_id.values()], alerts)
    known = [match for match in matches if match.runbook_id in by_id]
    return [
        Suggestion(
            match, card := by_id[match.runbook_id], rivals.get(match.runbook_id, []), _opening(match, card, index)
        )
        for index, match in enumerate(known)
    ]


def _opening(match: Match, card: Card, index: int) -> tuple[str, list[str]] | None:
    """The first step of the best exact match: its title and its commands."""
    if index or match.rank != "exact" or card.runbook.current is None:
        return None
    compiled = card.runbook.current.compiled
    places = walk.places(compiled)
    if not places:
        return None
    step = walk.step_at(compiled, *places[0])
    return walk.plain(step["title"]), [command["text"] for command in walk.commands_of(step)]


def mark(found: Sequence[Suggestion]) -> str:
    """Another one whenever the list would look different."""
    shown = [(each.match.runbook_id, each.match.rank, each.match.reasons) for each in found]
    return sha256(repr(shown).encode()).hexdigest()[:12]


def looking(incident: Incident) -> bool:
    """Whether the engine has not looked for runbooks yet; after a while without an engine, no more."""
    young = Incident.objects.filter(pk=incident.pk, opened_at__gt=Now() - seconds(LOOKING_S), matching=None)
    return young.exists()


def diagnostics(shelf: QuerySet[Runbook], incident: Incident) -> list[Card]:
    """Runbooks that answer no alert and only read: a look around where nothing matches, those for this place first."""
    runs_on = platforms.of_environments([incident.environment])[incident.environment_id]
    reading = [card for card in cards(shelf.filter(alerts=[], kind="scheduled")) if card.risk == Risk.READ]
    return sorted(reading, key=lambda card: (_misfit(card, runs_on), card.runbook.title))[:DIAGNOSTICS]


def _misfit(card: Card, runs_on: Any) -> bool:
    assert card.runbook.current is not None
    written_for = platforms.of_compiled(card.runbook.current.compiled)
    return bool(written_for and runs_on) and not written_for & runs_on
