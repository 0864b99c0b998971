"""The commands of a step, through HTTP."""

import re

from django.contrib.auth.models import User
from django.test import Client

from checks.models import Target
from erpops import clock
from incidents.models import Alert, Incident, Source, TimelineEvent
from runbooks import addresses, executions
from runbooks.models import Approval, CommandRun, Execution, Runbook
from tests.runbooks.pages.conftest import HTMX, at, command, compiled, ended, phase, shelve, step


def walked_by(user: User, incident: Incident, runbook: Runbook) -> Execution:
    return executions.start(runbook=runbook, incident=incident, environment=incident.environment, by=user)


def test_a_read_runs_with_one_click_and_a_second_click_finds_it(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "command_run", 0)
    assert browser.post(url).url == at(execution, 0)  # type: ignore[attr-defined]
    answer = browser.post(url, headers=HTMX).content.decode()
    assert CommandRun.objects.count() == 1
    assert 'id="act-0" hx-swap-oob="true"' in answer
    assert "Stop" in answer


def test_what_reads_and_can_be_judged_can_be_waited_for(browser: Client, operator: User, incident: Incident) -> None:
    expected = {"text": "Running", "line": 2, "assertion": {"op": "contains", "value": "Running"}}
    look = step("Look", command("kubectl get pods", expected=[expected]), command("df -h"))
    execution = walked_by(operator, incident, shelve(compiled(phase("diagnosis", look)), slug="pods"))
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert 'id="wait-0" name="until" value="holds"' in page
    assert 'id="wait-1"' not in page
    refused = browser.post(at(execution, 0, "command_run", 1), {"until": "holds"}, headers=HTMX)
    assert refused.status_code == 409 and "can be waited for" in refused.content.decode()
    browser.post(at(execution, 0, "command_run", 0), {"until": "holds"}, headers=HTMX)
    run = CommandRun.objects.get()
    assert run.waits and run.timeout_s > 300
    CommandRun.objects.update(status="succeeded", exit_code=0)
    shown = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "it held at the last try" in shown


def test_a_command_without_its_target_says_which_to_register(
    browser: Client, operator: User, incident: Incident
) -> None:
    look = step("Look", command("up == 0", kind="promql"), command("GET /health", kind="request"))
    execution = walked_by(operator, incident, shelve(compiled(phase("diagnosis", look)), slug="metrics"))
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "no Prometheus target" in page and "no HTTP service target" in page
    Target.objects.create(
        name="metrics", kind="prometheus", address="http://127.0.0.1:9090", environment=execution.environment
    )
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "no Prometheus target" not in page and at(execution, 0, "command_run", 0) in page


def test_a_change_is_asked_about_first(browser: Client, execution: Execution) -> None:
    assert browser.post(at(execution, 2, "command_run", 0), headers=HTMX).status_code == 409
    strip = browser.get(at(execution, 2, "command_confirm", 0), headers=HTMX)
    assert "sync" in strip.content.decode()
    assert strip.context["shown"]
    browser.post(at(execution, 2, "command_run", 0), {"confirm": "yes", "shown": strip.context["shown"]})
    assert CommandRun.objects.get().risk == "change"


def test_a_confirmation_of_another_text_is_refused(browser: Client, execution: Execution) -> None:
    answer = browser.post(at(execution, 2, "command_run", 0), {"confirm": "yes", "shown": "0" * 32}, headers=HTMX)
    assert answer.status_code == 409
    assert "changed since you looked" in answer.content.decode()
    assert not CommandRun.objects.exists()


def test_a_disruption_needs_a_reason(browser: Client, execution: Execution) -> None:
    url = at(execution, 3, "command_run", 0)
    sheet = browser.get(at(execution, 3, "command_confirm", 0), headers=HTMX)
    assert "Restart 1 service on Production" in sheet.content.decode()
    given = {"confirm": "yes", "shown": sheet.context["shown"]}
    refused = browser.post(url, given, headers=HTMX)
    assert refused.status_code == 422
    assert "say why" in refused.content.decode()
    done = browser.post(url, given | {"reason": "it hangs"}, headers=HTMX)
    assert done.headers["HX-Trigger"] == "sheet:close"
    assert CommandRun.objects.get().risk == "disrupt"


def test_destroying_is_asked_for_with_the_name_typed(browser: Client, lead: User, execution: Execution) -> None:
    run, ask = at(execution, 4, "command_run", 0), at(execution, 4, "command_ask", 0)
    sheet = browser.get(at(execution, 4, "command_confirm", 0), headers=HTMX)
    given = {"confirm": "yes", "shown": sheet.context["shown"], "reason": "disk", "target": "/var/old"}
    assert "Type <code>/var/old</code>" in sheet.content.decode()
    assert browser.post(run, given, headers=HTMX).status_code == 422
    assert browser.post(ask, given | {"target": "production"}, headers=HTMX).status_code == 422
    assert browser.post(ask, given, headers=HTMX).headers["HX-Trigger"] == "sheet:close"
    assert Approval.objects.get().requested_by == execution.holder
    assert not CommandRun.objects.exists()


