"""What a connector is: it knows one kind of target, tries to reach it, and hands its credential to commands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from checks.probes.kind import Place
from erpops.registry import Registry


@dataclass(frozen=True)
class Report:
    """What a try to reach a target found: `said` is a sentence, `next_step` what to do when it did not work."""

    ok: bool
    said: str
    next_step: str = ""


@dataclass(frozen=True)
class Handed:
    """What commands receive of a target.

    `values` are plain variables, `secrets` must not show in output, `files` (path below the command's home →
    text) hold what tools read from a file; the texts of several targets for one path follow each other.
    `paths` are variables that name such a file or its folder; of several targets they are joined by colons.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Connector:
    """One kind of target.

    `address`, `credential` and `trust` say what to write into the form; an empty one is not asked for.
    `clean(address)` gives the address to keep and the secret that stood in it, or raises ValueError with a
    sentence. `test(place, timeout_s)` never raises. `hand_over(name, place, first)`: `first` is true for the
    target that is meant when a command names none.
    """

    address: str
    credential: str
    trust: str
    clean: Callable[[str], tuple[str, str]]
    test: Callable[[Place, float], Report]
    hand_over: Callable[[str, Place, bool], Handed]


connectors: Registry[Connector] = Registry("connector")
