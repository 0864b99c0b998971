"""The tables of the runbooks layer."""

from runbooks.models.approval import Approval
from runbooks.models.baton import BatonRequest
from runbooks.models.document import Match, Matching, Runbook, Version
from runbooks.models.execution import CommandRun, Execution, JournalEntry, OutputChunk, StepRun
from runbooks.models.importing import ErrorCode, Import, ImportedItem, ImportFile
from runbooks.models.rehearsal import Rehearsal, RehearsalPlan, RehearsalResult
from runbooks.models.walk import Decision, PhaseClock, Wait

__all__ = [
    "Approval",
    "BatonRequest",
    "CommandRun",
    "Decision",
    "ErrorCode",
    "Execution",
    "Import",
    "ImportFile",
    "ImportedItem",
    "JournalEntry",
    "Match",
    "Matching",
    "OutputChunk",
    "PhaseClock",
    "Rehearsal",
    "RehearsalPlan",
    "RehearsalResult",
    "Runbook",
    "StepRun",
    "Version",
    "Wait",
]
