"""Pictures in notes; written by `incidents.pictures`."""

from django.conf import settings
from django.db import models


class Picture(models.Model):
    """A picture that somebody pasted. `key` is its name in texts and addresses, nothing that a person chose.

    `topic` is what it belongs to (`incident:204`): who may see that sees it. `used` once a note shows it.
    """

    key = models.CharField(max_length=22, unique=True)
    topic = models.CharField(max_length=60)
    kind = models.CharField(max_length=4)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    data = models.BinaryField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    used = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["topic"], name="picture_topic")]

    def __str__(self) -> str:
        return f"picture {self.key} of {self.topic}"
