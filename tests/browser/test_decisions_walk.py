"""Decisions, waits, observed values and the end of a runbook, in a browser, on a computer and on a phone."""
