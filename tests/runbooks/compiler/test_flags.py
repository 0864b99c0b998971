"""Flags say what stands in the way of running a command, and what the executor does about it."""

import pytest

from runbooks.compiler.flags import EFFECTS
from tests.runbooks.compiler.fragments import OneCommand


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("tail -f /var/log/app.log", {"endless"}),
        ("tail -n 50 app.log", set()),
        ("docker-compose -f prod.yml logs", set()),
        ("docker-compose -f prod.yml logs -f api", {"endless"}),
        ("kubectl logs web-1 -f | grep ERROR", {"endless"}),
        ("ping db", {"endless"}),
        ("ping -c 4 db", set()),
        ("timeout 5 ping db", set()),
        ("top -b -n 1", set()),
        ("watch -n 2 df -h", {"endless"}),
        ("while true; do date; done", {"endless"}),
        ("docker container prune", {"interactive"}),
        ("docker container prune -f", set()),
        ("docker exec -it db df -h", {"tty"}),
        ("docker-compose exec db df -h", {"compose_tty"}),
        ("docker-compose exec -T db df -h", set()),
        ("docker compose exec db df -h", {"compose_tty"}),
        ("docker-compose restart api", {"outage"}),
        ("kubectl scale deploy/web --replicas=0", {"outage"}),
        ("sudo df -h", {"root"}),
        ("./check.sh", {"opaque"}),
        ("./backup.sh", {"opaque", "long"}),
        ("docker exec api env", {"secret"}),
        ("docker exec api env | grep MAX_CONNECTIONS", set()),
        ("docker exec api env | grep JWT_SECRET", {"secret"}),
        ("cat .env", {"secret"}),
        ("kubectl get secret app -o yaml", {"secret"}),
        ("kubectl get secret app -o yaml | wc -c", set()),
        ("htop", {"interactive", "endless"}),
        ("curl http://localhost/debug/pprof/profile > cpu.prof", {"long"}),
    ],
)
def test_flags(command: OneCommand, line: str, flags: set[str]) -> None:
    assert set(command(line)["flags"]) == flags


def test_each_flag_comes_with_its_rule_and_what_follows(command: OneCommand) -> None:
    found = command("sudo tail -f /var/log/app.log")
    assert {w["about"]: w.get("effect") for w in found["why"]} == {
        "risk": None,
        "flag:endless": EFFECTS["endless"],
        "flag:root": EFFECTS["root"],
    }
    assert all(w["rule"] and w["line"] == found["line"] for w in found["why"])
