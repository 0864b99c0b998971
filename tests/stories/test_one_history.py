"""Two people with two tabs each act on one walk at the same moment: what stands afterwards is one legal history.

Each interleaving is a walk of its own, played through the real views by four threads, with a worker beside them. The
database logs every change of a status and of the baton by triggers, so what is judged is what happened, not what
the code says about it.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from io import BytesIO
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.test import Client, RequestFactory

from erpops import access, audit
from erpops.models import AuditEntry
from incidents import lifecycle
from incidents.models import Incident, TimelineEvent
from runbooks import baton, executions, runner
from runbooks.models import BatonRequest, CommandRun, Execution
from tests.clock import Clock, clock
from tests.runbooks.builders import Walk, command, compiled, person, phase, step, walk_of

__all__ = ["clock"]
pytestmark = pytest.mark.timeout(1800)
TABS = 2
ACTS_A_TAB = 2
MACHINES = {
    "runbooks_execution": executions.EXECUTION,
    "runbooks_steprun": executions.STEP,
    "runbooks_commandrun": runner.RUN,
    "runbooks_batonrequest": baton.REQUEST,
    "incidents_incident": lifecycle.STATUS,
}
LIVE = {"queued", "claimed", "running"}
# Acts that only the holder of the baton may do.
HOLDERS: tuple[str, ...] = (
    "step.done",
    "step.skipped",
    "step.ticked",
    "step.decided",
    "step.resumed",
    "command.requested",
)
HOLDERS += ("command.stopping", "execution.completed", "execution.paused", "execution.baton_kept")
_LOG = """
DROP TABLE IF EXISTS moves;
CREATE TABLE moves (n bigserial, place text, id bigint, field text, before text, after text);
CREATE OR REPLACE FUNCTION log_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF OLD.status IS DISTINCT FROM NEW.status THEN
    INSERT INTO moves (place, id, field, before, after)
    VALUES (TG_TABLE_NAME, NEW.id, 'status', OLD.status, NEW.status);
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION log_baton() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF OLD.holder_id IS DISTINCT FROM NEW.holder_id THEN
    INSERT INTO moves (place, id, field, before, after)
    VALUES (TG_TABLE_NAME, NEW.id, 'holder', OLD.holder_id::text, NEW.holder_id::text);
  END IF;
  RETURN NULL;
