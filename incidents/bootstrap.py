"""The incidents part of a fresh installation: environment and services of the console itself, sources."""

from erpops.setup import SetupContext
from incidents import policy, sources
from incidents.models import Environment, Service, Source

SELF = "self"
# name, label, public name: what stakeholders read.
SERVICES = [
    ("console", "Console", "Incident console"),
    ("database", "PostgreSQL", "Incident records"),
    ("broker", "Valkey", "Live updates"),
    ("worker", "Worker", "Runbook automation"),
]
SOURCES = [("Checks", "checks"), ("Fire drill", "generic"), ("Alertmanager", "alertmanager")]


def prepare(setup: SetupContext) -> None:
    """Create what is missing on the first start; afterwards only the built-in sources are looked after."""
    environment, fresh = Environment.objects.get_or_create(
        name=SELF, defaults={"label": "erpops itself", "position": 90}
    )
    if fresh:
        Service.objects.bulk_create(
            [
                Service(name=name, label=label, public_name=public, position=position)
                for position, (name, label, public) in enumerate(SERVICES)
            ],
            ignore_conflicts=True,
        )
    _sources(environment, fresh)
    policy.ensure_default(admin=setup.admin)


def _sources(environment: Environment, fresh: bool) -> None:
    present = set(Source.objects.values_list("name", flat=True))
    for name, kind in SOURCES:
        # Checks and drills cannot work without theirs; another that someone deleted stays deleted.
        if name not in present and (fresh or kind != "alertmanager"):
            sources.create(name=name, kind=kind, environment=environment if kind != "alertmanager" else None)
