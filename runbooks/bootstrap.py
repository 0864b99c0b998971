"""The runbooks part of a fresh installation: the built-in library."""

from importlib import import_module
from typing import Any

from erpops.setup import SetupContext


def prepare(setup: SetupContext) -> None:
    """Install the built-in runbooks that are not there yet."""
    try:
        library: Any = import_module("runbooks.library")
    except ImportError as error:
        setup.say(f"the library is not importable yet: {error}")
        return
    if hasattr(library, "install_builtin"):
        library.install_builtin()