END $$;
"""


class Tab:
    """A browser tab of a signed-in person that speaks to the console in this process, also from a thread."""

    def __init__(self, user: User) -> None:
        client = Client()
        client.force_login(user)
        self.user = user
        self._cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value})
        self._cookies[settings.CSRF_COOKIE_NAME] = "x" * 32
        self._handler = WSGIHandler()

    def post(self, path: str, **form: str) -> int:
        """The status of the answer to a plain form."""
        body = urlencode(form).encode()
        environ = RequestFactory().post("/").environ | {
            "PATH_INFO": path,
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_COOKIE": "; ".join(f"{name}={each.value}" for name, each in self._cookies.items()),
            "HTTP_X_CSRFTOKEN": "x" * 32,
            "wsgi.input": BytesIO(body),
        }
        statuses: list[int] = []
        answer = self._handler(environ, lambda status, headers, exc=None: statuses.append(int(status[:3])))  # type: ignore[arg-type]
        b"".join(answer)
        answer.close()
        return statuses[0]


Act = Callable[[Tab, Walk, random.Random], tuple[str, int]]


def _at(place: Walk, rest: str) -> str:
    return f"/i/{place.incident.pk}/run/{place.execution.pk}/{rest}"


def _run(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    number = dice.choice((0, 0, 1))
    return "run", tab.post(_at(place, f"step/0/command/{number}/run"), confirm="yes")


def _skip(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    return "skip", tab.post(_at(place, f"step/{dice.randrange(4)}/skip"), reason="not applicable")


def _decide(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    step, choice = dice.choice((1, 2)), dice.choice(("1", "2", "none", "unsure"))
    return "decide", tab.post(_at(place, f"step/{step}/decide"), choice=choice, reason=dice.choice(("", "rather so")))


def _done(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    return "done", tab.post(_at(place, f"step/{dice.randrange(4)}/done"), note="seen")


def _take(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    return "take over", tab.post(_at(place, "take"), position="0")


def _leave(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    return "pause", tab.post(_at(place, "pause"), position="0")


def _answer(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    asked = BatonRequest.objects.filter(execution=place.execution).order_by("-pk").first()
    if asked is None:
        return "take over", tab.post(_at(place, "take"), position="0")
    word = dice.choice(("give", "give", "keep", "withdraw"))
    return word, tab.post(_at(place, f"baton/{asked.pk}"), position="0", answer=word)


def _stop(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    run = CommandRun.objects.filter(step_run__execution=place.execution).order_by("-pk").first()
    if run is None:
        return _run(tab, place, dice)
    return "stop", tab.post(f"/i/{place.incident.pk}/run/{run.pk}/stop")


def _complete(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    return "complete", tab.post(_at(place, "complete"), position="0", note="left as it is")


def _resolve(tab: Tab, place: Walk, dice: random.Random) -> tuple[str, int]:
    return "resolve", tab.post(f"/i/{place.incident.pk}/resolve", reason="it was the disk", unverified="no time")


ACTS: tuple[Act, ...] = (
    *(_run, _run, _run, _skip, _skip, _decide, _decide, _done, _take, _take),
    *(_leave, _answer, _answer, _stop, _stop, _complete, _resolve),
)


@dataclass
class Crowd:
    """Threads that play rounds together, each with a connection of its own for all of them."""

    tabs: list[Tab]
    answers: list[tuple[str, int]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def play(self, place: Walk, seed: int) -> None:
        """Every tab does its acts at the same time as the others."""
        start = threading.Barrier(len(self.tabs))
        threads = [
            threading.Thread(target=self._acts, args=(tab, place, random.Random(f"{seed}.{n}"), start))
            for n, tab in enumerate(self.tabs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), f"interleaving {seed} hangs"

    def _acts(self, tab: Tab, place: Walk, dice: random.Random, start: threading.Barrier) -> None:
        try:
            start.wait(30)
            for _ in range(ACTS_A_TAB):
                time.sleep(dice.random() * 0.004)
                self.answers.append(dice.choice(ACTS)(tab, place, dice))
        except BaseException as error:
            self.errors.append(error)
        finally:
            connections.close_all()


@contextmanager
def a_worker() -> Iterator[None]:
    """Ends commands as a worker does, without starting anything, while the block runs."""
    over = threading.Event()
    dice = random.Random(7)

    def work() -> None:
        try:
            while not over.wait(0.002):
                for pk in CommandRun.objects.filter(status="queued").values_list("pk", flat=True):
                    run = runner.claim(run_id=pk, host="here", owner="here")
                    if run is None:
                        continue
                    over.wait(dice.random() * 0.006)
                    if not runner.started(run=run, containment="none"):
                        runner.finish(run=run, outcome=runner.why_not_started(run))
                        continue
                    over.wait(dice.random() * 0.006)
                    asked = CommandRun.objects.get(pk=pk).stop_requested_at
                    how, code = ("stopped", None) if asked else dice.choice((("succeeded", 0), ("failed", 1)))
                    runner.finish(run=run, outcome=runner.Outcome(runner.R(how), exit_code=code))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
        deadline = time.monotonic() + 15
        while CommandRun.objects.filter(status__in=LIVE).exists():
            assert time.monotonic() < deadline, "a command did not end"
            time.sleep(0.005)
    finally:
        over.set()
        thread.join(10)


def faults_of(place: Walk) -> list[str]:
    """What is not as it must be about one walk's history."""
    incident = Incident.objects.get(pk=place.incident.pk)
    execution = Execution.objects.get(pk=place.execution.pk)
    events = list(incident.events.select_related("actor").order_by("seq"))
    numbered = [event.seq for event in events] == list(range(1, incident.event_seq + 1))
    return [
        *([] if numbered else ["the timeline has a gap"]),
        *_acts_without_the_baton(events, place.user.pk, execution.holder_id),
        *_told_wrongly(events, incident, execution),
    ]


def _acts_without_the_baton(events: list[TimelineEvent], first: int, last: int | None) -> list[str]:
    holder, over, wrong = first, False, []
    for event in events:
        if event.kind == "execution.taken_over":
            holder = event.actor_id or 0
        if event.kind in HOLDERS and event.actor_id not in {None, holder}:
            wrong.append(f"#{event.seq} {event.kind} by somebody without the baton")
        if event.kind in HOLDERS and event.actor_id is not None and over:
            wrong.append(f"#{event.seq} {event.kind} after the end")
        over = over or event.kind == "execution.completed"
    return wrong if holder == last else [*wrong, "the baton is not where the timeline says"]


