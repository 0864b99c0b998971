"""The tables of the runbooks layer."""

from runbooks.models.document import Match, Matching, Runbook, Version
from runbooks.models.execution import CommandRun, Execution, JournalEntry, OutputChunk, StepRun
from runbooks.models.importing import ErrorCode, Import, ImportedItem, ImportFile
from runbooks.models.rehearsal import Rehearsal, RehearsalPlan, RehearsalResult

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
    "Rehearsal",
    "RehearsalPlan",
    "RehearsalResult",
    "Runbook",
    "StepRun",
    "Version",
]
