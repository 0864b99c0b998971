"""How full the file system under a path of the worker's machine is."""

import os
from collections.abc import Mapping
from typing import Any

from checks.choices import TargetKind
from checks.probes.kind import Measurement, Place, Probe, ProbeFailed, probes


def measure(place: Place, options: Mapping[str, Any], timeout_s: float) -> Measurement:
    """Percent used, counted as `df` does: without the blocks that only root may take."""
    try:
        found = os.statvfs(place.address)
    except OSError as error:
        raise ProbeFailed(f"{place.address} cannot be read on this machine: {error.strerror}.") from error
    used, free = found.f_blocks - found.f_bfree, found.f_bavail
    if not used + free:
        raise ProbeFailed(f"The file system of {place.address} has no size.")
    free_gb = free * found.f_frsize / 1_000_000_000
    return Measurement(100 * used / (used + free), "%", f"{free_gb:.1f} GB free")


probes.add(
    "disk",
    Probe(label="Disk space", kinds=frozenset({TargetKind.LOCAL}), measure=measure, units={"": "%"}),
)
