"""The vocabularies of checks."""

from django.db.models import TextChoices


class Verdict(TextChoices):
    NEW = "new", "Not measured yet"
    UP = "up", "Up"
    WARNING = "warning", "Warning"
    DOWN = "down", "Down"
    UNKNOWN = "unknown", "No data"


class TargetKind(TextChoices):
    LOCAL = "local", "This machine"
    HTTP = "http", "HTTP service"
    TCP = "tcp", "TCP port"
    POSTGRES = "postgres", "PostgreSQL"
    REDIS = "redis", "Redis or Valkey"
    SSH = "ssh", "SSH host"
    DOCKER = "docker", "Docker engine"
    COMPOSE = "compose", "Compose project"
    KUBERNETES = "kubernetes", "Kubernetes cluster"
    PROMETHEUS = "prometheus", "Prometheus"
    ALERTMANAGER = "alertmanager", "Alertmanager"
    LOKI = "loki", "Loki"
    ELASTIC = "elastic", "Elasticsearch"
    GRAFANA = "grafana", "Grafana"
