"""The values of a step as its form shows them: what was typed, what is wrong with it, where it can be picked from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.http import urlencode

from runbooks import addresses, page_queries, pickers, variables
from runbooks.answers import Answer, Known
from runbooks.models import Execution

if TYPE_CHECKING:
    from runbooks.views.walking import Walk


@dataclass(frozen=True)
class ValueRow:
    """A field of the values form."""

    answer: Answer
    value: str
    wrong: str
    # Where it can be picked from; empty if there is nothing to pick it from.
    pick_url: str = ""

    @property
    def number(self) -> bool:
        return self.answer.type in {"number", "pid", "port"}


def known_in(execution: Execution, given: variables.Variables) -> Known:
    """What may fill a parameter of the walk that nobody has given."""
    incident = execution.incident
    return Known(
        labels=page_queries.alert_labels(incident) if incident else {},
        incident=page_queries.facts(incident) if incident else {},
        variables=given.values,
        hidden=frozenset(secret for secret in given.secrets.values() if secret),
    )


def rows(opened: "Walk") -> list[ValueRow]:
    """A row for each parameter of the opened step."""
    answers = opened.step.parameters
    asking = " ".join(command.text for command in opened.step.commands)
    where = addresses.of_walk(opened.execution, "step_pick", position=opened.position)

    lists = [pickers.lists_for({"name": answer.name, "type": answer.type}, asking) for answer in answers]
    printed = not all(lists) and bool(page_queries.printed(opened.execution, limit=1))

    def row(answer: Answer, listed: tuple[str, ...]) -> ValueRow:
        url = f"{where}?{urlencode({'name': answer.name})}" if listed or printed else ""
        typed = opened.typed.get(answer.name, answer.value)
        return ValueRow(answer, typed, opened.wrong.get(answer.name, ""), url)

    return [row(answer, listed) for answer, listed in zip(answers, lists, strict=True)]
