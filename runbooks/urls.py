"""Addresses of the runbooks layer."""

from django.urls import path

from runbooks.views import commands, library, room, runs, steps

_walk = "i/<int:number>/run/<int:execution>"
_step = f"{_walk}/step/<int:position>"
_command = f"{_step}/command/<int:command>"
_run = "i/<int:number>/run/<int:run>"

urlpatterns = [
    path("r/", library.index, name="runbooks"),
    path("r/import", library.import_document, name="runbook_import"),
    path("r/<slug:slug>/", library.reader, name="runbook"),
    path("r/<slug:slug>/v/<int:number>/", library.version, name="runbook_version"),
    path("r/<slug:slug>/v/<int:number>/publish", library.publish, name="runbook_publish"),
    path("r/<slug:slug>/start", library.start_in, name="runbook_start"),
    path("i/<int:number>/runbooks/", room.finder, name="walk_finder"),
    path("i/<int:number>/runbooks/<slug:slug>/start", room.start, name="walk_start"),
    path(f"{_walk}/take", room.take_over, name="walk_take"),
    path(f"{_walk}/complete", room.complete, name="walk_complete"),
    path(f"{_walk}/abandon", room.abandon, name="walk_abandon"),
    path(f"{_step}/", room.step, name="walk_step"),
    path(f"{_step}/pulse", room.pulse, name="walk_pulse"),
    path(f"{_step}/viewed", room.viewed, name="step_viewed"),
    path(f"{_step}/values", steps.values, name="step_values"),
    path(f"{_step}/done", steps.done, name="step_done"),
    path(f"{_step}/skip", steps.skip, name="step_skip"),
    path(f"{_step}/reads", steps.reads, name="step_reads"),
    path(f"{_step}/paste", steps.paste, name="step_paste"),
    path(f"{_command}/confirm", commands.confirm, name="command_confirm"),
    path(f"{_command}/run", commands.run, name="command_run"),
    path(_run, runs.page, name="run_output"),
    path(f"{_run}/lines", runs.lines, name="run_lines"),
    path(f"{_run}/raw", runs.raw, name="run_raw"),
    path(f"{_run}/stop", runs.stop, name="run_stop"),
    path(f"{_run}/settle", runs.settle, name="run_settle"),
]
