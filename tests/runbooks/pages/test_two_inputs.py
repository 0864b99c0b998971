"""No single input starts what users may notice: every control of the room is pressed, every address is posted to."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, reverse

from erpops import beats
from incidents import lifecycle
from incidents.models import Environment, Incident
from runbooks import approvals, executions, gate, page_marks, runner
from runbooks.models import CommandRun, Execution
from runbooks.urls import urlpatterns
from runbooks.views.walking import Walk
from tests.runbooks.pages.conftest import HTMX, at, command, compiled, phase, shelve, step

UP = [{"text": "prints up", "line": 2, "assertion": {"type": "contains", "value": "up"}}]
DOCUMENT = compiled(
    phase(
        "resolution",
        step("Look", command("uptime", expected=UP), command("df -h")),
        step("Restart", command("uptime"), command("docker restart api", risk="disrupt")),
        step("Remove", command("uptime"), command("docker rm -f api", risk="destroy")),
        step("Both", command("docker stop api", risk="disrupt"), command("docker rm -f db", risk="destroy")),
    ),
    title="Api hangs",
)
# What a gate reads, and whatever else any form of the walk sends.
GATE_FIELDS = {
    "confirm": "yes",
    "why": gate.REASONS[0],
    "reason": "users are down",
    "target": "api",
    "until": "holds",
}
FIELDS = {
    **GATE_FIELDS,
    "verdict": "approve",
    "after": "0",
    "command": "1",
    "note": "done",
    "item": "0",
    "ticked": "1",
    "position": "1",
    "value:pid": "1",
    "text": "printed",
    "comment": "fine by me, it is needed",
    "risk": "read",
    "gate": "read",
    "waits": "1",
}


@dataclass
class Form:
    """A form of a page: where it goes, what it sends unasked, and its buttons."""

    url: str
    sends: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Controls(HTMLParser):
    """Everything on a page that can be pressed once: forms, links, and what asks by itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: set[str] = set()
        self.posts: set[str] = set()
        self.keyed: list[str] = []
        self._form: Form | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.links |= {given[name] for name in ("href", "hx-get", "data-sheet-url") if given.get(name)}
        if tag == "form":
            self._form = None
            if given.get("method", "").lower() == "post" or "hx-post" in given:
                self._form = Form(given.get("action") or given["hx-post"])
                self.forms.append(self._form)
        elif "hx-post" in given:
            self.posts.add(given["hx-post"])
        if self._form is not None and tag == "input" and given.get("type") == "hidden" and "name" in given:
            self._form.sends[given["name"]] = given.get("value", "")
        if self._form is not None and tag == "button" and given.get("type", "submit") == "submit":
            self._form.buttons.append((given.get("name", ""), given.get("value", "")))
        if "data-key" in given:
            self.keyed.append(self._form.url if self._form else given.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


@dataclass
class Room:
    """A walk, the browser of its holder, and what runs in it that is more than reading."""

    execution: Execution
    client: Client
    holder: User

    def page(self, position: int) -> str:
        return self.client.get(at(self.execution, position)).content.decode()

    def post(self, url: str, sent: dict[str, str], headers: dict[str, str] | None = None) -> list[str]:
        """What one post starts; nothing of it stays."""
        return self.alone(partial(self.client.post, url, sent, headers=headers or {}))

    def started(self) -> list[str]:
        return list(CommandRun.objects.exclude(risk="read").values_list("text", flat=True))

    def alone(self, act: Callable[[], object]) -> list[str]:
        """What `act` starts; nothing of it stays."""
        # One of the controls signs out.
        kept = deepcopy(self.client.cookies)
        with transaction.atomic():
            before = set(self.started())
            act()
            found = [text for text in self.started() if text not in before]
            transaction.set_rollback(True)
        self.client.cookies = kept
        return found


@pytest.fixture(params=["production", pytest.param("staging", marks=pytest.mark.slow)])
def room(request: pytest.FixtureRequest, db: None, operator: User, signed_in: Callable[[User], Client]) -> Room:
    where = Environment.objects.create(
        name=request.param, label=request.param.capitalize(), is_production=request.param == "production"
    )
    beats.beat(role="worker", queues=[f"env.{where.name}"])
    incident = lifecycle.open_incident(title="Api hangs", severity="SEV2", environment=where, by=operator)
    execution = executions.start(
        runbook=shelve(DOCUMENT, slug="api"), incident=incident, environment=where, by=operator
    )
    return Room(execution, signed_in(operator), operator)


def routes() -> Iterator[URLPattern]:
    for pattern in urlpatterns:
        if pattern.name:
            yield pattern


def addresses(execution: Execution, pattern: URLPattern, positions: Sequence[int]) -> list[str]:
    """Every address of these steps of the walk that the pattern takes."""
    names = set(pattern.pattern.converters)
    found = []
    for position in positions:
        for index in range(2):
            values: dict[str, int | str] = {
                "position": position,
                "command": index,
                "execution": execution.pk,
                "run": 1,
                "approval": 1,
            }
            values |= {"number": execution.incident_id or 0, "slug": "api"}
            try:
                found.append(reverse(pattern.name or "", kwargs={name: values[name] for name in names}))
            except (NoReverseMatch, KeyError):
                return []
    return list(dict.fromkeys(found))


def shown(room: Room, position: int, index: int) -> str:
    opened = Walk(user=room.holder, execution=room.execution, position=position)
    return page_marks.digest(opened.step.commands[index])


def pressed(room: Room, html: str) -> dict[str, list[str]]:
    """What each single control of a page starts."""
    controls, found = Controls(html), {}
    for form in controls.forms:
        for name, value in form.buttons or [("", "")]:
            sent = {**form.sends, **({name: value} if name else {})}
            found[f"{form.url} {name}={value}"] = room.post(form.url, sent, HTMX)
    for url in controls.posts:
        found[url] = room.post(url, {}, HTMX)
    for url in controls.links:
        if url.startswith("/") and not url.startswith("/static/"):
            found[url] = room.alone(partial(room.client.get, url, headers=HTMX))
    return found


@pytest.mark.parametrize(
    "position", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 3]
)
def test_no_control_of_the_room_starts_anything_at_one_press(room: Room, position: int) -> None:
    html = room.page(position)
    found = pressed(room, html)
    assert {url: started for url, started in found.items() if started} == {}
    assert len(found) > 8
    posts = [form.url for form in Controls(html).forms]
    assert not {at(room.execution, position, "command_run", index) for index in (0, 1)[position < 3 :]} & set(posts)


