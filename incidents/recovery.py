"""What has to hold before an incident counts as recovered: other layers name what has not been verified yet."""

from collections.abc import Callable
from dataclasses import dataclass

from erpops.registry import Registry
from incidents.models import Incident


@dataclass(frozen=True)
class Unverified:
    """A verification that has not passed: what it is, how it stands in words, and where it is done."""

    text: str
    stands: str
    url: str


Ask = Callable[[Incident], list[Unverified]]
questions: Registry[Ask] = Registry("recovery question")


def unverified(incident: Incident) -> list[Unverified]:
    """Everything that speaks against resolving `incident` yet."""
    return [found for ask in questions.values() for found in ask(incident)]
