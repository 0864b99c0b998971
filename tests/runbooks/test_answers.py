"""Values of a walk: where each comes from is said, one counts throughout, and what ran keeps what it used."""

from typing import Any

import pytest
from django.test import Client

from erpops import clock
from incidents.models import Alert, Incident, Source
from runbooks import addresses, executions, runner, secret_values
from runbooks.answers import Known, answers, key_of
from runbooks.models import CommandRun
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, compiled, output_of, phase, step, walk, walk_of
from tests.runbooks.running import run_now, wait_all_gone

HTMX = {"HX-Request": "true"}


def parameter(name: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "notation": "angle", "type": kind, "line": 1, **more}


def prefilled(name: str, kind: str = "text", **labels: str) -> tuple[str, str]:
    [answer] = answers([parameter(name, kind)], given={}, labels=labels)
    return answer.value, answer.provenance


@pytest.mark.parametrize(
    ("name", "kind", "labels", "value"),
    [
        ("namespace", "text", {"namespace": "shop"}, "shop"),
        ("Name Space", "text", {"name_space": "shop"}, "shop"),
        ("service-name", "text", {"service": "api"}, "api"),
        ("pod", "pod", {"pod": "api-1"}, "api-1"),
        ("postgres-pod", "pod", {"pod": "postgres-0"}, "postgres-0"),
        # An alert about the API says nothing about the database's pod, nor whom to block.
        ("postgres-pod", "pod", {"pod": "erpgo-api-7"}, ""),
        ("attacking-ip", "ip", {"instance": "10.0.0.5:9090"}, ""),
        ("ip-address", "ip", {"instance": "10.0.0.5:9090"}, "10.0.0.5"),
        ("host", "host", {"instance": "db-1:9187"}, "db-1:9187"),
        ("pid", "pid", {"pid": "not a number"}, ""),
        ("api-token", "secret", {"api_token": "abc", "token": "abc"}, ""),
    ],
)
def test_an_alert_fills_what_it_is_about_and_nothing_else(
    name: str, kind: str, labels: dict[str, str], value: str
) -> None:
    assert prefilled(name, kind, **labels) == (value, "from the alert" if value else "")


def test_the_alert_counts_before_the_incident_before_the_environment_before_the_text() -> None:
    asked = [parameter(name, default="x") for name in ("a", "b", "c", "d")]
    known = Known({"a": "1"}, {"a": "2", "b": "2"}, {"a": "3", "b": "3", "c": "3"})
    found = [(answer.value, answer.provenance) for answer in answers(asked, given={}, known=known)]
    assert found == [
        ("1", "from the alert"),
        ("2", "from the incident"),
        ("3", "from the environment"),
        ("x", "from the runbook"),
    ]


def test_a_literal_that_only_marks_a_place_is_asked_for(transactional_db: None) -> None:
    blank = parameter("MALICIOUS_IP", "ip", notation="literal", default="MALICIOUS_IP")
    example = parameter("yourdomain.com", "host", notation="literal", default="yourdomain.com")
    found = answers([blank, example], given={})
    assert [(a.value, a.provenance) for a in found] == [("", ""), ("yourdomain.com", "from the runbook")]
    place = walk(command("echo block MALICIOUS_IP at yourdomain.com", parameters=[blank, example]))
    with pytest.raises(Refused, match="Fill in MALICIOUS_IP first"):
        runner.request(step_run=place.step(), command=0, by=place.user)


def test_a_variable_that_holds_a_secret_fills_nothing() -> None:
    known = Known(variables={"url": "postgresql://u:hush-hush@db/x"}, hidden=frozenset({"hush-hush"}))
    assert answers([parameter("url")], given={}, known=known)[0].value == ""
    assert known.shown("url") == "•••"


def test_names_are_compared_without_case_and_punctuation() -> None:
    assert key_of("Postgres-Pod Name") == "postgres_pod_name"


# -- in a walk ---------------------------------------------------------------------------------------


@pytest.fixture
def place(transactional_db: None) -> Walk:
    asked = [parameter("pod", "pod")]
    shown = command("echo this is <pod>", parameters=asked)
    again = command("echo again <pod>", parameters=asked)
    return walk_of(compiled("Pods", phase("diagnosis", step("Look", shown), step("Look again", again))))


def labelled(incident: Incident, **labels: str) -> Alert:
    """An alert of the incident."""
    now = clock.now()
    source, _ = Source.objects.get_or_create(name="am", kind="alertmanager", token="t", token_sha256="s")
    return Alert.objects.create(
        source=source, fingerprint="f", name="PodDown", status="firing", severity="SEV2", labels=labels,
        starts_at=now, first_seen_at=now, last_seen_at=now, incident=incident,
    )  # fmt: skip


def page(client: Client, place: Walk, position: int) -> str:
    address = addresses.of_walk(place.execution, "walk_step", position=position)
    return client.get(address, headers=HTMX).content.decode()


def run_first(client: Client, place: Walk) -> int:
    address = addresses.of_walk(place.execution, "command_run", position=0, command=0)
    return client.post(address, headers=HTMX).status_code


