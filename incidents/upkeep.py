"""The engine's broom: small sweeps that nobody waits for."""

import time

from erpops import beats
from incidents import pictures

EVERY_S = 60.0


class Broom:
    """Sweeps once a minute in each engine, however often it is asked."""

    def __init__(self) -> None:
        self._next = 0.0

    def tick(self) -> int:
        """Forget processes that are long gone and pictures that nobody used; how many."""
        if time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + EVERY_S
        return beats.forget_old() + pictures.sweep()


tick = Broom().tick
