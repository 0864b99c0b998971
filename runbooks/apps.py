from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from runbooks.compiler import programs


class RunbooksConfig(AppConfig):
    name = "runbooks"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops import audit, beats, health, sse
        from erpops.htmx import NavItem, nav
        from erpops.needs import needs
        from erpops.setup import steps
        from incidents import recovery
        from incidents.beginnings import beginnings
        from incidents.room import Panel, panels
        from runbooks import (
            beginning,
            bootstrap,
            command_user,
            containment,
            needed,
            output,
            procedures,
            reaper,
            record,
            record_check,
            stalled,
            variables,
            verification,
        )
        from runbooks import needs as waiting
        from runbooks.executors import executors, logql, lucene, promql, request, shell, sql
        from runbooks.views import room as runbook_room

        _own_programs()
        _people()
        steps.add("runbooks", bootstrap.prepare)
        needs.add("approvals", waiting.APPROVALS)
        sse.feeds.add("run", output.RunFeed())
        sse.feeds.add("execution", procedures.ProcedureFeed())
        sse.feeds.add("procedures", procedures.procedures_feed)
        beats.facts.add("programs", needed.facts)
        beats.facts.add("containment", lambda queues: {"containment": containment.level()})
        beats.facts.add("command_user", lambda queues: {"command_user": command_user.named()})
        beats.chores.add("spools", reaper.tend_spools)
        health.waits.add("stalled", stalled.sentences)
        variables.providers.add("targets", variables.of_targets)
        variables.providers.add("console", variables.of_the_console)
        for kind in shell.KINDS:
            executors.add(kind, shell.launch)
        executors.add("sql", sql.launch)
        executors.add("request", request.launch)
        executors.add("promql", promql.launch)
        executors.add("logql", logql.launch)
        executors.add("lucene", lucene.launch)
        audit.records.add(record.FORMAT, record_check.differences)
        nav.add("runbooks", NavItem("Runbooks", "runbooks", "runbooks", "see_console", ("/r/",), position=40, key="r"))
        nav.add(
            "procedures",
            NavItem("Procedures", "procedures", "procedures", "see_console", ("/p/",), position=35, key="p"),
        )
        recovery.questions.add("verification", verification.unverified)
        beginnings.add("runbooks", beginning.beginnings)
        panels.add("runbooks", Panel("main", "Runbook", "runbooks/room/panel.html", runbook_room.panel))


def _people() -> None:
    """What several people at one walk share: the baton, handovers, who is where."""
    # As in `ready`.
    from erpops.needs import needs
    from incidents import handover
    from incidents.room import places
    from runbooks import baton, handing, onlookers
    from runbooks import needs as waiting

    needs.add("batons", waiting.BATONS)
    handover.belongings.add("batons", handover.Belonging(baton.held, baton.hand_on))
    handover.facts.add("walks", handing.facts)
    places.add("walks", onlookers.in_words)


def _own_programs() -> None:
    """The installation's own table of programs; a broken one stops the start with a sentence."""
    if not settings.PROGRAMS:
        return
    try:
        programs.use(Path(settings.PROGRAMS))
    except programs.BadTable as error:
        raise ImproperlyConfigured(f"ERPOPS_PROGRAMS: {error}") from error
