"""The checks part of a fresh installation: the console watches the stack that it runs on."""

from typing import Any

from checks.choices import TargetKind
from checks.models import Check, Target
from checks.probes import probes
from erpops.setup import SetupContext
from incidents.bootstrap import SELF
from incidents.choices import Severity
from incidents.models import Environment, Service

# name, label, kind, service, setting that holds the address.
TARGETS = [
    ("console-web", "Console pages", TargetKind.HTTP, "console", "PUBLIC_URL"),
    ("console-port", "Console port", TargetKind.TCP, "console", "PUBLIC_URL"),
    ("console-database", "PostgreSQL of the console", TargetKind.POSTGRES, "database", "DATABASE_URL"),
    ("console-broker", "Valkey of the console", TargetKind.REDIS, "broker", "REDIS_URL"),
    ("console-data", "Data directory", TargetKind.LOCAL, "worker", "DATA_DIR"),
]

# The alert names are those that the built-in runbooks are for.
CHECKS: list[dict[str, Any]] = [
    {
        "name": "console-latency",
        "label": "Console answers",
        "target": "console-web",
        "probe": "http",
        "options": {"path": "/healthz", "status": "200", "contains": '"status": "ok"'},
        "warning_at": 500,
        "critical_at": 2000,
        "bad_needed": 3,
        "alert_name": "ErpopsWebLatencyHigh",
        "severity": Severity.SEV2,
    },
    {
        "name": "console-port",
        "label": "Console port accepts connections",
        "target": "console-port",
        "probe": "tcp",
        "warning_at": 200,
        "critical_at": 1000,
        "bad_needed": 3,
        "alert_name": "ErpopsWebLatencyHigh",
        "severity": Severity.SEV2,
    },
    {
        "name": "database-connections",
        "label": "Connections in use",
        "target": "console-database",
        "probe": "postgres",
        "options": {"value": "connections_percent"},
        "warning_at": 70,
        "critical_at": 85,
        "alert_name": "ErpopsDatabaseConnectionsHigh",
        "severity": Severity.SEV2,
    },
    {
        "name": "database-longest-query",
        "label": "Longest running query",
        "target": "console-database",
        "probe": "postgres",
        "options": {"value": "longest_query_s"},
        "warning_at": 20,
        "critical_at": 60,
        "alert_name": "ErpopsSlowQueries",
        "severity": Severity.SEV3,
    },
    {
        "name": "database-blocked",
        "label": "Sessions waiting for a lock",
        "target": "console-database",
        "probe": "postgres",
        "options": {"value": "blocked_sessions"},
        "warning_at": 1,
        "critical_at": 5,
        "alert_name": "ErpopsSlowQueries",
        "severity": Severity.SEV3,
    },
    {
        "name": "database-size",
        "label": "Database size",
        "target": "console-database",
        "probe": "postgres",
        "options": {"value": "database_size_mb"},
        "warning_at": 20_000,
        "critical_at": 50_000,
        "interval_s": 300,
        "alert_name": "ErpopsDiskSpaceLow",
        "severity": Severity.SEV4,
    },
    {
        "name": "broker-answers",
        "label": "Broker answers",
        "target": "console-broker",
        "probe": "redis",
        "options": {"value": "connect_ms"},
        "warning_at": 200,
        "critical_at": 1000,
        "bad_needed": 3,
        "alert_name": "ErpopsWorkerBacklog",
        "severity": Severity.SEV3,
    },
    {
        "name": "broker-memory",
        "label": "Memory in use",
        "target": "console-broker",
        "probe": "redis",
        "options": {"value": "used_memory_percent"},
        "warning_at": 75,
        "critical_at": 90,
        "alert_name": "ErpopsValkeyMemoryHigh",
        "severity": Severity.SEV3,
    },
    {
        "name": "worker-backlog",
        "label": "Messages waiting for a worker",
        "target": "console-broker",
        "probe": "backlog",
        "warning_at": 50,
        "critical_at": 500,
        "alert_name": "ErpopsWorkerBacklog",
        "severity": Severity.SEV3,
    },
    {
        "name": "data-disk",
        "label": "Disk of the data directory",
        "target": "console-data",
        "probe": "disk",
        "warning_at": 85,
        "critical_at": 95,
        "interval_s": 60,
        "alert_name": "ErpopsDiskSpaceLow",
        "severity": Severity.SEV2,
    },
]


def prepare(setup: SetupContext) -> None:
    """Create the targets and checks of the console itself, unless its environment has targets already."""
    environment = Environment.objects.get(name=SELF)
    if Target.objects.filter(environment=environment).exists():
        return
    services = {service.name: service for service in Service.objects.all()}
    targets: dict[str, Target] = {}
    for name, label, kind, service, setting in TARGETS:
        targets[name] = Target.objects.create(
            name=name,
            label=label,
            kind=kind,
            environment=environment,
            service=services.get(service),
            setting=setting,
        )
    for row in CHECKS:
        unit = probes[row["probe"]].unit(row.get("options", {}))
        Check.objects.create(**{**row, "target": targets[row["target"]], "unit": unit})
    setup.say(f"{len(CHECKS)} checks watch the console itself.")
