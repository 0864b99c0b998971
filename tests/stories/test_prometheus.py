"""A real Prometheus and a real Alertmanager fire and resolve; one incident and one page result."""

from pathlib import Path

import pytest

from tests.peers import Mailbox, monitoring, needed, rows, until
from tests.stack import Stack


@pytest.mark.timeout(500)
def test_an_alert_of_a_real_prometheus_becomes_one_incident_and_a_page(tmp_path: Path) -> None:
    needed("prometheus", "prometheus-alertmanager")
    watched = tmp_path / "watched"
    watched.write_text("here")
    mail = {"ERPOPS_ADMIN_EMAIL": "oncall@example.org"}
    with Mailbox() as mailbox, Stack(environment=mail | {"ERPOPS_EMAIL_URL": mailbox.url}) as stack:
        database = str(stack.services()["database_url"])
        token = stack.manage(
            "shell",
            "-v0",
            "-c",
            "from incidents.models import Source; print(Source.objects.get(name='Alertmanager').token)",
        ).stdout.strip()
        with monitoring(f"{stack.url}/hooks/alertmanager", token, watched):
            watched.unlink()
            found = until(
                lambda: rows(database, "SELECT id, title, severity FROM incidents_incident"),
                60,
                "an incident",
            )
            assert [row[1:] for row in found] == [("The watched file is gone", "SEV1")]
            until(lambda: mailbox.messages, 30, "a page in the mailbox")
            watched.write_text("back")
            until(
                lambda: rows(database, "SELECT 1 FROM incidents_incident WHERE status = 'resolved'"),
                60,
                "the incident to resolve",
            )
        kinds = [row[0] for row in rows(database, "SELECT kind FROM incidents_timelineevent ORDER BY seq")]
        assert kinds.count("alert.firing") == 1 and kinds.count("alert.resolved") == 1
        assert rows(database, "SELECT count(*) FROM incidents_incident") == [(1,)]
    pages = [subject for subject in mailbox.subjects() if "The watched file is gone" in subject]
    assert pages and "SEV1" in pages[0]
    assert mailbox.messages[0]["To"] == "oncall@example.org"
