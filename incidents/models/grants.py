"""Per-object grants with real foreign keys: deleting the object deletes its grants."""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase


class EnvironmentUserGrant(UserObjectPermissionBase):
    content_object = models.ForeignKey("incidents.Environment", models.CASCADE)


class EnvironmentGroupGrant(GroupObjectPermissionBase):
    content_object = models.ForeignKey("incidents.Environment", models.CASCADE)


class IncidentUserGrant(UserObjectPermissionBase):
    content_object = models.ForeignKey("incidents.Incident", models.CASCADE)


class IncidentGroupGrant(GroupObjectPermissionBase):
    content_object = models.ForeignKey("incidents.Incident", models.CASCADE)
