"""What stakeholders read: six fields, checked words, and no green that nobody vouches for."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from erpops import beats, clock
from erpops.models import ProcessBeat
from incidents import lifecycle, sources, status, wording
from incidents.models import Alert, Contact, Incident, StatusUpdate

from .conftest import HTMX, ClientOf, MakePerson, Places

FINE = {"headline": "The shop is slow", "body": "Pages load slowly. We are looking for the cause."}


def _post(client: Client, incident: Incident, **values: object) -> tuple[int, str]:
    data = {"audience": "stakeholders", "phase": "investigating", "next_in": "30", **FINE, **values}
    answer = client.post(reverse("room_update", args=[incident.pk]), data, headers=HTMX)
    return answer.status_code, answer.content.decode()


def test_a_clean_update_reaches_the_page(
    browser: Client, incident: Incident, stakeholder: User, client_of: ClientOf
) -> None:
    beats.beat(role="engine")
    assert _post(browser, incident)[0] == 204
    page = client_of(stakeholder).get(reverse("status")).content.decode()
    for shown in ("There is a disturbance", "The shop is slow", "Pages load slowly", "Online shop", "Next update by"):
        assert shown in page
    incident.refresh_from_db()
    assert incident.update_due_at == StatusUpdate.objects.get().next_update_at


def test_pressing_twice_tells_once(browser: Client, incident: Incident) -> None:
    for _ in range(2):
        assert _post(browser, incident)[0] == 204
    assert StatusUpdate.objects.count() == 1


LEAKS = [
    "10.2.3.4", "10.2.3.4:5432", "fe80::1ff:fe23:4567:890a", "db01", "erp-prod-1",
    "orders.internal", "shop.example.com", "https://wiki/x", "www.example.com", "ops@example.com",
    "kubectl get pods", "docker restart", "`ls`", "sudo reboot", "/var/log/postgresql/x.log",
    "port 5432", "password=hunter2", "the password is hunter2", "token: abc",
    "AKIAABCDEFGHIJKLMNOP", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "9f86d081884c7d659a2feaa0c55ad015", "NullPointerException", "INC-204", "SELECT * FROM orders",
    "localhost", "Lena", "lena", "Moor", "shop-7f9c", "１０.2.3.4", "db\u200b01", "--force-recreate",
    "AUTH_FAILED_002",
]  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_internal_words_are_refused_and_named(
    leak: str, browser: Client, incident: Incident, lead: User, places: Places
) -> None:
    source, _ = sources.create(name="prom", kind="generic")
    Alert.objects.create(
        source=source, fingerprint="f", name="Slow", status="firing", severity="SEV2", incident=incident,
        labels={"pod": "shop-7f9c"}, starts_at=incident.opened_at, first_seen_at=incident.opened_at,
        last_seen_at=incident.opened_at,
    )  # fmt: skip
    code, page = _post(browser, incident, body=f"We see {leak} and work on it.")
    assert code == 422 and "looks like" in page
    assert _post(browser, incident, headline=f"About {leak} today", anyway="1")[0] == 422, "not even all the same"
    assert not StatusUpdate.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "Since 14:02 UTC pages load slowly, e.g. the basket. We expect 20 to 30 minutes.",
        "About 3.5 % of the orders fail; nothing is lost. Next word at 15:00.",
        "The well-known payment problem is back. Please try again in half an hour!",
        "Version 2 of the shop is not affected. Two-thirds of users see no change.",
    ],
)
def test_plain_words_pass(text: str) -> None:
    assert wording.findings(text) == []


def test_what_stands_in_brackets_must_be_filled_in(browser: Client, incident: Incident) -> None:
    sheet = browser.get(reverse("room_update", args=[incident.pk]), headers=HTMX).content.decode()
    assert "Problems with Online shop" in sheet and "Fill in [what users notice]" in sheet
    code, page = _post(browser, incident, body="Since noon [what users notice].")
    assert code == 422 and "[what users notice]" in page


def test_the_next_word_is_promised_until_it_is_over(browser: Client, incident: Incident) -> None:
    code, page = _post(browser, incident, next_in="")
    assert code == 422 and "Say when the next update comes" in page
    assert _post(browser, incident, phase="resolved", next_in="")[0] == 204
    assert _post(browser, incident, next_in="99999")[0] == 422


def test_colleagues_may_read_hosts_but_no_secrets_unless_insisted(browser: Client, incident: Incident) -> None:
    assert _post(browser, incident, audience="internal", body="db01 swaps", next_in="")[0] == 204
    code, page = _post(browser, incident, audience="internal", body="use password=hunter2", next_in="")
    assert code == 422 and "Post it all the same" in page
    insisted = _post(browser, incident, audience="internal", body="use password=hunter2", next_in="", anyway="1")
    assert insisted[0] == 204
    assert not StatusUpdate.objects.filter(audience="stakeholders").exists()


def test_the_preview_shows_what_will_be_read(browser: Client, incident: Incident) -> None:
    url = reverse("room_update_preview", args=[incident.pk])
    page = browser.post(
        url, {"audience": "stakeholders", "headline": "<b>Hi</b>", "body": "db01 is down"}
    ).content.decode()
    assert "&lt;b&gt;Hi" in page and "“db01” looks like a host name" in page


def test_choosing_a_phase_keeps_words_that_a_person_wrote(browser: Client, incident: Incident) -> None:
    url = reverse("room_update", args=[incident.pk])
    first, body = status.template(incident, "investigating")
    untouched = browser.get(url, {"phase": "resolved", "headline": first, "body": body}, headers=HTMX)
    assert "works normally" in untouched.content.decode()
    typed = browser.get(url, {"phase": "resolved", "headline": "Mine", "body": "My own words"}, headers=HTMX)
    assert "My own words" in typed.content.decode()


def test_no_canary_reaches_stakeholders(
    person: MakePerson, places: Places, stakeholder: User, client_of: ClientOf
) -> None:
    """25 marked values in every place around a published incident; the page shows none of them."""
    beats.beat(role="engine")
    author = person("canary-user", "operator", name="CanaryFirst CanaryLast")
    author.email = "canary-mail@example.com"
    author.save(update_fields=["email"])
    places.production.name, places.production.label = "canary-env", "CanaryEnvLabel"
    places.production.variables = {"CANARYVAR": "canaryvalue"}
    places.production.save(update_fields=["name", "label", "variables"])
    places.shop.name, places.shop.label = "canary-service", "CanaryServiceLabel"
    places.shop.save(update_fields=["name", "label"])
    made = lifecycle.open_incident(
        title="CanaryTitle", severity="SEV1", environment=places.production, service=places.shop,
        impact="CanaryImpact", group_key="canary-group", by=author, cause="CanaryCause",
    )  # fmt: skip
    lifecycle.acknowledge(incident=made, by=author)
    lifecycle.add_note(incident=made, text="CanaryNote", by=author)
    source, token = sources.create(name="CanarySource", kind="generic")
    Alert.objects.create(
        source=source, fingerprint="canaryfingerprint", name="CanaryAlert", status="firing", severity="SEV1",
        incident=made, labels={"canarylabel": "CanaryLabelValue"}, annotations={"canarynote": "CanaryAnnotation"},
        generator_url="https://canary.example/g", starts_at=made.opened_at, first_seen_at=made.opened_at,
        last_seen_at=made.opened_at,
    )  # fmt: skip
    Contact.objects.create(name="CanaryContact", role="CanaryRole", user=author)
    status.post(
        incident=made, audience="internal", phase="identified", headline="CanaryInternalHead",
        body="CanaryInternalBody", next_in=None, by=author,
    )  # fmt: skip
    status.post(incident=made, audience="stakeholders", phase="identified", next_in=15, by=author, **FINE)  # type: ignore[arg-type]
    lifecycle.resolve(incident=made, resolution="CanaryResolution", by=author)
    page = client_of(stakeholder).get(reverse("status")).content.decode()
    assert FINE["headline"] in page and "Online shop" in page
    assert "canary" not in page.lower()
    assert token not in page and made.reference not in page and f"/i/{made.pk}" not in page
    assert "SEV1" not in page


def test_a_drill_is_told_as_an_exercise_and_disturbs_nothing(
    places: Places, operator: User, stakeholder: User, client_of: ClientOf
) -> None:
    beats.beat(role="engine")
    drill = lifecycle.open_incident(title="D", severity="SEV3", environment=places.production, is_drill=True)
    status.post(incident=drill, audience="stakeholders", phase="investigating", next_in=15, by=operator, **FINE)  # type: ignore[arg-type]
    page = client_of(stakeholder).get(reverse("status")).content.decode()
    assert "EXERCISE" in page and page.index("Exercises") < page.index(FINE["headline"])
    assert "No known disturbance" in page and "Disturbed" not in page


def test_it_is_never_green_without_a_living_engine(stakeholder: User, client_of: ClientOf) -> None:
    client = client_of(stakeholder)
    beats.beat(role="engine")
    assert "No known disturbance" in client.get(reverse("status")).content.decode()
    ProcessBeat.objects.update(seen_at=clock.now() - clock.seconds(status.CONFIRM_S + 1))
    page = client.get(reverse("status")).content.decode()
    assert "We cannot confirm the current state" in page and "No known disturbance" not in page


def test_a_disturbance_moves_to_the_past_when_it_is_over(
    browser: Client, incident: Incident, stakeholder: User, client_of: ClientOf
) -> None:
    beats.beat(role="engine")
    _post(browser, incident)
    _post(browser, incident, phase="resolved", headline="The shop works", body="It is over.", next_in="")
    page = client_of(stakeholder).get(reverse("status")).content.decode()
    assert page.index("The last 90 days") < page.index("The shop is slow")
    assert "There is a disturbance" not in page


def test_six_fields_and_no_more() -> None:
    assert set(status.PublicUpdate.__dataclass_fields__) == {
        "service", "phase", "headline", "body", "at", "next_update_at",
    }  # fmt: skip
