"""Where a target is found, and measuring it once."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from checks.connectors import Report, connectors
from checks.models import Target
from checks.probes import Measurement, Place, ProbeFailed, probes
from incidents.models import Environment

logger = logging.getLogger(__name__)

# Settings of erpops that may hold a target's address.
SETTINGS = ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "DATA_DIR")


@dataclass(frozen=True)
class Outcome:
    """One try: a measurement, or the sentence of its failure."""

    measurement: Measurement | None
    problem: str
    duration_ms: float


def resolve(target: Target) -> Place:
    """The target's address and credential at this moment."""
    if target.setting:
        if target.setting not in SETTINGS:
            raise ProbeFailed(f"The target names the setting {target.setting}, which holds no address.")
        return Place(str(getattr(settings, target.setting)))
    return Place(target.address, target.credential, target.trust)


def enabled_in(environment: Environment) -> list[Target]:
    """The targets that commands there may use, in a steady order: the first of a kind is the one that is meant."""
    return list(environment.targets.filter(enabled=True).order_by("pk"))


def reach(target: Target, *, timeout_s: float) -> Report:
    """Try to reach it once from here: what answered, or what stands in the way and what to do next."""
    try:
        place = resolve(target)
    except ProbeFailed as failure:
        return Report(False, str(failure))
    return connectors[target.kind].test(place, timeout_s)


def measure(*, target: Target, probe: str, options: Mapping[str, Any], timeout_s: float) -> Outcome:
    """Try it once. Whatever goes wrong becomes the outcome's problem."""
    began = time.monotonic()
    found, problem = None, ""
    kind = probes.get(probe)
    try:
        if kind is None:
            raise ProbeFailed(f"There is no probe called {probe!r} in this version.")
        found = kind.measure(resolve(target), options, timeout_s)
    except ProbeFailed as failure:
        problem = str(failure)[:300]
    except SoftTimeLimitExceeded:
        problem = f"The probe took longer than its limit of {timeout_s:g} s."
    except Exception as error:
        logger.exception("Probe %s of %s broke", probe, target.name)
        problem = f"The probe itself broke: {type(error).__name__}. The worker's log has the details."
    return Outcome(found, problem, (time.monotonic() - began) * 1000)
