"""Lint: the catalogue of rules, what a document allows with a reason, and rules between documents. Pure."""

from runbooks.compiler.lint.allowed import settle
from runbooks.compiler.lint.between import between, known_paths, reaches
from runbooks.compiler.lint.catalogue import RULES, Rule

__all__ = ["RULES", "Rule", "between", "known_paths", "reaches", "settle"]
