"""How targets are reached, and how their credentials reach commands: one module for each kind."""

from checks.connectors import compose, databases, docker, kubernetes, simple, ssh, web
from checks.connectors.kind import Connector, Handed, Report, connectors

__all__ = [
    "Connector",
    "Handed",
    "Report",
    "compose",
    "connectors",
    "databases",
    "docker",
    "kubernetes",
    "simple",
    "ssh",
    "web",
]
