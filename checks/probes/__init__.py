"""How things are measured: one module for each kind of target."""

from checks.probes import disk, http, postgres, redis, tcp
from checks.probes.kind import BadOptions, Measurement, Place, Probe, ProbeFailed, probes

__all__ = [
    "BadOptions",
    "Measurement",
    "Place",
    "Probe",
    "ProbeFailed",
    "disk",
    "http",
    "postgres",
    "probes",
    "redis",
    "tcp",
]
