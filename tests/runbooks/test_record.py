"""A record says all that was done, nothing that is secret, and can be checked against the audit chain."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from erpops.models import AuditEntry
from runbooks import addresses, approvals, decisions, executions, gate, record, record_markdown, runner, tasks
from runbooks.models import CommandRun
from tests.runbooks.builders import Walk, command, compiled, person, phase, step, walk_of
from tests.runbooks.running import run_now

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "hunter2-of-the-night"


@pytest.fixture
def walk() -> Walk:
    """A walk with a failed and a repeated command, a secret, a step that was skipped, and its end."""
    place = walk_of(
        compiled(
            "Database is *down*",
            phase(
                "diagnosis",
                step(
                    "Look",
                    command(
                        "echo <host> <api-token>",
                        parameters=[{"name": "host"}, {"name": "api-token"}],
                    ),
                    command("echo '```'; printf '\\033[31mred\\033[0m\\n'"),
                ),
                step("Call somebody"),
            ),
        )
    )
    executions.set_values(execution=place.execution, values={"host": "db-1", "api-token": SECRET}, by=place.user)
    run_now(place)
    run_now(place)
    run_now(place, 1)
    executions.skip(step_run=place.step(1), reason="too risky now", by=place.user)
    return place


def written(walk: Walk, tmp_path: Path, change: Callable[[dict[str, Any]], object] | None = None) -> Path:
    """The JSON file, after somebody has worked on it."""
    walk.execution.refresh_from_db()
    found = record.export(execution=walk.execution, by=walk.user, form="json")
    if change:
        change(found)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    """What the command says about the file, without its name."""
    try:
        call_command("audit_verify", record=[path])
    except CommandError as error:
        return [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
    return []


def resealed(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], None]:
    """A forger who computes the seal anew."""

    def forge(found: dict[str, Any]) -> None:
        change(found)
        found["sha256"] = record.seal(found)

    return forge


def past_the_triggers(sql: str) -> None:
    """As somebody who owns the tables would."""
    with connection.cursor() as cursor:
        for table in ("erpops_auditentry", "runbooks_commandrun"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql)
        for table in ("erpops_auditentry", "runbooks_commandrun"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_it_says_what_ran_who_asked_and_what_came_of_it(walk: Walk) -> None:
    executions.complete(execution=walk.execution, by=walk.user)
    found = record.of(walk.execution)
    [first, again] = found["steps"][0]["commands"][0]["runs"]
    assert (first["attempt"], again["attempt"]) == (1, 2)
    assert first["rendered"] == "echo db-1 •••"
    assert first["values"] == {"host": "db-1", "api-token": "•••"}
    assert (first["status"], first["exit_code"], first["requested_by"]) == ("succeeded", 0, "op")
    assert first["output"]["text"].startswith("db-1 •••")
    assert (found["steps"][1]["status"], found["steps"][1]["reason"]) == ("skipped", "too risky now")
    assert found["execution"]["status"] == "completed"
    assert found["runbook"]["sha256"] == walk.execution.version.sha256
    kinds = [event["kind"] for event in found["events"]]
    assert kinds[0] == "execution.started" and kinds[-1] == "execution.completed"
    assert found["audit"]["last"] == AuditEntry.objects.latest("seq").seq
    assert SECRET not in json.dumps(found)


def test_the_document_says_the_same_and_output_cannot_break_out_of_its_block(walk: Walk) -> None:
    found = record.of(walk.execution)
    text = record_markdown.written(found)
    assert "# Database is \\*down\\*: INC-" in text
    assert "echo db-1 •••" in text
    assert "Reason: too risky now" in text
    assert found["sha256"] in text
    assert "\n````\n```\nred\n````\n" in text
    assert "\x1b" not in text
    assert SECRET not in text


def test_a_record_agrees_with_the_chain_and_goes_on_agreeing(
    walk: Walk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = written(walk, tmp_path)
    assert faults(early) == []
    run_now(walk, 1)
    executions.complete(execution=walk.execution, by=walk.user)
    assert faults(early) == []
    assert faults(written(walk, tmp_path)) == []
    assert "agrees with the chain" in capsys.readouterr().out


def test_taking_it_out_is_on_record(walk: Walk) -> None:
    found = record.export(execution=walk.execution, by=walk.user, form="md")
    entry = AuditEntry.objects.get(action="execution.exported")
    assert (entry.actor, entry.details["sha256"]) == ("op", found["sha256"])
    again = record.of(walk.execution)
    assert again["audit"] == found["audit"]


def first_run(found: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = found["steps"][0]["commands"][0]["runs"][0]
    return run


FORGERIES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda found: first_run(found).update(exit_code=1), "attempt 1, exit code is 1 in the record, but 0 here"),
    (lambda found: first_run(found).update(rendered="rm -rf /"), "rendered is “rm -rf /”"),
    (lambda found: first_run(found)["output"].update(text="fine\n"), "output in the record is not that"),
    (lambda found: first_run(found).update(requested_by="eve"), "requested by is “eve”"),
    (lambda found: found["steps"][0]["commands"][0]["runs"].pop(0), "1 attempt that ran are missing"),
    (lambda found: found["steps"][1].update(reason="no access"), "reason is “no access”"),
    (lambda found: found["audit"]["entries"].pop(2), "is missing from the record"),
    (lambda found: found["audit"]["entries"][0].update(hash="0" * 64), "is another one in the chain"),
    (lambda found: found["events"].pop(1), "is missing from the record"),
    (lambda found: found["execution"].update(id=999_999), "There is no execution 999999 here"),
    (lambda found: found["runbook"].update(sha256="0" * 64), "runbook, sha256 is"),
    (lambda found: found.pop("steps"), "The record is not whole"),
]


def test_a_forged_file_is_named_even_when_its_seal_is_made_anew(walk: Walk, tmp_path: Path) -> None:
    executions.complete(execution=walk.execution, by=walk.user)
    for change, said in FORGERIES:
        found = faults(written(walk, tmp_path, resealed(change)))
        assert any(said in line for line in found), (said, found)
        assert "SHA-256 is not that of its content" in faults(written(walk, tmp_path, change))[0]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE runbooks_commandrun SET exit_code = 7 WHERE attempt = 1", "exit code is 7, but the chain"),
        ("UPDATE runbooks_commandrun SET digest = repeat('0', 64)", "has another digest than what is stored"),
        ("UPDATE runbooks_outputchunk SET data = 'never mind'", "the stored output is not the one that was printed"),
        ("UPDATE runbooks_version SET text = 'other'", "is not that of its SHA-256 any more"),
    ],
)
def test_what_somebody_changed_in_the_tables_is_named(walk: Walk, tmp_path: Path, sql: str, said: str) -> None:
    past_the_triggers(sql)
    # A record that was written after the change agrees with the tables; the chain still knows better.
    assert any(said in line for line in faults(written(walk, tmp_path)))


def test_a_broken_chain_is_told_before_anything_is_compared(walk: Walk, tmp_path: Path) -> None:
    path = written(walk, tmp_path)
    past_the_triggers("UPDATE erpops_auditentry SET actor = 'eve' WHERE action = 'command.requested'")
    assert "was changed after it was written" in faults(path)[0]


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"format": "something else"}'])
def test_what_is_no_record_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match=r"no record that could be read|has the format"):
        call_command("audit_verify", record=[path])


def test_the_page_of_a_walk_that_is_over_offers_both(walk: Walk, client: Client) -> None:
    executions.complete(execution=walk.execution, by=walk.user)
    client.force_login(walk.user)
    page = client.get(addresses.of_walk(walk.execution, "walk_step", position=0)).content.decode()
    for view, kind in (("walk_record_md", "text/markdown"), ("walk_record_json", "application/json")):
        address = addresses.of_walk(walk.execution, view)
        assert address in page
        answer = client.get(address)
        assert answer.headers["Content-Type"].startswith(kind)
        assert f"run-{walk.execution.pk}" in answer.headers["Content-Disposition"]
    assert CommandRun.objects.count() == 3
    client.logout()
    assert client.get(address).status_code == 302


def test_who_allowed_it_and_what_was_decided_stand_in_the_record(tmp_path: Path) -> None:
    branches = [
        step(f"If {name} is full", command(f"echo {name}")) | {"condition": f"If {name} is full"} for name in "ab"
    ]
    wipe = step("Wipe", command("rm -rf /nonexistent/erpops-x", "destroy"))
    place = walk_of(compiled("Full", phase("resolution", *branches, wipe)), production=True)
    lena = person("lena", "lead")
    decisions.decide(step_run=place.step(), choice="1", reason="", by=place.user)
    given = gate.Confirmation(yes=True, reason="it is beyond repair", target="/nonexistent/erpops-x")
    approval = approvals.ask(step_run=place.step(2), command=0, by=place.user, given=given)
    approvals.approve(approval=approval, by=lena, target=given.target, comment="the copy is good")
    run = runner.request(step_run=place.step(2), command=0, by=place.user, confirmation="yes")
    tasks.run_command(run.pk)
    found = record.of(place.execution)
    allowed = found["steps"][2]["commands"][0]["runs"][0]["approval"]
    assert (allowed["requested_by"], allowed["decided_by"], allowed["comment"]) == ("op", "lena", "the copy is good")
    [decided] = found["decisions"]
    assert (decided["step"], decided["choice"], decided["by"]) == (1, "1", "op")
    text = record_markdown.written(found)
    assert "Approved by lena, " in text
    assert "op, at step 1: step 2" in text
    assert faults(written(place, tmp_path)) == []

    def allow_oneself(forged: dict[str, Any]) -> None:
        forged["steps"][2]["commands"][0]["runs"][0]["approval"]["decided_by"] = "op"

    assert any("decided by is “op”" in said for said in faults(written(place, tmp_path, resealed(allow_oneself))))
