"""The workers' page: which worker can do what, and where nobody runs commands."""

import pytest
from django.test import Client

from erpops import beats
from incidents.models import Environment
from tests.runbooks.builders import person

pytestmark = pytest.mark.django_db


def test_it_tells_what_a_worker_has_and_which_environment_has_none() -> None:
    Environment.objects.create(name="prod", label="Production")
    Environment.objects.create(name="lab", label="Lab")
    info = {"programs": {"env.prod": ["psql", "curl"]}, "containment": "subreaper"}
    beats.beat(role="worker", queues=["env.prod"], info=info)
    client = Client()
    client.force_login(person("op", "operator"))
    text = client.get("/workers/").content.decode()
    assert "<code>env.prod</code>" in text
    assert "by adopting what a command leaves behind" in text
    has, lacks = text.partition("<dt>Lacks</dt>")[0], text.partition("<dt>Lacks</dt>")[2]
    assert "<code>psql</code>" in has
    assert "<code>kubectl</code>" in lacks
    assert "No worker serves Lab" in text
    assert "manage.py worker --queues env.lab" in text
    assert "No worker serves Production" not in text


def test_it_tells_as_whom_commands_run() -> None:
    client = Client()
    client.force_login(person("op", "operator"))
    for name, said in (("root", "until ERPOPS_COMMAND_USER"), ("deploy", "<code>deploy</code>")):
        beats.beat(role="worker", queues=["env.prod"], info={"command_user": name})
        assert said in client.get("/workers/").content.decode()
