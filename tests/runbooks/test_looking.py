"""Without a runbook, a typed line runs if it plainly only reads; nothing else does."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from erpops import beats
from incidents import lifecycle
from incidents.models import Environment, Incident
from runbooks import addresses, looking, matching, page_queries, tasks
from runbooks.access import visible_runbooks
from runbooks.models import CommandRun, Execution, Runbook
from runbooks.refusals import Refused
from tests.runbooks.builders import output_of, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def incident() -> Incident:
    place = Environment.objects.create(name="test", label="Test")
    beats.beat(role="worker", queues=["env.test"])
    return lifecycle.open_incident(title="Strange noises", severity="SEV2", environment=place)


def test_a_line_that_reads_runs_like_any_other_command(incident: Incident) -> None:
    op = person("op", "operator")
    run = looking.look(incident=incident, line="  echo 'a  b' | tr a c ", by=op)
    tasks.run_command(run.pk)
    run.refresh_from_db()
    assert (run.status, run.risk, output_of(run)) == ("succeeded", "read", b"c  b\n")
    assert run.text == "echo 'a  b' | tr a c"
    again = looking.look(incident=incident, line="echo 'a  b' | tr a c", by=op)
    assert (again.step_run, again.attempt) == (run.step_run, 2)
    looking.look(incident=incident, line="true", by=op)
    assert Execution.objects.count() == 2
    assert Runbook.objects.count() == 1
    kinds = list(incident.events.values_list("kind", flat=True))
    assert "command.finished" in kinds
    assert any("looks without a runbook: `true`" in text for text in incident.events.values_list("text", flat=True))


def test_what_was_typed_is_in_no_library_and_matches_nothing(incident: Incident) -> None:
    op = person("op", "operator")
    looking.look(incident=incident, line="true", by=op)
    assert not visible_runbooks(op).exists()
    assert page_queries.waiting(Runbook.objects.all()) == []
    assert matching.match(incident=incident) == []


REFUSED = [
    ("touch {ran}", "rated CHANGE|rated DISRUPT|rated DESTROY"),
    ("rm -rf {ran}", "rated DESTROY"),
    ("cat /etc/hostname; touch {ran}", "rated"),
    ("echo x > {ran}", "rated"),
    ("true $(touch {ran})", "rated"),
    ("true `touch {ran}`", "rated"),
    ("find / -name x -exec touch {ran} +", "rated"),
    ("sh -c 'touch {ran}'", "rated"),
    ("eval touch {ran}", "rated"),
    ("xargs touch < /dev/null {ran}", "rated"),
    ("curl -X POST http://127.0.0.1:1/", "rated CHANGE"),
    ("frobnicate", r"rated DISRUPT \(unknown program frobnicate\)"),
    ("docker restart api", "rated DISRUPT"),
    ("SELECT pg_terminate_backend(1)", "rated DESTROY"),
    ("EXPLAIN ANALYZE DELETE FROM t", "rated"),
    ("WITH gone AS (DELETE FROM t RETURNING 1) SELECT * FROM gone", "rated"),
    ("cat .env", "may print a secret"),
    ("kubectl get pods -n <ns>", "value itself in place of ns"),
    ("true\ntouch {ran}", "one line"),
    ("true\rtouch {ran}", "one line"),
    ("~~~~~~\ntouch {ran}", "one line"),
    ("~~~~~~~", "one line"),
    ("# a comment", "one command"),
    ("", "Type a command"),
]


def test_whatever_else_is_refused_with_a_sentence(incident: Incident, tmp_path: Path) -> None:
    ran, op = tmp_path / "ran", person("op", "operator")
    for line, said in REFUSED:
        with pytest.raises(Refused, match=said):
            looking.look(incident=incident, line=line.format(ran=ran), by=op)
    assert not CommandRun.objects.exists()
    assert not ran.exists()


@pytest.mark.parametrize("roles", [("admin",), ("stakeholder",), ()])
def test_who_may_not_run_commands_may_not_look_either(incident: Incident, client: Client, roles: tuple[str]) -> None:
    user = person("somebody", *roles)
    with pytest.raises(Refused, match="not among your permissions"):
        looking.look(incident=incident, line="true", by=user)
    client.force_login(user)
    assert client.post(reverse("walk_look", args=[incident.pk]), {"line": "true"}).status_code in {403, 404}
    assert not Execution.objects.exists()


def test_the_room_takes_the_line_and_opens_what_it_printed(incident: Incident, client: Client) -> None:
    client.force_login(person("op", "operator"))
    room = client.get(reverse("room", args=[incident.pk])).content.decode()
    assert "Work without a runbook" in room
    address = reverse("walk_look", args=[incident.pk])
    refused = client.post(address, {"line": "rm -r x"}, headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert "rated DESTROY" in refused.content.decode()
    assert 'value="rm -r x"' in refused.content.decode()
    assert "rated DESTROY" in client.post(address, {"line": "rm -r x"}, follow=True).content.decode()
    answer = client.post(address, {"line": "uname"})
    execution = Execution.objects.get()
    assert answer.headers["Location"] == addresses.of_walk(execution, "walk_step", position=0)
    page = client.get(answer.headers["Location"]).content.decode()
    assert "uname" in page
    version = reverse("runbook_version", args=[execution.version.runbook.slug, execution.version.number])
    assert version in page
    assert client.get(version).status_code == 200
