"""The tables of the runbooks layer."""

from runbooks.models.document import Match, Runbook, Version
from runbooks.models.execution import CommandRun, Execution, OutputChunk, StepRun

__all__ = ["CommandRun", "Execution", "Match", "OutputChunk", "Runbook", "StepRun", "Version"]
