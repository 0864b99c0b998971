"""The values that a command leaves open, by notation, name and type."""

import pytest

from runbooks.compiler.contract import Command
from tests.runbooks.compiler.fragments import Commands, OneCommand


def _parameters(command: Command) -> set[tuple[str, str, str]]:
    return {(p["name"], p["notation"], p["type"]) for p in command["parameters"]}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kubectl delete pod <web-pod>", {("web-pod", "angle", "pod")}),
        ("kubectl logs <some pod name>", {("some pod name", "angle", "pod")}),
        ("kill -9 <PID>", {("PID", "angle", "pid")}),
        ("iptables -A INPUT -s <attacking-ip> -j DROP", {("attacking-ip", "angle", "ip")}),
        ("iptables -A INPUT -s BAD_IP -j DROP", {("BAD_IP", "literal", "ip")}),
        ("psql -U $DB_USER -c 'SELECT 1'", {("DB_USER", "env", "text")}),
        ("ls ${DIR:-/tmp}", {("DIR", "env", "text")}),
        ("ls $HOME $1 $? $$", set()),
        ("awk '{print $5}' access.log", set()),
        ("docker ps --format '{{.Names}}'", set()),
        ("kubectl get pods -n {{ namespace }}", {("namespace", "template", "text")}),
        ("kubectl get pods -n {namespace}", {("namespace", "template", "text")}),
        ("docker compose [up|down]", {("up|down", "bracket", "text")}),
        ("grep -E '[a-z]+' file", set()),
        ("curl https://yourdomain.com/health", {("yourdomain.com", "literal", "host")}),
        ("curl -H 'Authorization: Bearer YOUR_TOKEN' http://x", {("YOUR_TOKEN", "literal", "secret")}),
        ("grep MAX_NAME .config", set()),
        ("kubectl rollout undo deploy/web --to-revision=<revision>", {("revision", "angle", "revision")}),
        ("docker logs container_name", {("container_name", "literal", "container")}),
        ("psql -c \"SELECT user_id FROM t WHERE id = 'some-uuid'\"", {("some-uuid", "literal", "text")}),
        ("psql -c \"SELECT * FROM t WHERE email = 'user@example.com'\"", {("user@example.com", "literal", "email")}),
        ("wc -l < input.txt > output.txt", set()),
        ("cat <<EOF\nx\nEOF", set()),
        ("diff <(ls a) <(ls b)", set()),
        ("kubectl logs web-7d9f8b6c5d-x2x4z", {("web-7d9f8b6c5d-x2x4z", "literal", "pod")}),
    ],
)
def test_parameters(command: OneCommand, line: str, expected: set[tuple[str, str, str]]) -> None:
    assert _parameters(command(line)) == expected


def test_a_name_that_the_fence_sets_itself_is_not_asked_for(commands: Commands) -> None:
    *_, last = commands('NS=shop\nread ANSWER\nfor pod in a b; do echo $pod; done\nkubectl get pods -n $NS "$ANSWER"')
    assert last["parameters"] == []


def test_a_parameter_stands_on_its_own_line(command: OneCommand) -> None:
    found = command("kubectl exec db \\\n  -- psql -c \\\n  'SELECT pg_terminate_backend(<pid>)'")
    assert [(p["name"], p["line"]) for p in found["parameters"]] == [("pid", 9)]


def test_a_literal_brings_its_own_value_as_default(command: OneCommand) -> None:
    assert command("nslookup yourdomain.com")["parameters"][0]["default"] == "yourdomain.com"
