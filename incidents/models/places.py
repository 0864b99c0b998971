"""What breaks and where."""

from django.db import models


class Environment(models.Model):
    """Where things run: production, staging, erpops itself.

    `restricted` environments are seen only by people with a grant on them (`incidents.access`).
    `variables` are plain values that commands run there receive; secrets do not belong in them. `folder` is where
    shell commands start, on the worker or on the shell host; empty: each in an empty directory of its own.
    """

    name = models.SlugField(max_length=40, unique=True)
    label = models.CharField(max_length=80)
    is_production = models.BooleanField(default=False)
    restricted = models.BooleanField(default=False)
    variables = models.JSONField(default=dict, blank=True)
    folder = models.CharField(max_length=400, blank=True, default="")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]
        permissions = [("operate_environment", "Can work incidents and run commands here")]

    def __str__(self) -> str:
        return self.label


class Service(models.Model):
    """Something that users depend on. Stakeholders read `public_name` and nothing else of it."""

    name = models.SlugField(max_length=60, unique=True)
    label = models.CharField(max_length=80)
    public_name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.label
