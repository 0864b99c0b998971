"""Addresses of the runbooks layer."""

from django.urls import URLPattern, path

from runbooks.views import (
    approvals,
    baton,
    commands,
    deciding,
    editor,
    finding,
    importing,
    library,
    lint,
    procedures,
    room,
    runs,
    shelves,
    steps,
    workers,
)


def _walk(below: str) -> list[URLPattern]:
    """The pages of a walk, below its incident or below itself; the same names, told apart by what they are given."""
    step, command = f"{below}/step/<int:position>", f"{below}/step/<int:position>/command/<int:command>"
    return [
        path(f"{below}/take", baton.take, name="walk_take"),
        path(f"{below}/baton/<int:asked>", baton.answer, name="walk_baton"),
        path(f"{below}/pause", baton.pause, name="walk_pause"),
        path(f"{below}/here", room.here, name="walk_here"),
        path(f"{below}/complete", room.complete, name="walk_complete"),
        path(f"{below}/abandon", room.abandon, name="walk_abandon"),
        path(f"{below}/output", finding.page, name="walk_output"),
        path(f"{step}/", room.step, name="walk_step"),
        path(f"{step}/pulse", room.pulse, name="walk_pulse"),
        path(f"{step}/viewed", room.viewed, name="step_viewed"),
        path(f"{step}/values", steps.values, name="step_values"),
        path(f"{step}/tick", steps.tick, name="step_tick"),
        path(f"{step}/done", steps.done, name="step_done"),
        path(f"{step}/skip", steps.skip, name="step_skip"),
        path(f"{step}/reads", steps.reads, name="step_reads"),
        path(f"{step}/paste", steps.paste, name="step_paste"),
        path(f"{step}/decide", deciding.decide, name="step_decide"),
        path(f"{step}/go", deciding.go, name="step_go"),
        path(f"{step}/observe", deciding.observe, name="step_observe"),
        path(f"{step}/wait", deciding.wait, name="step_wait"),
        path(f"{step}/resume", deciding.resume, name="step_resume"),
        path(f"{step}/refer/<slug:slug>", room.refer, name="step_refer"),
        path(f"{command}/confirm", commands.confirm, name="command_confirm"),
        path(f"{command}/run", commands.run, name="command_run"),
        path(f"{command}/ask", commands.ask, name="command_ask"),
    ]


def _run(below: str) -> list[URLPattern]:
    """The pages of one attempt of a command."""
    return [
        path(below, runs.page, name="run_output"),
        path(f"{below}/lines", runs.lines, name="run_lines"),
        path(f"{below}/raw", runs.raw, name="run_raw"),
        path(f"{below}/pinned", runs.pinned, name="run_pinned"),
        path(f"{below}/pin", runs.pin, name="run_pin"),
        path(f"{below}/stop", runs.stop, name="run_stop"),
        path(f"{below}/settle", runs.settle, name="run_settle"),
    ]


urlpatterns = [
    path("workers/", workers.show, name="workers"),
    path("approvals/<int:approval>/", approvals.page, name="approval"),
    path("approvals/<int:approval>/answer", approvals.answer, name="approval_answer"),
    path("approvals/<int:approval>/withdraw", approvals.withdraw, name="approval_withdraw"),
    path("approvals/<int:approval>/glass", approvals.break_glass, name="approval_glass"),
    path("r/", library.index, name="runbooks"),
    path("r/import", importing.start, name="runbook_import"),
    path("r/import/<int:batch>/clean", importing.clean, name="import_clean"),
    path("r/import/<int:batch>/split", importing.split, name="import_split"),
    path("r/import/<int:batch>/review", importing.review, name="import_review"),
    path("r/import/<int:batch>/publish", importing.publish, name="import_publish"),
    path("r/import/<int:batch>/discard", importing.discard, name="import_discard"),
    path("r/import/<int:batch>/file/<int:file>", importing.act, name="import_act"),
    path("r/rules/", lint.index, name="lint_rules"),
    path("r/rules/<str:name>/", lint.rule, name="lint_rule"),
    path("r/new", editor.new, name="runbook_new"),
    path("r/preview", editor.preview, name="runbook_preview_new"),
    path("r/review/", shelves.waiting, name="runbooks_waiting"),
    path("r/conflicts/", shelves.conflicts, name="runbooks_conflicts"),
    path("r/gaps/", shelves.missing, name="runbooks_gaps"),
    path("r/export.zip", shelves.export_all, name="runbooks_export"),
    path("r/imported/", importing.items, name="imported_items"),
    path("r/imported/<int:item>", importing.decide_item, name="imported_item"),
    path("r/<slug:slug>/", library.reader, name="runbook"),
    path("r/<slug:slug>/v/<int:number>/", library.version, name="runbook_version"),
    path("r/<slug:slug>/v/<int:number>/publish", library.publish, name="runbook_publish"),
    path("r/<slug:slug>/v/<int:number>/propose", editor.propose, name="runbook_propose"),
    path("r/<slug:slug>/v/<int:number>/reject", editor.reject, name="runbook_reject"),
    path("r/<slug:slug>/v/<int:number>/restore", editor.restore, name="runbook_restore"),
    path("r/<slug:slug>/diff/<int:old>/<int:new>/", editor.difference, name="runbook_diff"),
    path("r/<slug:slug>/edit", editor.edit, name="runbook_edit"),
    path("r/<slug:slug>/preview", editor.preview, name="runbook_preview"),
    path("r/<slug:slug>/export.md", shelves.export, name="runbook_export"),
    path("r/<slug:slug>/start", library.start_in, name="runbook_start"),
    path("i/<int:number>/runbooks/", room.finder, name="walk_finder"),
    path("i/<int:number>/runbooks/<slug:slug>/start", room.start, name="walk_start"),
    *_walk("i/<int:number>/run/<int:execution>"),
    *_run("i/<int:number>/run/<int:run>"),
    path("p/", procedures.index, name="procedures"),
    path("p/start/<slug:slug>", procedures.start, name="procedure_start"),
    path("p/<int:execution>/", procedures.room, name="procedure"),
    path("p/<int:execution>/journal", procedures.journal, name="procedure_journal"),
    path("p/<int:execution>/picture", procedures.picture, name="procedure_picture"),
    path("p/<int:execution>/note", procedures.note, name="procedure_note"),
    *_walk("p/<int:execution>"),
    *_run("p/<int:execution>/run/<int:run>"),
]
