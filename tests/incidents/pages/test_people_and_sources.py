"""Accounts, and who may send alerts."""

import threading

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from erpops import access, people
from erpops.models import AuditEntry
from incidents.models import Source

from .conftest import ClientOf, MakePerson


@pytest.fixture
def office(admin: User, client_of: ClientOf) -> Client:
    """The admin's browser."""
    return client_of(admin)


def test_a_new_account_gets_a_password_that_is_shown_once(office: Client) -> None:
    data = {"username": "nora", "name": "Nora Berg", "email": "", "roles": ["operator", "lead"]}
    page = office.post(reverse("person_add"), data).content.decode()
    password = page.partition('id="first-password">')[2].partition("<")[0]
    user = authenticate(username="nora", password=password)
    assert user is not None and access.roles_of(user) == {"operator", "lead"}
    assert password not in office.get(reverse("people")).content.decode()
    assert password not in str(AuditEntry.objects.get(action="person.add").details)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"username": "root", "roles": "operator"}, "There is an account"),
        ({"username": "a b!", "roles": "operator"}, "letters, digits"),
        ({"username": "nora"}, "at least one role"),
        ({"username": "nora", "roles": "superuser"}, "superuser"),
        ({"username": "", "roles": "operator"}, "Choose a user name"),
    ],
)
def test_a_bad_account_is_refused_in_words(office: Client, data: dict[str, str], sentence: str) -> None:
    answer = office.post(reverse("person_add"), data)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert User.objects.count() == 1


def test_nothing_else_of_an_account_can_be_set(office: Client) -> None:
    data = {"username": "nora", "roles": "operator", "is_superuser": "1", "is_staff": "1", "password": "x"}
    office.post(reverse("person_add"), data)
    user = User.objects.get(username="nora")
    assert not user.is_superuser and not user.is_staff


def test_roles_and_access_follow_the_form(office: Client, operator: User) -> None:
    office.post(reverse("person_roles", args=[operator.pk]), {"roles": ["stakeholder"]})
    assert access.roles_of(User.objects.get(pk=operator.pk)) == {"stakeholder"}
    office.post(reverse("person_active", args=[operator.pk]), {"active": "0"})
    assert access.roles_of(User.objects.get(pk=operator.pk)) == frozenset()
    office.post(reverse("person_active", args=[operator.pk]), {"active": "1"})
    assert User.objects.get(pk=operator.pk).is_active
    assert AuditEntry.objects.filter(action__startswith="person.").count() == 3


def test_somebody_who_is_put_out_is_out_at_once(office: Client, operator: User, browser: Client) -> None:
    assert browser.get("/").status_code == 200
    office.post(reverse("person_active", args=[operator.pk]), {"active": "0"})
    assert browser.get("/").status_code == 302


def test_the_last_admin_stays(office: Client, admin: User, person: MakePerson) -> None:
    answer = office.post(reverse("person_roles", args=[admin.pk]), {"roles": ["operator"]})
    assert answer.status_code == 422 and "last active admin" in answer.content.decode()
    answer = office.post(reverse("person_active", args=[admin.pk]), {"active": "0"})
    assert answer.status_code == 422 and "your own account" in answer.content.decode()
    person("second", access.ADMIN)
    assert office.post(reverse("person_roles", args=[admin.pk]), {"roles": ["operator"]}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_remove_each_other_at_once(transactional_db: None, person: MakePerson) -> None:
    pair = [person("one", access.ADMIN), person("two", access.ADMIN)]
    refused: list[str] = []
    start = threading.Barrier(2)

    def demote(user: User, by: User) -> None:
        try:
            start.wait()
            people.set_roles(user=user, roles={access.OPERATOR}, by=by)
        except people.Refused as error:
            refused.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=pair), threading.Thread(target=demote, args=pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1 and len(access.people_with_role(access.ADMIN)) == 1


def test_a_lost_password_is_replaced(office: Client, operator: User) -> None:
    page = office.post(reverse("person_password", args=[operator.pk])).content.decode()
    password = page.partition('id="first-password">')[2].partition("<")[0]
    assert authenticate(username="ada", password=password) is not None


def test_everybody_changes_their_own_password(operator: User, client_of: ClientOf) -> None:
    operator.set_password("old-one-for-ada")
    operator.save(update_fields=["password"])
    client = client_of(operator)
    new = {"new_password1": "a-much-better-one-42", "new_password2": "a-much-better-one-42"}
    wrong = client.post(reverse("own_password"), {"old_password": "nope", **new})
    assert wrong.status_code == 422
    assert client.post(reverse("own_password"), {"old_password": "old-one-for-ada", **new}).status_code == 302
    assert client.get("/").status_code == 200, "this session goes on"
    assert authenticate(username="ada", password="a-much-better-one-42") is not None


def test_a_source_shows_its_token_once_with_the_lines_to_paste(office: Client) -> None:
    page = office.post(reverse("source_add"), {"name": "Prometheus", "kind": "alertmanager"}).content.decode()
    token = Source.objects.get().token
    assert token in page and "webhook_configs" in page and "/hooks/alertmanager" in page
    assert token not in office.get(reverse("sources")).content.decode()


def test_a_new_token_replaces_the_old_one(office: Client) -> None:
    office.post(reverse("source_add"), {"name": "Prometheus", "kind": "generic"})
    source = Source.objects.get()
    page = office.post(reverse("source_rotate", args=[source.pk])).content.decode()
    fresh = Source.objects.get()
    assert fresh.token != source.token and fresh.token in page and source.token not in page


def test_a_source_is_refused_and_heard_again(office: Client) -> None:
    office.post(reverse("source_add"), {"name": "Prometheus", "kind": "generic"})
    pk = Source.objects.get().pk
    office.post(reverse("source_enable", args=[pk]), {"enabled": "0"})
    assert not Source.objects.get().enabled
    office.post(reverse("source_enable", args=[pk]), {"enabled": "1"})
    assert Source.objects.get().enabled
    assert office.post(reverse("source_rotate", args=[pk + 1])).status_code == 404


def test_two_sources_of_one_name_are_refused(office: Client) -> None:
    for expected in (200, 422):
        answer = office.post(reverse("source_add"), {"name": "Prometheus", "kind": "generic"})
        assert answer.status_code == expected
    assert office.post(reverse("source_add"), {"name": "X", "kind": "checks"}).status_code == 422
