"""How targets are reached, and how their credentials reach commands: one module for each kind."""

from checks.connectors import databases, docker, kubernetes, simple, ssh, web
from checks.connectors.kind import Connector, Handed, Report, connectors

__all__ = [
    "Connector",
    "Handed",
    "Report",
    "connectors",
    "databases",
    "docker",
    "kubernetes",
    "simple",
    "ssh",
    "web",
]
