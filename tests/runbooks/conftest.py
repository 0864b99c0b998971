"""Fixtures for tests of runbooks."""

from tests.clock import clock

__all__ = ["clock"]
