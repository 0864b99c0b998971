"""What a command acts on is read from its text, and is in use while it runs, whichever walk it belongs to."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections

from incidents.models import Environment
from runbooks import executions, runner, settling, touched
from runbooks.models import CommandRun
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, compiled, person, phase, publish, step, walk

YES = {"reason": "needed", "target": "api"}


@pytest.mark.parametrize(
    ("text", "names", "said"),
    [
        ("docker restart erpgo-api", ["erpgo-api"], "Restart 1 container on P"),
        ("docker rm -f a b", ["a", "b"], "Remove 2 containers on P"),
        ("docker compose -f prod.yml restart api", ["api"], "Restart 1 service on P"),
        ("docker-compose up -d", ["*"], "Start every service it finds on P"),
        ("docker ps -q | xargs docker stop", ["*"], "Stop every container it finds on P"),
        ("docker exec redis redis-cli FLUSHALL", ["redis"], "Flush in 1 container on P"),
        ("kubectl rollout restart deployment/api -n prod", ["api"], "Restart 1 deployment on P"),
        ("kubectl scale deploy api --replicas=0", ["api"], "Scale 1 deployment on P"),
        ("kubectl delete pod -l app=web", ["web"], "Delete 1 pod on P"),
        ("kubectl exec -it db-0 -n prod -- psql -c 'DROP TABLE orders'", ["db-0"], "Drop in 1 pod on P"),
        ("redis-cli -h redis.prod FLUSHDB", ["redis.prod"], "Flush 1 database on P"),
        ("psql -d shop -c 'SELECT pg_terminate_backend(7)'", ["shop"], "Terminate sessions on 1 database on P"),
        ("sudo systemctl restart nginx", ["nginx"], "Restart 1 service on P"),
        ("ssh root@web-1 'systemctl restart nginx'", ["web-1"], "Restart on 1 host on P"),
        ("rm -rf /var/old", ["/var/old"], "Remove 1 path on P"),
        ("kill -9 123", ["123"], "Kill 1 process on P"),
        ("curl -X POST http://api:8080/reload", ["api"], "Post 1 address on P"),
        ("./deploy.sh", ["*"], "Run on P"),
    ],
)
def test_a_text_says_what_it_acts_on(text: str, names: list[str], said: str) -> None:
    found = touched.of(command(text, "disrupt"), {})
    assert (list(found.names), found.said("P")) == (names, said)


def test_a_value_is_the_name_and_a_secret_never_is() -> None:
    one = command("docker restart <name>", "disrupt", parameters=[{"name": "name"}])
    assert touched.of(one, {"name": "Api"}).names == ("api",)
    secret = command("docker restart <api-token>", "disrupt", parameters=[{"name": "api-token"}])
    assert "hunter2" not in str(touched.of(secret, {"api-token": "hunter2"}))


def test_reading_acts_on_nothing_and_an_unnamed_change_locks_nothing() -> None:
    assert touched.of(command("docker logs api"), {}).names == ()
    assert touched.of(command("./note.sh", "change"), {}).names == ()


@pytest.fixture
def other() -> User:
    return person("omar", "operator")


def beside(place: Walk, by: User, text: str, risk: str = "disrupt") -> Walk:
    """Another walk, of another runbook, by somebody else."""
    [shelved] = publish(compiled("Beside", phase("diagnosis", step("Do", command(text, risk)))), path="beside.md")
    where = Environment.objects.get(pk=place.execution.environment_id)
    execution = executions.start(runbook=shelved, incident=place.incident, environment=where, by=by)
    return Walk(execution, by, place.incident)


def ask(place: Walk) -> CommandRun:
    return runner.request(step_run=place.step(), command=0, by=place.user, confirmation=YES)


@pytest.mark.django_db
def test_another_walk_waits_for_the_same_thing(other: User) -> None:
    place = walk(command("docker restart api", "disrupt"))
    run = ask(place)
    there = beside(place, other, "docker stop api")
    with pytest.raises(Refused, match=r"In use: api, `docker restart api`, 00:\d\d, by op in INC-") as refused:
        ask(there)
    assert refused.value.code == "occupied"
    runner.stop(run=run, by=place.user)
    assert ask(there).touches == ["api"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "risk", "free"),
    [
        ("docker stop db", "disrupt", True),
        ("docker logs api", "read", True),
        ("./note.sh", "change", True),
        ("docker restart API", "disrupt", False),
        ("kubectl annotate pod api x=y", "change", False),
        ("./deploy.sh", "disrupt", False),
    ],
)
def test_only_what_meets_waits(other: User, text: str, risk: str, free: bool) -> None:
    place = walk(command("docker restart api", "disrupt"))
    Environment.objects.update(folder="/srv/shop")
    ask(place)
    there = beside(place, other, text, risk)
    if free:
        assert ask(there).status == "queued"
    else:
        with pytest.raises(Refused, match="In use: api"):
            ask(there)


@pytest.mark.django_db
def test_what_may_act_on_everything_keeps_everything(other: User) -> None:
    place = walk(command("./deploy.sh", "disrupt"))
    Environment.objects.update(folder="/srv/shop")
    ask(place)
    with pytest.raises(Refused, match="In use: everything here"):
        ask(beside(place, other, "docker stop db"))


@pytest.mark.django_db
def test_a_run_of_unknown_outcome_keeps_its_things_until_it_is_settled(other: User) -> None:
    place = walk(command("docker restart api", "disrupt"))
    run = ask(place)
    CommandRun.objects.filter(pk=run.pk).update(status="outcome_unknown")
    there = beside(place, other, "docker stop api")
    with pytest.raises(Refused, match="nobody knows how it ended"):
        ask(there)
    settling.settle_unknown(run=run, verdict="done", by=place.user)
    assert ask(there).status == "queued"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_moment_one_gets_the_thing() -> None:
    first = walk(command("docker restart api", "disrupt"))
    places = [first]
    for number in range(5):
        user = person(f"op{number}", "operator")
        shelf = compiled(f"R{number}", phase("diagnosis", step("Do", command("docker stop api", "disrupt"))))
        [shelved] = publish(shelf, path=f"r{number}.md")
        where = Environment.objects.get(name="test")
        execution = executions.start(runbook=shelved, incident=first.incident, environment=where, by=user)
        places.append(Walk(execution, user, first.incident))
    barrier, told = threading.Barrier(len(places)), []

    def act(place: Walk) -> None:
        try:
            barrier.wait()
            ask(place)
            told.append("runs")
        except Refused as refusal:
            told.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(told) == ["occupied"] * 5 + ["runs"]
    assert CommandRun.objects.count() == 1
