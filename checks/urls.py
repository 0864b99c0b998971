"""Addresses of the checks layer."""

from django.urls import URLPattern, path

from checks.views import board, definitions

urlpatterns: list[URLPattern] = [
    path("checks/", board.board, name="checks"),
    path("checks/new", definitions.new, name="check_new"),
    path("checks/targets/", definitions.target_list, name="check_targets"),
    path("checks/targets/new", definitions.target_new, name="target_new"),
    path("checks/targets/<slug:name>/", definitions.target_edit, name="target_edit"),
    path("checks/targets/<slug:name>/remove", definitions.target_remove, name="target_remove"),
    path("checks/<slug:name>/", board.show, name="check"),
    path("checks/<slug:name>/run", board.run, name="check_run"),
    path("checks/<slug:name>/mute", board.mute, name="check_mute"),
    path("checks/<slug:name>/unmute", board.unmute, name="check_unmute"),
    path("checks/<slug:name>/preview", board.preview, name="check_preview"),
    path("checks/<slug:name>/thresholds", definitions.thresholds, name="check_thresholds"),
    path("checks/<slug:name>/edit", definitions.edit, name="check_edit"),
    path("checks/<slug:name>/remove", definitions.remove, name="check_remove"),
]
