"""Every route of the incident pages against every role, for own and for foreign incidents."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from erpops import access
from erpops import urls as top
from incidents import postmortem, urls
from incidents.models import Incident

from .conftest import ClientOf, MakePerson, Places

# route: (method, capability, what is posted). "n" stands for the incident's number.
ROUTES: dict[str, tuple[str, str, dict[str, str]]] = {
    "now": ("get", "read_status", {}),
    "hide_first_run": ("post", "see_console", {}),
    "incidents": ("get", "see_console", {}),
    "incidents_csv": ("get", "see_console", {}),
    "declare": ("get", "declare_incident", {}),
    "declare_similar": ("get", "declare_incident", {}),
    "room": ("get", "see_console", {}),
    "room_head": ("get", "see_console", {}),
    "room_timeline": ("get", "see_console", {}),
    "room_here": ("get", "see_console", {}),
    "room_alerts": ("get", "see_console", {}),
    "room_comms": ("get", "see_console", {}),
    "acknowledge": ("post", "work_incidents", {}),
    "room_status": ("post", "work_incidents", {"to": "identified"}),
    "room_severity": ("post", "work_incidents", {"severity": "SEV3"}),
    "room_role": ("post", "work_incidents", {"role": "scribe"}),
    "room_picture": ("post", "work_incidents", {}),
    "room_handover": ("get", "work_incidents", {}),
    "room_note": ("post", "work_incidents", {"text": "seen"}),
    "room_resolve": ("post", "work_incidents", {"reason": "fixed"}),
    "room_reopen": ("get", "work_incidents", {}),
    "room_update": ("get", "post_status", {}),
    "room_update_preview": ("post", "post_status", {"audience": "internal"}),
    "review": ("get", "write_postmortem", {}),
    "review_edit": ("post", "write_postmortem", {"body": "text", "revision": "1"}),
    "review_preview": ("post", "write_postmortem", {"body": "text"}),
    "review_submit": ("post", "write_postmortem", {}),
    "review_decide": ("post", "publish_postmortem", {"decision": "publish"}),
    "review_export": ("get", "write_postmortem", {}),
    "follow_up": ("post", "write_postmortem", {"title": "add a test"}),
    "reviews": ("get", "write_postmortem", {}),
    "status": ("get", "read_status", {}),
    "environments": ("get", "edit_environments", {}),
    "environment_new": ("get", "edit_environments", {}),
    "sources": ("get", "edit_sources", {}),
    "source_add": ("post", "edit_sources", {"name": "prom", "kind": "alertmanager"}),
    "people": ("get", "edit_people", {}),
    "person_add": ("post", "edit_people", {"username": "new", "roles": "operator"}),
}
# Posts a drill over HTTP, need rows of their own, or are for everybody who is signed in.
ELSEWHERE = {
    "drill",
    "source_rotate",
    "source_enable",
    "follow_up_done",
    "handover_answer",
    "picture",
    "person_roles",
    "person_active",
}
ELSEWHERE |= {"environment_edit", "person_password", "own_password", "healthz", "theme", "login", "logout"}
OF_AN_INCIDENT = [name for name in ROUTES if name.startswith(("room", "review_", "follow_up", "acknow"))] + ["review"]


def _ask(client: Client, name: str, incident: Incident) -> int:
    method, _, data = ROUTES[name]
    url = reverse(name, args=[incident.pk] if name in OF_AN_INCIDENT else [])
    return int(getattr(client, method)(url, data).status_code)


def test_no_route_is_forgotten() -> None:
    patterns = [*urls.urlpatterns, *top.urlpatterns]
    here = {name for pattern in patterns if (name := getattr(pattern, "name", None))}
    own = {name for name in here if not str(name).startswith(("oncall", "escalation", "contact", "method", "rule"))}
    assert own - set(ROUTES) - ELSEWHERE == set()


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_opens_for_its_roles_and_for_nobody_else(
    name: str, incident: Incident, person: MakePerson, client_of: ClientOf
) -> None:
    postmortem.begin(incident=incident)
    allowed = access.CAPABILITIES[ROUTES[name][1]]
    for role in access.ROLES:
        status = _ask(client_of(person(f"one-{role}", role)), name, incident)
        if role in allowed:
            # 422: an earlier role resolved or published it already.
            assert status in {200, 302, 204, 422}, (role, status)
        else:
            assert status == 403, (role, status)
    assert _ask(client_of(person("nobody")), name, incident) == 403
    assert _ask(Client(), name, incident) == 302


@pytest.mark.parametrize("name", OF_AN_INCIDENT)
def test_an_incident_in_a_restricted_environment_does_not_exist_for_others(
    name: str, hidden: Incident, lead: User, client_of: ClientOf
) -> None:
    postmortem.begin(incident=hidden)
    assert _ask(client_of(lead), name, hidden) == 404


def test_a_grant_to_see_opens_the_room_but_not_the_work(
    hidden: Incident, operator: User, places: Places, client_of: ClientOf
) -> None:
    assign_perm("incidents.view_environment", operator, places.vault)
    client = client_of(operator)
    assert client.get(reverse("room", args=[hidden.pk])).status_code == 200
    answer = client.post(reverse("acknowledge", args=[hidden.pk]))
    assert answer.status_code == 403
    assert "needs a grant" in answer.content.decode()
    hidden.refresh_from_db()
    assert hidden.acknowledged_at is None


def test_a_grant_to_operate_opens_the_work(
    hidden: Incident, operator: User, places: Places, client_of: ClientOf
) -> None:
    assign_perm("incidents.operate_environment", operator, places.vault)
    assert client_of(operator).post(reverse("acknowledge", args=[hidden.pk])).status_code == 302
    hidden.refresh_from_db()
    assert hidden.acknowledged_by == operator


def test_hidden_incidents_are_in_no_list(hidden: Incident, lead: User, client_of: ClientOf) -> None:
    client = client_of(lead)
    for name in ("now", "incidents", "incidents_csv", "reviews"):
        assert "Vault" not in client.get(reverse(name)).content.decode(), name
    similar = client.get(reverse("declare_similar"), {"title": "vault is sealed"})
    assert "Vault" not in similar.content.decode()


def test_a_number_beyond_all_bounds_is_not_found(browser: Client) -> None:
    assert browser.get("/i/99999999999999999999999/").status_code == 404


def test_csrf_is_asked_for(incident: Incident, operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert client.post(reverse("acknowledge", args=[incident.pk])).status_code == 403