def test_no_key_is_bound_to_more_than_reading(room: Room) -> None:
    for position, index in ((1, 1), (2, 1), (3, 0), (3, 1)):
        keyed = Controls(room.page(position)).keyed
        assert not {at(room.execution, position, name, index) for name in ("command_run", "command_confirm")} & set(
            keyed
        )


def opened_by(room: Room, positions: Sequence[int], *, everywhere: bool) -> tuple[dict[str, list[str]], int]:
    """What a post with a single field starts, at every address of these steps; and how many were tried.

    Without `everywhere` the fields are tried where commands are run, and the other addresses get an empty post.
    """
    found, tried = {}, 0
    for url in (url for pattern in routes() for url in addresses(room.execution, pattern, positions)):
        fields = dict(FIELDS if everywhere else GATE_FIELDS)
        if "/command/" in url:
            position, index = (int(url.split(word)[1].partition("/")[0]) for word in ("/step/", "/command/"))
            fields["shown"] = shown(room, position, index)
        single = [{name: value} for name, value in fields.items()]
        for sent in [{}, *(single if everywhere or "/command/" in url else [])]:
            tried += 1
            if started := room.post(url, sent):
                found[f"{url} {sent}"] = started
    return found, tried


def test_no_address_starts_anything_with_a_single_field(room: Room) -> None:
    found, tried = opened_by(room, [3], everywhere=False)
    assert found == {}
    assert tried > 40


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_address_at_all_starts_anything_with_a_single_field(room: Room) -> None:
    found, tried = opened_by(room, [1, 2, 3], everywhere=True)
    assert found == {}
    assert tried > 900


def test_running_all_reads_and_waiting_stop_before_anything_else(room: Room) -> None:
    sent = {"after": "0", "until": "holds", "confirm": "yes"}
    for position in (1, 2):
        assert room.post(at(room.execution, position, "step_reads"), sent, HTMX) == []
    waiting = {"until": "holds", "confirm": "yes", "shown": shown(room, 1, 1)}
    if room.execution.environment.is_production:
        assert room.post(at(room.execution, 1, "command_run", 1), waiting) == []


def test_an_approved_command_still_takes_its_sheet_and_a_confirmation(room: Room, lead: User) -> None:
    if not room.execution.environment.is_production:
        return
    here = room.execution.steps.get(position=2)
    given = gate.Confirmation(yes=True, reason="beyond repair", target="api")
    approval = approvals.ask(step_run=here, command=1, by=room.holder, given=given)
    approvals.approve(approval=approval, by=lead, target="api")
    found = pressed(room, room.page(2)) | pressed(room, room.client.get("/").content.decode())
    found |= pressed(room, room.client.get(reverse("approval", args=[approval.pk])).content.decode())
    assert {url: started for url, started in found.items() if started} == {}
    url, digest = at(room.execution, 2, "command_run", 1), shown(room, 2, 1)
    assert room.post(url, {"confirm": "yes"}) == []
    assert room.post(url, {"shown": digest}) == []
    assert room.post(url, {"confirm": "yes", "shown": digest}) == ["docker rm -f api"]


def test_two_inputs_are_enough_where_two_are_asked_for(room: Room) -> None:
    url = at(room.execution, 1, "command_run", 1)
    sheet = Controls(room.client.get(at(room.execution, 1, "command_confirm", 1), headers=HTMX).content.decode())
    [form] = [form for form in sheet.forms if form.url == url]
    production = room.execution.environment.is_production
    assert room.post(url, form.sends) == ([] if production else ["docker restart api"])
    assert room.post(url, form.sends | {"why": gate.REASONS[0]}) == ["docker restart api"]


def test_the_runner_itself_starts_nothing_on_a_word(room: Room) -> None:
    assert isinstance(room.execution.incident, Incident)
    for position, index in ((1, 1), (2, 1), (3, 0), (3, 1)):
        here = room.execution.steps.get(position=position)
        with pytest.raises(runner.Refused):
            runner.request(step_run=here, command=index, by=room.holder)
    assert room.started() == []
