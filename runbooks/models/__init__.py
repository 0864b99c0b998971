"""The tables of the runbooks layer."""

from runbooks.models.document import Match, Matching, Runbook, Version
from runbooks.models.execution import CommandRun, Execution, JournalEntry, OutputChunk, StepRun
from runbooks.models.importing import ErrorCode, Import, ImportedItem, ImportFile

__all__ = [
    "CommandRun",
    "ErrorCode",
    "Execution",
    "Import",
    "ImportFile",
    "ImportedItem",
    "JournalEntry",
    "Match",
    "Matching",
    "OutputChunk",
    "Runbook",
    "StepRun",
    "Version",
]
