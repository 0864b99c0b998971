"""The tables of the runbooks layer."""

from runbooks.models.baton import BatonRequest
from runbooks.models.document import Match, Matching, Runbook, Version
from runbooks.models.execution import CommandRun, Execution, JournalEntry, OutputChunk, StepRun
from runbooks.models.importing import ErrorCode, Import, ImportedItem, ImportFile

__all__ = [
    "BatonRequest",
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
