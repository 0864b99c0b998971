"""Lint: the catalogue of rules, what a document allows with a reason, and rules between documents. Pure."""

from runbooks.compiler.lint.allowed import settle
from runbooks.compiler.lint.between import between
from runbooks.compiler.lint.catalogue import RULES, Rule
from runbooks.compiler.lint.document import of_document
from runbooks.compiler.lint.neighbours import add_overdue, settle_all
from runbooks.compiler.lint.structure import overdue

__all__ = ["RULES", "Rule", "add_overdue", "between", "of_document", "overdue", "settle", "settle_all"]
