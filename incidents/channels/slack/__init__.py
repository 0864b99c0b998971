"""Slack and whatever speaks its incoming webhooks (Mattermost, Rocket.Chat)."""

import json
from typing import Any

from incidents.channels.posting import check_url, post, shown_url
from incidents.channels.transport import Channel, Receipt, TransportError, subject_of
from incidents.models import ContactMethod, Message

_BLOCK_LIMIT = 2900
# Answers to a well-formed request that no second attempt changes.
_FINAL = {"channel_not_found", "channel_is_archived", "invalid_token", "no_service", "no_team", "action_prohibited"}


def escape(text: str) -> str:
    """Slack's three control characters, so that a title cannot mention everyone."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def payload(message: Message) -> dict[str, Any]:
    """The subject as text for notifications, subject and body as blocks."""
    subject, body = escape(subject_of(message)), escape(message.body)[:_BLOCK_LIMIT]
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{subject}*"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": body}},
    ]
    return {"text": subject, "blocks": blocks}


def send(message: Message, method: ContactMethod) -> Receipt:
    """Post it. Slack answers `ok`; some of its doors answer 200 with `"ok": false`."""
    answer = post(method.address, json.dumps(payload(message)).encode(), {})
    try:
        said = json.loads(answer.text)
    except ValueError:
        said = {}
    if isinstance(said, dict) and said.get("ok") is False:
        reason = str(said.get("error", "no reason given"))
        raise TransportError(f"Slack refused it: {reason}"[:300], permanent=reason in _FINAL)
    return Receipt(answer.proof)


CHANNEL = Channel(
    label="Slack",
    validate=check_url,
    shown=shown_url,
    send=send,
    answers=True,
)
