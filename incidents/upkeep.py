"""The engine's broom: small sweeps that nobody waits for."""

import time

from erpops import beats

EVERY_S = 60.0
_next_sweep = 0.0


def tick() -> int:
    """Once a minute per engine: forget processes that are long gone."""
    global _next_sweep
    if time.monotonic() < _next_sweep:
        return 0
    _next_sweep = time.monotonic() + EVERY_S
    return beats.forget_old()
