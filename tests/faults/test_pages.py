"""A sender that dies before or after its page has left: the page arrives, at most once more, and says so."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from incidents import notify, outbox
from incidents.models import Message
from tests.clock import Clock
from tests.faults.standins import in_child, wait_ended
from tests.faults.world import World
from tests.incidents.escalation.conftest import Mailbox, Receiver, Team, deliver, mailbox, receiver, team

__all__ = ["deliver", "mailbox", "receiver", "team"]
pytestmark = pytest.mark.django_db(transaction=True)

# How often a page arrives when its sender dies there.
ARRIVALS = {"page.before_send": 1, "page.sent": 2}
# Deaths at each place that `make test-full` makes.
FULL = 25
TIMES = [1, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]


@dataclass
class Paging:
    """A team that can be paged by mail and by webhook, and the time."""

    team: Team
    mailbox: Mailbox
    receiver: Receiver
    clock: Clock
    deliver: Callable[[], None]

    def arrived(self) -> list[str]:
        """The keys of all pages that a receiver took, shortened to what a mail shows of them."""
        mails = [str(mail["Message-ID"])[1:33] for mail in self.mailbox.mails]
        return mails + [headers["webhook-id"][:32] for headers, _ in self.receiver.got("/pager")]

    def page(self, channel: str, title: str, *, dies_at: str) -> Message:
        """Page for a new incident, with a first sender that dies; the message when another has been at it."""
        incident = self.team.open(title=title)
        assert wait_ended([in_child(lambda: _send_one(channel), armed=f"{dies_at}:1")]) == [-signal.SIGKILL]
        assert notify.take(channel) is None, "its lease is not over"
        self.clock.advance(seconds=31)
        self.deliver()
        return Message.objects.get(incident=incident)


@pytest.fixture
def paging(
    *, world: World, team: Team, mailbox: Mailbox, receiver: Receiver, clock: Clock, deliver: Callable[[], None]
) -> Paging:
    made = Paging(team, mailbox, receiver, clock, deliver)
    world.taken = made.arrived
    return made


def _send_one(channel: str) -> None:
    message = notify.take(channel)
    assert message is not None
    outbox.deliver(message)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("point", ARRIVALS)
def test_a_page_by_mail_arrives_whenever_its_sender_dies(point: str, times: int, paging: Paging) -> None:
    for number in range(times):
        message = paging.page("email", f"Alarm {number:02}", dies_at=point)
        mails = [mail for mail in paging.mailbox.mails if f"Alarm {number:02}" in str(mail["Subject"])]
        assert (message.status, len(mails)) == ("sent", ARRIVALS[point])
        assert str(mails[-1]["Subject"]).startswith("(repeat) ")
        assert len({mail["Message-ID"] for mail in mails}) == 1


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("point", ARRIVALS)
def test_a_page_by_webhook_carries_the_same_key_whenever_its_sender_dies(
    point: str, times: int, paging: Paging
) -> None:
    paging.team.rule([[paging.team.contact("Carla", "webhook", f"{paging.receiver.url}/pager")]])
    for number in range(times):
        message = paging.page("webhook", f"Alarm {number:02}", dies_at=point)
        keys = [headers["webhook-id"] for headers, _ in paging.receiver.got("/pager")]
        assert (message.status, keys.count(message.idem_key)) == ("sent", ARRIVALS[point])
