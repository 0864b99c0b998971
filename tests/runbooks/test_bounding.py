"""What paints a screen for ever is given a form that prints and ends; what needs no screen stays as it is."""

import subprocess

import pytest

from runbooks.bounding import bounded


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("top", "top -b -n 1"),
        ("sudo top -u app", "sudo top -b -n 1 -u app"),
        ("top -o %MEM | head -20", "top -b -n 1 -o %MEM | head -20"),
        ("docker stats", "docker stats --no-stream"),
        ("docker stats api db", "docker stats --no-stream api db"),
        ("docker ps && docker stats", "docker ps && docker stats --no-stream"),
        ("docker compose stats", "docker compose stats --no-stream"),
        ("mtr db.internal", "mtr -r -c 5 db.internal"),
        ("docker exec erpgo-api top", "docker exec erpgo-api top -b -n 1"),
        ("docker compose exec -T backend top -c | head", "docker compose exec -T backend top -b -n 1 -c | head"),
        ("kubectl exec -i deploy/api -c api -- top", "kubectl exec -i deploy/api -c api -- top -b -n 1"),
        ("go tool pprof heap.prof", "go tool pprof -top heap.prof"),
        ("go tool pprof -base a.prof b.prof", "go tool pprof -top -base a.prof b.prof"),
        ("watch docker ps", "while :; do docker ps; echo; sleep 2; done"),
        ("watch -n 5 docker ps", "while :; do docker ps; echo; sleep 5; done"),
        ("watch -d -n1 'docker ps | wc -l'", "while :; do docker ps | wc -l; echo; sleep 1; done"),
        ("watch --interval=60 kubectl get pods", "while :; do kubectl get pods; echo; sleep 5; done"),
        ('watch "kubectl get pods -n shop"', "while :; do kubectl get pods -n shop; echo; sleep 2; done"),
    ],
)
def test_what_needs_a_screen_gets_a_form_without_one(text: str, becomes: str) -> None:
    found, told = bounded(text)
    assert found == becomes
    assert len(told) == 1
    assert subprocess.run(["bash", "-n", "-c", found], check=False).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "top -b -n 1",
        "top -bn1 | head",
        "docker stats --no-stream",
        "mtr -r db",
        "mtr -c 10 db",
        "tail -f app.log",
        "ping db",
        "echo top",
        "systemctl status desktop",
        "kubectl top pods",
        "go tool pprof -top heap.prof",
        "go tool pprof -http=:8081 heap.prof",
        "docker exec db sh -c top",
        "docker exec top ls",
        "git stash; ./watchdog start",
        "echo 'watch out'",
        "grep top notes.txt",
        "watch",
    ],
)
def test_what_is_bounded_or_needs_no_screen_stays(text: str) -> None:
    assert bounded(text) == (text, [])