def _told_wrongly(events: list[TimelineEvent], incident: Incident, execution: Execution) -> list[str]:
    """What happened and stands there not at all, or more than once."""
    told = Counter(event.kind for event in events)
    of_runs = Counter((event.kind, event.data.get("run")) for event in events)
    runs = CommandRun.objects.filter(step_run__execution=execution).values_list("pk", flat=True)
    expected = {
        f"{kind} of run {pk}": of_runs[kind, pk] for kind in ("command.requested", "command.finished") for pk in runs
    }
    wrong = [f"{what} is told {count} times" for what, count in expected.items() if count != 1]
    walked = f"place = 'runbooks_execution' AND id = {execution.pk}"
    happened = {
        "execution.completed": moves(f"{walked} AND after = 'completed'"),
        "execution.taken_over": moves(f"{walked} AND field = 'holder'"),
        "incident.resolved": moves(f"place = 'incidents_incident' AND id = {incident.pk} AND after = 'resolved'"),
    }
    wrong += [
        f"{kind}: {len(rows)} times, told {told[kind]}" for kind, rows in happened.items() if len(rows) != told[kind]
    ]
    audited = AuditEntry.objects.filter(target=f"execution:{execution.pk}").values_list("action", flat=True)
    if Counter(audited) != Counter(event.kind for event in events if event.data.get("execution") == execution.pk):
        wrong.append("audit and timeline differ")
    return wrong


def moves(where: str) -> list[tuple[str, int, str, str, str]]:
    """The log of changes, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT place, id, field, before, after FROM moves WHERE {where} ORDER BY n")
        return list(cursor.fetchall())


def illegal_moves() -> list[str]:
    """Changes of a status that its machine does not have."""
    return [
        f"{place} {pk}: {before} → {after}"
        for place, pk, _, before, after in moves("field = 'status'")
        if after not in MACHINES[place].moves.get(before, set())
    ]


@pytest.fixture
def logged(clock: Clock) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(_LOG)
        for table in MACHINES:
            cursor.execute(f"CREATE TRIGGER log_move AFTER UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION log_move()")
        cursor.execute(
            "CREATE TRIGGER log_baton AFTER UPDATE ON runbooks_execution FOR EACH ROW EXECUTE FUNCTION log_baton()"
        )
    yield
    with connection.cursor() as cursor:
        for table in MACHINES:
            cursor.execute(f"DROP TRIGGER log_move ON {table}")
        cursor.execute("DROP TRIGGER log_baton ON runbooks_execution")
        cursor.execute("DROP TABLE moves")


def _first() -> Walk:
    ways = (step(name, option_group="ways") for name in ("Clean up", "Extend"))
    look = step("Look", command("df -h"), command("sync", "change"))
    return walk_of(compiled("Disk full", phase("diagnosis", look), phase("resolution", *ways, step("Ask"))))


def _next(before: Walk) -> Walk:
    """The same runbook for another incident."""
    where, runbook = before.execution.environment, before.execution.version.runbook
    incident = lifecycle.open_incident(title="Again", severity="SEV2", environment=where, by=before.user)
    execution = executions.start(runbook=runbook, incident=incident, environment=where, by=before.user)
    return Walk(execution, before.user, incident)


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_two_people_with_two_tabs_leave_one_legal_history(logged: None, clock: Clock, count: int) -> None:
    place = _first()
    other = person("other", access.OPERATOR)
    crowd = Crowd([Tab(user) for user in (place.user, other) for _ in range(TABS)])
    wrong: dict[int, list[str]] = {}
    with a_worker():
        for seed in range(count):
            place = _next(place) if seed else place
            if seed % 3 == 0:
                # The holder has done nothing for two minutes: the baton is whoever's comes first.
                Execution.objects.filter(pk=place.execution.pk).update(acted_at=None, started_at="2020-01-01T00:00Z")
            if seed % 3 == 1:
                baton.take_over(execution=place.execution, by=other)
            crowd.play(place, seed)
    for walked in Execution.objects.select_related("incident", "started_by"):
        assert walked.incident is not None
        if found := faults_of(Walk(walked, walked.started_by, walked.incident)):
            wrong[walked.pk] = found
    assert crowd.errors == []
    assert wrong == {}
    assert illegal_moves() == []
    assert list(audit.faults()) == []
    statuses = Counter(status for _, status in crowd.answers)
    assert set(statuses) <= {302, 409, 422}, statuses
    done = Counter(name for name, _ in crowd.answers)
    assert len(crowd.answers) == count * 2 * TABS * ACTS_A_TAB
    assert {"run", "skip", "decide", "take over", "stop", "complete", "resolve", "give"} <= set(done)
    kinds = Counter(row[2] for row in moves("true"))
    assert kinds["holder"] > count / 10, "the baton moved"
