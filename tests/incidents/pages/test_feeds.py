"""What live pages hear, and who may listen."""

from django.contrib.auth.models import User

from erpops.sse import feeds
from incidents import lifecycle
from incidents.models import Incident


def test_an_incident_tells_its_latest_event_once(incident: Incident, operator: User) -> None:
    feed = feeds["incident"]
    seq = Incident.objects.get(pk=incident.pk).event_seq
    assert feed.after(str(incident.pk), seq) == []
    lifecycle.add_note(incident=incident, text="news", by=operator)
    (frame,) = feed.after(str(incident.pk), seq)
    assert frame.seq == seq + 1 and f'"topic":"incident:{incident.pk}"'.encode() in frame.wire


def test_only_those_who_see_it_may_listen(
    incident: Incident, hidden: Incident, operator: User, stakeholder: User
) -> None:
    feed = feeds["incident"]
    assert feed.allowed(operator, str(incident.pk)) and not feed.allowed(operator, str(hidden.pk))
    assert not feed.allowed(stakeholder, str(incident.pk))
    for strange in ("", "x", "-1", "1 OR 1=1", "٣", "9" * 30):
        assert not feed.allowed(operator, strange), strange
    assert feeds["now"].allowed(operator, "") and not feeds["now"].allowed(stakeholder, "")


def test_every_event_moves_the_first_page(incident: Incident, operator: User) -> None:
    feed = feeds["now"]
    before = feed.after("", 0)[0].seq
    lifecycle.acknowledge(incident=incident, by=operator)
    assert feed.after("", before)[0].seq > before
