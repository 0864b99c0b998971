"""A signed JSON webhook after the Standard Webhooks specification: receivers drop a repeated `webhook-id`."""

import base64
import hashlib
import hmac
import json
import secrets

from erpops import clock
from incidents.channels.posting import check_url, post, shown_url
from incidents.channels.transport import Channel, Receipt
from incidents.models import ContactMethod, Message

_PREFIX = "whsec_"


def new_secret() -> str:
    """A signing secret in the form that receivers expect."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def signature(secret: str, *, key: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` over id.timestamp.body."""
    signed = f"{key}.{timestamp}.".encode() + body
    secret_bytes = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.new(secret_bytes, signed, hashlib.sha256).digest()).decode("ascii")


def send(message: Message, method: ContactMethod) -> Receipt:
    """Post it, signed with the method's secret."""
    body = json.dumps(
        {
            "type": f"erpops.{message.kind}",
            "id": message.idem_key,
            "incident": message.incident_id,
            "contact": message.contact_name,
            "level": message.level,
            "subject": message.subject,
            "body": message.body,
            "created_at": message.created_at.isoformat(),
        }
    ).encode()
    timestamp = int(clock.now().timestamp())
    headers = {"webhook-id": message.idem_key, "webhook-timestamp": str(timestamp)}
    if method.secret:
        headers["webhook-signature"] = signature(method.secret, key=message.idem_key, timestamp=timestamp, body=body)
    return Receipt(post(method.address, body, headers).proof)


CHANNEL = Channel(
    label="Webhook",
    validate=check_url,
    shown=shown_url,
    send=send,
    dedupes=True,
    answers=True,
    signed=True,
)
