"""An exit status is told in the words of the program that gave it, where that is certain."""

import pytest

from runbooks import exit_words


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("grep ERROR app.log", 1, "grep found nothing"),
        ("kubectl logs -l app=api | grep -i error", 1, "grep found nothing"),
        ("sudo grep x /var/log/syslog", 1, "grep found nothing"),
        ("curl -s 'http://prometheus:9090/api/v1/query?query=rate(x[5m])'", 3, "-g turns that off"),
        ("curl -I https://external.example", 6, "did not resolve"),
        ("docker-compose exec api nslookup db", 127, "command not found"),
        ("./scripts/warm.sh", 126, "not executable"),
        ("ping -c 4 db", 1, "no answer"),
        # Another program's status, or nobody knows whose.
        ("grep ERROR app.log | wc -l", 1, ""),
        ("grep -q ready app.log && ./scripts/go.sh", 1, ""),
        ("cat app.log; grep x app.log || false", 1, ""),
        ("for file in *.log; do grep x $file; done", 3, ""),
        ("kill $(pgrep api)", 1, ""),
        ("test -f x", 1, ""),
        ("", 1, ""),
    ],
)
def test_only_a_status_whose_giver_is_certain_has_words(script: str, code: int, said: str) -> None:
    found = exit_words.of(kind="shell", script=script, code=code)
    assert exit_words.of(kind="sql", script=script, code=code) == ""
    assert said in found if said else found == ""
