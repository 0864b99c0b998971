"""The words for severity that senders and documents use, and what they mean here."""

from incidents.choices import Severity

ALIASES: dict[str, str] = {
    **{value.lower(): value for value in Severity.values},
    "critical": Severity.SEV1,
    "crit": Severity.SEV1,
    "emergency": Severity.SEV1,
    "disaster": Severity.SEV1,
    "page": Severity.SEV1,
    "p0": Severity.SEV1,
    "p1": Severity.SEV1,
    "high": Severity.SEV2,
    "error": Severity.SEV2,
    "major": Severity.SEV2,
    "p2": Severity.SEV2,
    "warning": Severity.SEV3,
    "warn": Severity.SEV3,
    "medium": Severity.SEV3,
    "minor": Severity.SEV3,
    "p3": Severity.SEV3,
    "low": Severity.SEV4,
    "info": Severity.SEV4,
    "informational": Severity.SEV4,
    "none": Severity.SEV4,
    "p4": Severity.SEV4,
}
UNKNOWN = Severity.SEV3


def severity_of(word: str, overrides: dict[str, str] | None = None) -> str:
    """SEV1–SEV4 for a sender's word; a word that nobody knows is SEV3."""
    key = word.strip().lower()
    return (overrides or {}).get(key) or ALIASES.get(key, UNKNOWN)
