"""The tables of the runbooks layer."""

from runbooks.models.document import Match, Matching, Runbook, Version
from runbooks.models.execution import CommandRun, Execution, JournalEntry, OutputChunk, StepRun

__all__ = [
    "CommandRun",
    "Execution",
    "JournalEntry",
    "Match",
    "Matching",
    "OutputChunk",
    "Runbook",
    "StepRun",
    "Version",
]