def test_a_blocked_command_takes_a_pasted_result(browser: Client, execution: Execution) -> None:
    page = browser.get(at(execution, 6), headers=HTMX).content.decode()
    assert "cannot run as it is written" in page
    assert at(execution, 6, "command_run", 0) not in page
    browser.post(at(execution, 6, "step_paste"), {"command": "0", "text": "load ``` 9.4"})
    note = TimelineEvent.objects.get(kind="note")
    assert "htop" in note.text
    assert "````\nload ``` 9.4\n````" in note.text


def test_a_command_waits_for_its_values(browser: Client, execution: Execution) -> None:
    page = browser.get(at(execution, 1), headers=HTMX).content.decode()
    assert "needs pid" in page
    assert browser.post(at(execution, 1, "command_run", 0), headers=HTMX).status_code == 409
    wrong = browser.post(at(execution, 1, "step_values"), {"value:pid": "x; rm -rf /"}, headers=HTMX)
    assert wrong.status_code == 422
    assert 'value="x; rm -rf /"' in wrong.content.decode()
    saved = browser.post(at(execution, 1, "step_values"), {"value:pid": "4711"}, headers=HTMX).content.decode()
    assert '<mark title="pid">4711</mark>' in saved
    browser.post(at(execution, 1, "command_run", 0))
    assert CommandRun.objects.get().values == {"pid": "4711"}


def test_values_are_prefilled_from_the_alert(browser: Client, execution: Execution) -> None:
    _alert(execution.incident, {"pid": "4242"})
    page = browser.get(at(execution, 1), headers=HTMX).content.decode()
    assert "From the alert" in page
    browser.post(at(execution, 1, "command_run", 0))
    assert CommandRun.objects.get().values == {"pid": "4242"}


def _alert(incident: Incident | None, labels: dict[str, str]) -> None:
    now = clock.now()
    source = Source.objects.create(name="am", kind="alertmanager", token="t", token_sha256="s")
    Alert.objects.create(
        source=source, fingerprint="f", name="DiskFull", status="firing", severity="SEV2", labels=labels,
        starts_at=now, first_seen_at=now, last_seen_at=now, incident=incident,
    )  # fmt: skip


def test_all_reads_run_one_after_the_other(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "step_reads")
    answer = browser.post(url, headers=HTMX).content.decode()
    assert CommandRun.objects.count() == 1
    assert '{"after": "0", "attempts": "0:1' in answer
    assert browser.post(url, {"after": "0"}, headers=HTMX).status_code == 204
    CommandRun.objects.update(status="succeeded")
    browser.post(url, {"after": "0"}, headers=HTMX)
    assert list(CommandRun.objects.order_by("command").values_list("command", flat=True)) == [0, 1]


def test_the_first_failure_ends_all_reads(browser: Client, execution: Execution) -> None:
    ended(execution, 0, "failed")
    answer = browser.post(at(execution, 0, "step_reads"), {"after": "0"}, headers=HTMX).content.decode()
    assert "Command 1 did not succeed" in answer
    assert CommandRun.objects.count() == 1


def test_two_pages_that_run_all_reads_run_nothing_twice(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "step_reads")
    shown = browser.get(at(execution, 0), headers=HTMX).content.decode()
    both = {"attempts": re.findall(r'name="attempts" value="([^"]+)"', shown)[0]}
    browser.post(url, both, headers=HTMX)
    CommandRun.objects.update(status="succeeded")
    browser.post(url, both | {"after": "0"}, headers=HTMX)
    CommandRun.objects.filter(command=1).update(status="failed")
    # The other tab, which was loaded before any of it: it follows what the first one did.
    answer = browser.post(url, both, headers=HTMX).content.decode()
    assert '{"after": "1", "attempts": "0:1' in answer
    answer = browser.post(url, both | {"after": "1"}, headers=HTMX).content.decode()
    assert "Command 2 did not succeed" in answer
    assert list(CommandRun.objects.order_by("command").values_list("command", "attempt")) == [(0, 1), (1, 1)]
    # Who has seen that attempt fail means another one.
    browser.post(url, {"attempts": "1:2"}, headers=HTMX)
    assert list(CommandRun.objects.filter(command=1).order_by("pk").values_list("attempt", flat=True)) == [1, 2]


def test_an_unknown_outcome_is_settled_by_a_person(browser: Client, execution: Execution) -> None:
    run = ended(execution, 0, "outcome_unknown")
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "Nobody knows how this ended" in page
    assert at(execution, 0, "command_run", 0) not in page
    settle = addresses.of_run(execution, "run_settle", run.pk)
    assert browser.post(settle, {"verdict": "maybe"}).status_code == 400
    browser.post(settle, {"verdict": "not_done"})
    run.refresh_from_db()
    assert run.status == "failed"
    assert at(execution, 0, "command_run", 0) in browser.get(at(execution, 0), headers=HTMX).content.decode()


def test_stop_is_asked_for_once(browser: Client, execution: Execution) -> None:
    browser.post(at(execution, 0, "command_run", 0))
    run = CommandRun.objects.get()
    stop = addresses.of_run(execution, "run_stop", run.pk)
    browser.post(stop)
    browser.post(stop)
    run.refresh_from_db()
    assert run.status == "stopped"
