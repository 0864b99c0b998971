"""The tables of the checks layer."""

from checks.models.check import Check, Result
from checks.models.target import Target

__all__ = ["Check", "Result", "Target"]
