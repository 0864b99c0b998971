"""kill -9 of worker, web and engine of a real console, each while a command runs and a page is due."""

from functools import partial
from pathlib import Path

import pytest
import redis

from tests.faults.test_paging import mailbox, pages, send, stack, started_again, token_of
from tests.peers import Mailbox, rows, until
from tests.stack import Stack

__all__ = ["mailbox", "stack"]
pytestmark = pytest.mark.timeout(240)

_JOB = """#!/bin/sh
echo ran >> {ledger}
for tick in $(seq 30); do echo tick $tick; sleep 0.2; done
"""
_RUNBOOK = """# Ledger

## Diagnosis

1. **Write a line**
   ```bash
   sh {job}
   ```
"""
# What a person does in the room, said to the same functions.
_START = """
from django.contrib.auth.models import User
from incidents.models import Incident
from runbooks import executions, library, runner
from runbooks.gate import Confirmation
from runbooks.models import Runbook
admin = User.objects.get(username="admin")
library.import_text(text=open({document!r}).read(), path="ledger.md", by=admin, publish=True)
runbook = Runbook.objects.get(title="Ledger")
incident = Incident.objects.latest("pk")
execution = executions.start(runbook=runbook, incident=incident, environment=incident.environment, by=admin)
yes = Confirmation(yes=True, reason="a test", target=incident.environment.name)
runner.request(step_run=execution.steps.first(), command=0, by=admin, values={{}}, confirmation=yes)
"""


def test_a_command_and_a_page_outlive_whatever_is_killed(stack: Stack, mailbox: Mailbox, tmp_path: Path) -> None:
    token = token_of(stack)
    for victim in ("worker", "web", "engine"):
        place = tmp_path / victim
        place.mkdir()
        (place / "job.sh").write_text(_JOB.format(ledger=place / "ledger"))
        (place / "ledger.md").write_text(_RUNBOOK.format(job=place / "job.sh"))
        outlive(victim, stack, mailbox, token, place)


def outlive(victim: str, stack: Stack, mailbox: Mailbox, token: str, place: Path) -> None:
    """Start a command, raise an alert, kill; then count what really happened."""
    database = str(stack.services()["database_url"])
    send(stack, token, f"before-{victim}")
    stack.manage("shell", "-v0", "-c", _START.format(document=str(place / "ledger.md")))
    until((place / "ledger").exists, 30, "the command to start")
    send(stack, token, f"during-{victim}")
    killed = stack.kill(victim)
    redis.Redis.from_url(str(stack.services()["redis_url"])).flushall()
    until(partial(started_again, stack, victim, killed), 40, f"{victim} to be started again")
    latest = "SELECT status, exit_code FROM runbooks_commandrun WHERE id = (SELECT max(id) FROM runbooks_commandrun) "
    assert until(lambda: rows(database, latest + "AND ended_at IS NOT NULL"), 60, "its end") == [("succeeded", 0)]
    names = [f"before-{victim}", f"during-{victim}"]
    until(lambda: len(pages(mailbox, names)) == 2, 40, "both pages")
    assert set(pages(mailbox, names).values()) == {1}
    assert (place / "ledger").read_text() == "ran\n"
    chunks = (
        "SELECT data FROM runbooks_outputchunk WHERE run_id = (SELECT max(id) FROM runbooks_commandrun) ORDER BY seq"
    )
    written = b"".join(bytes(chunk) for (chunk,) in rows(database, chunks))
    assert written.splitlines() == [b"tick %d" % number for number in range(1, 31)]
