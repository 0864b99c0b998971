"""Providers that refuse, ask to wait, hang, cut and lie; senders that die."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from incidents import escalation, lifecycle, notify, outbox, policy
from incidents.channels import webhook
from incidents.models import ContactMethod, Message
from tests.clock import Clock
from tests.incidents.escalation.conftest import Mailbox, Receiver, Team

Deliver = Callable[[], None]


def page_by(team: Team, receiver: Receiver, path: str, channel: str = "webhook") -> ContactMethod:
    """Make level 1 of SEV1 someone reached at `path` of the web server."""
    contact = team.contact(f"On {path}", channel, receiver.url + path)
    team.rule([[contact]])
    return contact.methods.get()


def test_a_webhook_is_signed_after_the_standard(team: Team, receiver: Receiver, deliver: Deliver) -> None:
    method = page_by(team, receiver, "/hook")
    incident = team.open()
    deliver()
    ((headers, body),) = receiver.got("/hook")
    message = Message.objects.get()
    assert headers["webhook-id"] == message.idem_key
    expected = webhook.signature(
        method.secret, key=message.idem_key, timestamp=int(headers["webhook-timestamp"]), body=body
    )
    assert headers["webhook-signature"] == expected
    assert len(base64.b64decode(expected.removeprefix("v1,"))) == 32
    assert json.loads(body)["incident"] == incident.pk
    assert message.status == "sent"
    assert message.proof.startswith("HTTP 200 in ")


def test_the_signature_matches_the_example_of_the_specification() -> None:
    body = b'{"test": 2432232314}'
    signed = webhook.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", key="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_title_cannot_mention_everyone_in_slack(team: Team, receiver: Receiver, deliver: Deliver) -> None:
    page_by(team, receiver, "/slack", "slack")
    team.open(title="<!channel> & friends")
    deliver()
    text = json.loads(receiver.got("/slack")[0][1])
    assert "<!channel>" not in json.dumps(text)
    assert text["text"].startswith("SEV1 &lt;!channel&gt; &amp; friends")


def test_slack_saying_ok_false_is_a_failure(team: Team, receiver: Receiver, deliver: Deliver) -> None:
    receiver.answers["/slack"] = (200, {}, b'{"ok": false, "error": "channel_not_found"}')
    page_by(team, receiver, "/slack", "slack")
    incident = team.open()
    deliver()
    message = Message.objects.get()
    assert (message.status, message.error) == ("failed", "Slack refused it: channel_not_found")
    assert incident.events.filter(kind="message.failed").exists()


def test_retry_after_is_obeyed(team: Team, receiver: Receiver, clock: Clock, deliver: Deliver) -> None:
    receiver.answers["/hook"] = (429, {"Retry-After": "40"}, b"slow down")
    page_by(team, receiver, "/hook")
    team.open()
    deliver()
    clock.advance(seconds=30)
    deliver()
    assert len(receiver.got("/hook")) == 1
    receiver.answers.clear()
    clock.advance(seconds=11)
    deliver()
    assert Message.objects.get().status == "sent"
    assert len({headers["webhook-id"] for headers, _ in receiver.got("/hook")}) == 1


def test_a_failing_provider_is_tried_six_times_and_then_it_shows(
    team: Team, receiver: Receiver, clock: Clock, deliver: Deliver
) -> None:
    receiver.answers["/hook"] = (500, {}, b"broken")
    page_by(team, receiver, "/hook")
    incident = team.open()
    for _ in range(8):
        deliver()
        clock.advance(minutes=20)
    message = Message.objects.get()
    assert (message.status, message.attempts, message.error) == ("failed", 6, "HTTP 500: broken")
    assert len(receiver.got("/hook")) == 6
    assert incident.events.get(kind="message.failed").text == "could not reach On /hook by webhook: HTTP 500: broken"


def test_a_permanent_refusal_is_not_repeated_and_the_next_way_is_tried(
    team: Team, receiver: Receiver, mailbox: Mailbox, deliver: Deliver
) -> None:
    receiver.answers["/gone"] = (410, {}, b"")
    method = page_by(team, receiver, "/gone", "slack")
    team.method(method.contact, "email", "backup@example.org")
    incident = team.open()
    deliver()
    assert len(receiver.got("/gone")) == 1
    assert len(mailbox.to("backup@example.org")) == 1
    assert incident.events.filter(kind="message.fallback").count() == 1
    method.refresh_from_db()
    assert method.disabled_reason == "HTTP 410"


def test_the_next_way_is_tried_early_when_the_first_keeps_failing(
    team: Team, receiver: Receiver, mailbox: Mailbox, clock: Clock, deliver: Deliver
) -> None:
    receiver.answers["/bad"] = (503, {}, b"")
    method = page_by(team, receiver, "/bad")
    team.method(method.contact, "email", "backup@example.org")
    team.open()
    deliver()
    assert mailbox.mails == []
    clock.advance(seconds=7)
    deliver()
    assert len(mailbox.to("backup@example.org")) == 1
    for _ in range(6):
        clock.advance(minutes=20)
        deliver()
    assert len(mailbox.to("backup@example.org")) == 1


def test_a_mail_server_that_refuses_the_address_is_not_asked_again(
    team: Team, mailbox: Mailbox, deliver: Deliver
) -> None:
    mailbox.answer = "550 5.1.1 no such user"
    team.open()
    deliver()
    assert Message.objects.get().error == "550 5.1.1 no such user"
    assert Message.objects.get().status == "failed"


def test_a_line_break_in_a_title_adds_no_header(team: Team, mailbox: Mailbox, deliver: Deliver) -> None:
    team.open(title="Down\r\nBcc: everyone@example.org\n\nbody")
    deliver()
    assert Message.objects.get().error == ""
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "SEV1 Down Bcc: everyone@example.org body (Production)"


def test_without_a_mail_server_mail_is_written_to_files_and_the_proof_says_so(
    team: Team, settings: Any, tmp_path: Any, deliver: Deliver
) -> None:
    settings.EMAIL_URL, settings.DATA_DIR = "", tmp_path
    team.open()
    deliver()
    assert "no mail server is set" in Message.objects.get().proof
    (written,) = (tmp_path / "mail").iterdir()
    assert "To: anna@example.org" in written.read_text()


def test_a_hanging_provider_delays_no_other_lane(
    team: Team, receiver: Receiver, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.delays["/hang"] = 2.5
    page_by(team, receiver, "/hang")
    hung = [team.open() for _ in range(outbox.LANE_THREADS)]
    outbox.tick()
    while len(receiver.got("/hang")) < len(hung):
        time.sleep(0.01)
    team.rule([[team.first]])
    began = time.monotonic()
    team.open()
    outbox.tick()
    while not mailbox.mails:
        time.sleep(0.01)
        assert time.monotonic() - began < 2
    assert Message.objects.filter(channel="webhook", status="sending").count() == len(hung)
    assert outbox.stop(10)
    outbox.resume()


def test_a_lost_answer_is_repeated_once_and_marked_where_the_receiver_cannot_tell(
    team: Team, receiver: Receiver, clock: Clock, deliver: Deliver
) -> None:
    receiver.cut.add("/slack")
    page_by(team, receiver, "/slack", "slack")
    team.open()
    for _ in range(4):
        deliver()
        clock.advance(minutes=5)
    texts = [json.loads(body)["text"] for _, body in receiver.got("/slack")]
    assert [text.startswith("(repeat) ") for text in texts] == [False, True]
    assert Message.objects.get().status == "failed"


def test_a_sender_that_died_before_settling_is_repeated_once_with_the_same_key(
    team: Team, receiver: Receiver, clock: Clock, deliver: Deliver
) -> None:
    page_by(team, receiver, "/slack", "slack")
    team.open()
    taken = notify.take("slack")
    assert taken is not None
    clock.advance(seconds=25)
    assert not notify.due().exists()
    clock.advance(seconds=6)
    deliver()
    ((_, body),) = receiver.got("/slack")
    assert json.loads(body)["text"].startswith("(repeat) ")
    assert Message.objects.get().status == "sent"
    late = notify.settle_sent(taken, outbox.channels["slack"].send(taken, taken.method))  # type: ignore[arg-type]
    assert late is False


def test_a_page_that_is_leaving_while_someone_acknowledges_gets_no_second_attempt(
    team: Team, receiver: Receiver, clock: Clock, deliver: Deliver
) -> None:
    receiver.answers["/hook"] = (500, {}, b"")
    receiver.delays["/hook"] = 0.4
    page_by(team, receiver, "/hook")
    incident = team.open()
    outbox.tick()
    while not receiver.got("/hook"):
        time.sleep(0.01)
    lifecycle.acknowledge(incident=incident, by=team.operator)
    deliver()
    clock.advance(minutes=20)
    deliver()
    assert len(receiver.got("/hook")) == 1
    assert Message.objects.get().status == "cancelled"


def test_a_claimed_page_does_not_leave_after_the_acknowledgement(team: Team, mailbox: Mailbox) -> None:
    incident = team.open()
    taken = notify.take("email")
    assert taken is not None
    lifecycle.acknowledge(incident=incident, by=team.operator)
    outbox.deliver(taken)
    assert mailbox.mails == []
    assert Message.objects.get().status == "cancelled"


def test_a_private_address_is_not_reached_unless_allowed(
    team: Team, receiver: Receiver, settings: Any, deliver: Deliver
) -> None:
    page_by(team, receiver, "/hook")
    settings.EGRESS_ALLOW = []
    team.open()
    deliver()
    assert "private or reserved network" in Message.objects.get().error
    assert receiver.requests == []


def test_pages_leave_while_redis_is_away(
    team: Team, mailbox: Mailbox, settings: Any, clock: Clock, deliver: Deliver
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    from erpops import nudges  # the client remembers the address it was made with

    nudges._client.cache_clear()
    try:
        team.open()
        deliver()
        clock.advance(minutes=6)
        escalation.tick()
        deliver()
    finally:
        nudges._client.cache_clear()
    assert [mail["To"] for mail in mailbox.mails] == ["anna@example.org", "bert@example.org"]


def test_stopping_waits_for_what_is_under_way_and_takes_nothing_new(team: Team, receiver: Receiver) -> None:
    receiver.delays["/slow"] = 0.3
    page_by(team, receiver, "/slow")
    team.open()
    outbox.tick()
    while not receiver.got("/slow"):
        time.sleep(0.01)
    assert outbox.stop(3)
    team.open()
    outbox.tick()
    assert not any(thread.name.startswith("outbox-") for thread in threading.enumerate())
    assert list(Message.objects.order_by("id").values_list("status", flat=True)) == ["sent", "queued"]
    outbox.resume()


def test_a_test_message_that_is_answered_verifies_the_method(team: Team, receiver: Receiver, deliver: Deliver) -> None:
    method = page_by(team, receiver, "/hook")
    notify.queue_test(method=method, by=team.admin, nonce="a", context={"contact": "x"})
    notify.queue_test(method=method, by=team.admin, nonce="a", context={"contact": "x"})
    deliver()
    assert len(receiver.got("/hook")) == 1
    method.refresh_from_db()
    assert method.verified_at is not None


def test_an_address_that_cannot_work_is_refused_with_a_sentence(team: Team) -> None:
    wrong = {"email": "nobody", "slack": "hooks.example.org/x", "webhook": "https://user:pw@example.org/"}
    for channel, address in wrong.items():
        with pytest.raises(policy.Refused, match=r"\."):
            team.method(team.first, channel, address)
    assert connection.in_atomic_block is False


def test_a_provider_that_drips_is_cut_off(
    team: Team, settings: Any, monkeypatch: pytest.MonkeyPatch, deliver: Deliver
) -> None:
    monkeypatch.setattr("incidents.channels.transport.ATTEMPT_S", 0.5)
    settings.EGRESS_ALLOW = ["127.0.0.1/32"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        contact = team.contact("Slow", "webhook", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        team.rule([[contact]])
        team.open()
        began = time.monotonic()
        deliver()
        assert time.monotonic() - began < 3
    message = Message.objects.get()
    assert (message.status, message.repeats) == ("queued", 1)
    assert message.error.startswith("No answer")


def _drip(listener: socket.socket) -> None:
    talk, _ = listener.accept()
    with talk, contextlib.suppress(OSError):
        talk.recv(65536)
        for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200:
            talk.sendall(bytes([letter]))
            time.sleep(0.1)


_DYING = """
import os
import django
django.setup()
from incidents import outbox, notify
from incidents.channels import channels
taken = notify.take("slack")
channels["slack"].send(taken, taken.method)
os.kill(os.getpid(), 9)
"""


def test_a_process_killed_after_sending_repeats_once_marked(
    team: Team, receiver: Receiver, clock: Clock, deliver: Deliver
) -> None:
    page_by(team, receiver, "/slack", "slack")
    team.open()
    here = connection.settings_dict
    url = f"postgresql://{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT']}/{here['NAME']}"
    settings_of_child = {
        "DJANGO_SETTINGS_MODULE": "erpops.settings",
        "DATABASE_URL": url,
        "ERPOPS_EGRESS_ALLOW": "127.0.0.1/32",
    }
    died = subprocess.run([sys.executable, "-c", _DYING], env={**os.environ, **settings_of_child}, timeout=60)
    assert died.returncode == -9
    clock.advance(seconds=31)
    deliver()
    clock.advance(minutes=5)
    deliver()
    texts = [json.loads(body)["text"] for _, body in receiver.got("/slack")]
    assert [text.startswith("(repeat) ") for text in texts] == [False, True]
    assert Message.objects.get().status == "sent"


def test_a_method_deleted_while_its_page_waits_hands_over_to_another(
    team: Team, receiver: Receiver, mailbox: Mailbox, deliver: Deliver
) -> None:
    method = page_by(team, receiver, "/hook")
    team.method(method.contact, "email", "backup@example.org")
    incident = team.open()
    policy.remove_method(method=method, by=team.admin)
    deliver()
    assert receiver.requests == []
    assert len(mailbox.to("backup@example.org")) == 1
    assert "was deleted" in incident.events.get(kind="message.failed").text
