"""Things that can be reached."""

from django.db import models
from django.db.models import Q

from checks.choices import TargetKind
from erpops.secrets import EncryptedField


class Target(models.Model):
    """A reachable thing in an environment. An admin registered it, so its address may be private.

    `address` is a URL, host:port or path, by kind. `credential` is write-only. `setting` names a
    setting of erpops that holds the address instead (the console's own database and broker move
    between ports).
    """

    name = models.SlugField(max_length=60, unique=True)
    label = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=TargetKind)
    environment = models.ForeignKey("incidents.Environment", models.PROTECT, related_name="targets")
    service = models.ForeignKey("incidents.Service", models.SET_NULL, null=True, blank=True, related_name="targets")
    address = models.CharField(max_length=500, blank=True, default="")
    setting = models.CharField(max_length=40, blank=True, default="")
    credential = EncryptedField(blank=True, default="")
    # To the minute; see checks.credentials.
    credential_used_at = models.DateTimeField(null=True, blank=True)
    # The first day on which it is not valid any more, as far as an admin knows.
    credential_expires_on = models.DateField(null=True, blank=True)
    # Public: certificates of its authority, or its host keys.
    trust = models.TextField(blank=True, default="")
    # Shell commands of the environment run there and not on the worker; one such host for each environment.
    carries_shell = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["environment", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=Q(carries_shell=True), name="one_shell_host_for_each_environment"
            )
        ]

    def __str__(self) -> str:
        return self.label
