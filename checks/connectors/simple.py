"""This machine, and a bare TCP port: nothing is handed over."""

import os
import shutil
from pathlib import Path

from checks.choices import TargetKind
from checks.connectors import addresses, failures
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes import tcp
from checks.probes.kind import Place, ProbeFailed


def _test_path(place: Place, timeout_s: float) -> Report:
    try:
        usage = shutil.disk_usage(place.address)
    except OSError as error:
        return Report(False, f"{place.address} cannot be looked at: {error.strerror}.", "Write a path that is there.")
    kind = "folder" if Path(place.address).is_dir() else "file"
    free = usage.free / 2**30
    return Report(True, f"The {kind} is there on {os.uname().nodename}; its disk has {free:.1f} GiB free.")


def _test_port(place: Place, timeout_s: float) -> Report:
    try:
        found = tcp.measure(place, {}, timeout_s)
    except ProbeFailed as failure:
        return failures.report(failure, where=place.address)
    return Report(True, f"The port accepts connections ({found.value:.0f} ms).")


def _nothing(name: str, place: Place, first: bool) -> Handed:
    return Handed()


connectors.add(
    TargetKind.LOCAL, Connector("A full path, such as /var/lib.", "", "", addresses.path, _test_path, _nothing)
)
connectors.add(
    TargetKind.TCP, Connector("host:port, such as db.internal:5432.", "", "", addresses.port, _test_port, _nothing)
)