def give(client: Client, place: Walk, pod: str) -> int:
    address = addresses.of_walk(place.execution, "step_values", position=0)
    return client.post(address, {"value:pod": pod}, headers=HTMX).status_code


def test_a_value_given_in_one_step_serves_the_others_and_says_so(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    assert "Not given yet" in page(client, place, 0)
    give(client, place, "api-1")
    assert "Given here" in page(client, place, 0)
    assert "From step 1" in page(client, place, 1)
    assert '<mark title="pod">api-1</mark>' in page(client, place, 1)


def test_what_the_alert_filled_stays_the_value_once_it_was_used(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    alert = labelled(place.incident, pod="api-1")
    run_first(client, place)
    alert.labels = {"pod": "api-2"}
    alert.save(update_fields=["labels"])
    assert CommandRun.objects.get().values == {"pod": "api-1"}
    assert "From the alert, in step 1" in page(client, place, 1)
    assert '<mark title="pod">api-1</mark>' in page(client, place, 1)
    assert "set pod from the alert" in list(place.incident.events.values_list("text", flat=True))


def test_a_prefilled_value_that_is_only_confirmed_keeps_its_source(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    labelled(place.incident, pod="api-1")
    give(client, place, "api-1")
    assert "From the alert" in page(client, place, 0)
    give(client, place, "api-9")
    assert "Given here" in page(client, place, 0)


def test_a_new_value_counts_for_the_next_attempt_and_the_old_one_keeps_its_own(place: Walk) -> None:
    executions.set_values(execution=place.execution, values={"pod": "api-1"}, by=place.user)
    first = run_now(place)
    executions.set_values(execution=place.execution, values={"pod": "api-2"}, by=place.user)
    second = run_now(place)
    wait_all_gone()
    assert (output_of(first), output_of(second)) == (b"this is api-1\n", b"this is api-2\n")
    assert [run.values for run in CommandRun.objects.order_by("pk")] == [{"pod": "api-1"}, {"pod": "api-2"}]
    assert first.script == second.script


def test_an_unfilled_parameter_stops_the_command_and_is_named(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    assert run_first(client, place) == 409
    assert "needs pod" in page(client, place, 0)
    with pytest.raises(Refused, match="Fill in pod first"):
        runner.request(step_run=place.step(), command=0, by=place.user)
    assert not CommandRun.objects.exists()


def test_a_value_that_does_not_fit_is_refused_with_a_sentence(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    assert give(client, place, "Api_1; rm") == 422
    assert "origins" not in page(client, place, 0)
    place.execution.refresh_from_db()
    assert (place.execution.values, place.execution.origins) == ({}, {})


def test_forgetting_a_value_forgets_where_it_came_from(place: Walk) -> None:
    executions.set_values(execution=place.execution, values={"pod": "api-1"}, by=place.user)
    executions.set_values(execution=place.execution, values={"pod": ""}, by=place.user)
    place.execution.refresh_from_db()
    assert (place.execution.values, place.execution.origins) == ({}, {})


# -- secrets by reference ------------------------------------------------------------------------------

SECRET = "hush-hush-4711"


@pytest.fixture
def guarded(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """A walk in an environment that has the secret “shop credential”."""
    from checks.choices import TargetKind
    from checks.models import Target

    asked = [parameter("api-token", "secret"), parameter("host", "host", default="shop.internal")]
    text = 'x=<api-token>; echo "${#x} for https://<host>/x"; echo <api-token>'
    place = walk(command(text, parameters=asked))
    Target.objects.create(
        name="shop", label="Shop", kind=TargetKind.HTTP, environment=place.execution.environment,
        address="https://shop.internal", credential=SECRET,
    )  # fmt: skip
    return place


def test_a_secret_is_given_by_reference_and_looked_up_at_the_start(guarded: Walk) -> None:
    values = {"api-token": secret_values.reference("shop credential")}
    executions.set_values(execution=guarded.execution, values=values, by=guarded.user)
    run = run_now(guarded)
    wait_all_gone()
    assert run.status == "succeeded", run.reason
    assert output_of(run).decode() == f"{len(SECRET)} for https://shop.internal/x\n•••\n"
    kept = secret_values.opened(CommandRun.objects.get().values)["api-token"]
    assert SECRET not in kept + run.script
    assert kept == "the environment's secret shop credential"


def test_a_secret_by_reference_goes_only_where_the_runbook_says(guarded: Walk) -> None:
    values = {"api-token": secret_values.reference("shop credential"), "host": "elsewhere.example.net"}
    executions.set_values(execution=guarded.execution, values=values, by=guarded.user)
    with pytest.raises(Refused, match="host says where the command goes"):
        runner.request(step_run=guarded.step(), command=0, by=guarded.user)


def test_a_reference_to_what_is_gone_is_asked_for_again(guarded: Walk) -> None:
    values = {"api-token": secret_values.reference("no such")}
    executions.set_values(execution=guarded.execution, values=values, by=guarded.user)
    with pytest.raises(Refused, match="Fill in api-token first"):
        runner.request(step_run=guarded.step(), command=0, by=guarded.user)
