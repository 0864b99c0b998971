"""The board, one check, and the forms."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks import history, verdicts
from checks.choices import Verdict
from checks.models import Check, Result, Target
from erpops import clock
from erpops.models import AuditEntry
from erpops.needs import needs_of
from incidents.choices import AlertStatus
from incidents.models import Alert, Environment, Incident
from tests.checks.conftest import ADMIN, LEAD, OPERATOR, STAKEHOLDER, MakeCheck, measured

pytestmark = pytest.mark.django_db
Person = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_old_curves() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def measurements(check: Check, *values: float, every_s: int = 1800) -> None:
    now = clock.now()
    for age, value in enumerate(reversed(values)):
        Result.objects.create(
            checked=check,
            at=now - clock.seconds(age * every_s),
            ok=True,
            verdict=verdicts.against(
                value, warning_at=check.warning_at, critical_at=check.critical_at, rising=check.rising
            ),
            value=value,
            duration_ms=2,
        )


def set_verdict(check: Check, verdict: str, **values: Any) -> None:
    Check.objects.filter(pk=check.pk).update(verdict=verdict, verdict_since=clock.now(), last_at=clock.now(), **values)


def test_the_board_says_how_many_fail_and_shows_those_first(make_check: MakeCheck, person: Person) -> None:
    set_verdict(make_check("fine", label="Fine one"), "up", last_value=12.5)
    set_verdict(make_check("bad", label="Bad one"), "down", last_value=97)
    set_verdict(make_check("still", label="Silent one"), "unknown")
    make_check("fresh", label="Fresh one")
    page = text(person(OPERATOR).get("/checks/"))
    assert "1 failing, 1 without data, 1 not measured yet, 1 fine" in page
    assert page.index("Bad one") < page.index("Silent one") < page.index("Fresh one") < page.index("Fine one")
    assert "97 %" in page and "12.5 %" in page and "warning 70, critical 90 %" in page
    assert "No worker is running." in page
    assert "Add a check" not in page


def test_an_empty_board_says_what_a_check_is(person: Person) -> None:
    assert "Nothing is watched yet" in text(person(OPERATOR).get("/checks/"))


def test_the_board_is_refreshed_as_a_fragment(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(OPERATOR)
    fragment = text(client.get("/checks/", headers={"HX-Request": "true"}))
    assert fragment.startswith('<div id="board"') and "<html" not in fragment
    assert fragment in text(client.get("/checks/")) or 'id="board"' in text(client.get("/checks/"))


def test_more_checks_need_no_more_queries(make_check: MakeCheck, person: Person) -> None:
    client = person(OPERATOR)

    def count() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/checks/", headers={"HX-Request": "true"}).status_code == 200
        return len(queries)

    measurements(make_check("first"), 1, 2, 3)
    client.get("/checks/")
    few = count()
    for number in range(12):
        measurements(make_check(f"check-{number}"), 1, 2, 3)
    assert count() == few <= 11


def test_a_check_shows_its_curve_with_the_threshold_its_changes_and_its_runbook(
    make_check: MakeCheck, person: Person
) -> None:
    check = make_check()
    measurements(check, 10, 20, 95, 30)
    page = text(person(OPERATOR).get("/checks/connections/"))
    assert 'class="spark-limit"' in page and 'class="spark-line"' in page
    assert page.count('data-verdict="down"') == 2  # once among the changes, once among the measurements
    assert "/r/?alert=ErpopsDatabaseConnectionsHigh" in page
    by_day = history.days(check)
    assert (sum(day["bad"] for day in by_day), sum(day["measured"] for day in by_day)) == (1, 4)
    assert 'id="thresholds"' not in page


def test_a_failing_check_links_its_incident(make_check: MakeCheck, person: Person) -> None:
    check = make_check()
    for value in (95, 96):
        check.refresh_from_db()
        verdicts.record(check=check, outcome=measured(value))
    number = Incident.objects.get().pk
    assert f'href="/i/{number}/"' in text(person(OPERATOR).get("/checks/connections/"))


def test_earlier_measurements_are_on_their_own_pages(make_check: MakeCheck, person: Person) -> None:
    check = make_check()
    measurements(check, *range(30))
    client = person(OPERATOR)
    first = text(client.get("/checks/connections/"))
    oldest_shown = Result.objects.order_by("-pk")[19].pk
    assert f"?before={oldest_shown}" in first
    second = text(client.get(f"/checks/connections/?before={oldest_shown}"))
    assert "Back to now" in second and "Earlier ones" not in second


@pytest.mark.parametrize("value", ["x", "-1", "9" * 30, ""])
def test_a_cursor_that_is_nonsense_shows_a_page(make_check: MakeCheck, person: Person, value: str) -> None:
    make_check()
    assert person(OPERATOR).get("/checks/connections/", {"before": value}).status_code == 200


def test_run_now_moves_the_slot_and_is_audited(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(OPERATOR)
    assert client.post("/checks/connections/run").status_code == 302
    check = Check.objects.get()
    assert check.next_at is not None and check.next_at <= clock.now()
    assert AuditEntry.objects.filter(action="check.run", actor="operator").exists()
    assert client.post("/checks/connections/run", headers={"HX-Request": "true"}).status_code == 200


def test_a_mute_has_an_end_and_can_be_lifted(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(OPERATOR)
    for wrong in ({}, {"for_s": "0"}, {"for_s": "99999999"}):
        assert client.post("/checks/connections/mute", wrong).status_code == 422
    client.post("/checks/connections/mute", {"for_s": "3600"})
    until = Check.objects.get().muted_until
    assert until is not None and 3500 < (until - clock.now()).total_seconds() <= 3600
    assert "Muted" in text(client.get("/checks/"))
    client.post("/checks/connections/unmute")
    assert Check.objects.get().muted_until is None
    assert [entry.action for entry in AuditEntry.objects.order_by("seq")] == [
        "source.create",
        "check.mute",
        "check.unmute",
    ]


def thresholds(**changes: Any) -> dict[str, Any]:
    return {"warning_at": "20", "critical_at": "90", "rising": "1", "bad_needed": "1", "good_needed": "1"} | changes


def test_the_preview_counts_how_often_thresholds_would_have_fired(make_check: MakeCheck, person: Person) -> None:
    measurements(make_check(), 10, 25, 10, 95, 96, 10, 30)
    client = person(ADMIN)
    answer = text(client.get("/checks/connections/preview", thresholds()))
    assert "Would have fired <strong>3 times</strong>" in answer and "critical 1 time." in answer
    answer = text(client.get("/checks/connections/preview", thresholds(bad_needed="2")))
    assert "<strong>1 time</strong>" in answer
    answer = text(client.get("/checks/connections/preview", thresholds(warning_at="", critical_at="")))
    assert "Would not have fired in the last 7 days (7 measurements)." in answer
    answer = text(client.get("/checks/connections/preview", thresholds(warning_at="99")))
    assert "Critical must be at or above the warning threshold of 99." in answer


def test_thresholds_are_saved_from_the_page_or_refused_beside_the_field(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(ADMIN)
    answer = client.post("/checks/connections/thresholds", thresholds(critical_at="much"))
    assert answer.status_code == 422 and "Write a number, such as 85 or 0.5." in text(answer)
    assert client.post("/checks/connections/thresholds", thresholds(rising="0", critical_at="5")).status_code == 302
    check = Check.objects.get()
    assert (check.warning_at, check.critical_at, check.rising, check.bad_needed) == (20, 5, False, 1)


def form(**changes: Any) -> dict[str, Any]:
    return (
        thresholds()
        | {
            "label": "Port answers",
            "name": "port",
            "interval_s": "30",
            "timeout_s": "5",
            "alert_name": "PortClosed",
            "severity": "SEV2",
            "enabled": "on",
            "act": "save",
        }
        | changes
    )


def test_a_check_is_tested_before_it_is_saved(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(ADMIN)
    url = "/checks/new?target=of-connections&probe=tcp"
    assert "of-connections" in text(client.get("/checks/new"))
    tried = client.post(url, form(act="test"))
    assert "It did not get through." in text(tried) and "127.0.0.1:1 refused the connection" in text(tried)
    assert Check.objects.count() == 1
    assert client.post(url, form()).status_code == 302
    made = Check.objects.get(name="port")
    assert (made.unit, made.probe, made.alert_name) == ("ms", "tcp", "PortClosed")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "connections"}, "Another check has this name; choose one that is free."),
        ({"name": "new"}, "Another check has this name; choose one that is free."),
        ({"name": "two words"}, "Use letters, digits, hyphens and underscores only."),
        ({"label": ""}, "Say what this check tells, in a few words."),
        ({"interval_s": "5"}, "Write a whole number from 10 to 86400."),
        ({"timeout_s": "40"}, "A probe must end before the next one is due: write at most the interval."),
        ({"alert_name": ""}, "Name the alert that it raises, such as OrdersSlow."),
    ],
)
def test_a_form_says_what_to_write(
    make_check: MakeCheck, person: Person, changes: dict[str, str], sentence: str
) -> None:
    make_check()
    answer = person(ADMIN).post("/checks/new?target=of-connections&probe=tcp", form(**changes))
    assert answer.status_code == 422 and sentence in text(answer)
    assert Check.objects.count() == 1


def test_a_probes_own_options_are_checked_beside_their_field(make_check: MakeCheck, person: Person) -> None:
    make_check("web", kind="http", address="http://127.0.0.1:1")
    url = "/checks/new?target=of-web&probe=http"
    answer = person(ADMIN).post(url, form(option_path="nowhere", option_status="200"))
    assert "Write a path that begins with one slash, such as /healthz." in text(answer)


def test_switching_a_check_off_ends_its_alert(make_check: MakeCheck, person: Person) -> None:
    check = make_check()
    for value in (95, 96):
        check.refresh_from_db()
        verdicts.record(check=check, outcome=measured(value))
    changes = form(option_value="")
    changes.pop("enabled")
    assert person(ADMIN).post("/checks/connections/edit", changes).status_code == 302
    assert Alert.objects.get().status == AlertStatus.RESOLVED
    assert Check.objects.get().verdict == Verdict.NEW


def test_removing_a_check_needs_its_name(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(ADMIN)
    client.post("/checks/connections/remove", {"confirm": "yes"})
    assert Check.objects.exists()
    client.post("/checks/connections/remove", {"confirm": "connections"})
    assert not Check.objects.exists()
    assert AuditEntry.objects.filter(action="check.remove").exists()


def target(places: Environment, **changes: Any) -> dict[str, Any]:
    return {
        "label": "Orders database",
        "name": "orders-db",
        "kind": "postgres",
        "environment": places.pk,
        "address": "postgresql://reader:hunter2@127.0.0.1:1/orders",
        "enabled": "on",
        "act": "save",
    } | changes


def test_a_password_in_an_address_is_moved_to_where_secrets_are(places: Environment, person: Person) -> None:
    client = person(ADMIN)
    assert client.post("/checks/targets/new", target(places)).status_code == 302
    made = Target.objects.get()
    assert (made.address, made.credential) == ("postgresql://reader@127.0.0.1:1/orders", "hunter2")
    for url in ("/checks/targets/", "/checks/targets/orders-db/"):
        assert "hunter2" not in text(client.get(url))
    client.post("/checks/targets/orders-db/", target(places, address="postgresql://127.0.0.1:2/orders", label="Orders"))
    made.refresh_from_db()
    assert (made.label, made.credential) == ("Orders", "hunter2")
    assert "hunter2" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("kind", "address", "sentence"),
    [
        ("http", "shop.internal", "Write a URL such as https://shop.internal."),
        ("http", "ftp://shop.internal", "Write a URL such as https://shop.internal."),
        ("tcp", "db.internal", "Write the address as host:port, such as db.internal:5432."),
        ("postgres", "mysql://db", "Write it as postgresql://user@host:5432/database."),
        ("redis", "redis://host:notaport", "Write it as redis://host:6379/0."),
        ("local", "var/lib", "Write a full path, such as /var/lib."),
    ],
)
def test_an_address_that_does_not_fit_its_kind_is_refused(
    places: Environment, person: Person, kind: str, address: str, sentence: str
) -> None:
    answer = person(ADMIN).post("/checks/targets/new", target(places, kind=kind, address=address))
    assert answer.status_code == 422 and sentence in text(answer)


def test_a_target_is_tried_before_it_is_saved(places: Environment, person: Person) -> None:
    answer = text(person(ADMIN).post("/checks/targets/new", target(places, act="test")))
    assert "127.0.0.1:1 refuses the connection." in answer and "does its firewall let this machine in?" in answer
    assert not Target.objects.exists()


def test_a_target_with_checks_stays(make_check: MakeCheck, person: Person) -> None:
    make_check()
    client = person(ADMIN)
    client.post("/checks/targets/of-connections/remove")
    assert Target.objects.exists()
    Check.objects.all().delete()
    client.post("/checks/targets/of-connections/remove")
    assert not Target.objects.exists()


READ = ["/checks/", "/checks/connections/"]
MUTE = ["/checks/connections/run", "/checks/connections/mute", "/checks/connections/unmute"]
EDIT = [
    "/checks/new",
    "/checks/targets/",
    "/checks/targets/new",
    "/checks/targets/of-connections/",
    "/checks/connections/edit",
]
EDIT_POST = ["/checks/connections/thresholds", "/checks/connections/remove", "/checks/targets/of-connections/remove"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (OPERATOR, {"read", "mute"}),
        (LEAD, {"read", "mute"}),
        (ADMIN, {"read", "edit"}),
        (STAKEHOLDER, set()),
    ],
)
def test_each_role_may_do_its_part(make_check: MakeCheck, person: Person, role: str, allowed: set[str]) -> None:
    make_check()
    client = person(role)
    for part, urls, method in (
        ("read", READ, client.get),
        ("mute", MUTE, client.post),
        ("edit", EDIT, client.get),
        ("edit", EDIT_POST, client.post),
    ):
        for url in urls:
            assert (method(url).status_code != 403) is (part in allowed), url


def test_checks_of_a_restricted_environment_do_not_exist_for_others(make_check: MakeCheck, person: Person) -> None:
    make_check(label="Secret check")
    Environment.objects.update(restricted=True)
    operator, admin = person(OPERATOR), person(ADMIN)
    assert "Secret check" not in text(operator.get("/checks/"))
    for url in MUTE:
        assert operator.post(url).status_code == 404
    assert operator.get("/checks/connections/").status_code == 404
    for url in EDIT[3:]:
        assert admin.get(url).status_code == 404
    for url in EDIT_POST:
        assert admin.post(url).status_code == 404


def test_failing_and_silent_checks_need_someone_unless_muted(
    make_check: MakeCheck, django_user_model: Any, person: Person
) -> None:
    person(OPERATOR)
    user = django_user_model.objects.get(username="operator")
    set_verdict(make_check("bad"), "down", last_message="97 of 100")
    set_verdict(make_check("still"), "unknown")
    set_verdict(make_check("fine"), "up")
    set_verdict(make_check("muted", muted_until=clock.now() + clock.seconds(60)), "down")
    found = [need for need in needs_of(user) if need.group == "checks"]
    assert sorted((need.rank, need.url) for need in found) == [(60, "/checks/bad/"), (65, "/checks/still/")]


def test_names_from_outside_are_text(make_check: MakeCheck, person: Person) -> None:
    check = make_check(label="<script>alert(1)</script>")
    set_verdict(check, "down", last_message="<img src=x onerror=alert(1)>")
    client = person(ADMIN)
    for url in ("/checks/", "/checks/connections/", "/checks/connections/edit", "/checks/new"):
        page = client.get(url).content.decode()
        assert "<script>alert" not in page and "<img src=x" not in page
