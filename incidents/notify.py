"""The only writer of messages: what goes into the outbox, and what becomes of it.

A message is due while `next_at` is set. One that is being sent keeps it, under a lease: if the sender
dies, the lease runs out and another sends it once more, marked as a repetition. Whoever settles a
message locks its incident first, as everything else does that touches both.
"""

import hashlib
import random
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, When
from django.template.loader import render_to_string

from erpops import claims, clock
from erpops.clock import Now, seconds
from incidents import timeline
from incidents.channels.transport import Receipt, TransportError
from incidents.choices import MessageKind, MessageStatus
from incidents.models import ContactMethod, Incident, Message

LEASE_S = 30.0
BACKOFF_S = (5.0, 15.0, 60.0, 300.0, 900.0)
ATTEMPTS = len(BACKOFF_S) + 1
# After this many failures the contact's next method is tried as well, beside further attempts.
FALLBACK_AFTER = 2
# A provider that asks us to wait longer than this is as good as absent.
PATIENCE_S = 60.0
S = MessageStatus


def key_of(*parts: Any) -> str:
    """The idempotency key of whatever `parts` name."""
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()


def render(channel: str, template: str, context: dict[str, Any]) -> tuple[str, str]:
    """Subject (first line) and body of templates/messages/<channel>/<template>.txt."""
    text = render_to_string(f"messages/{channel}/{template}.txt", context).strip()
    subject, _, body = text.partition("\n")
    return " ".join(subject.split())[:250], body.strip() + "\n"


def queue(
    *,
    kind: str,
    method: ContactMethod,
    idem_key: str,
    subject: str,
    body: str,
    incident: Incident | None = None,
    level: int = 0,
) -> bool:
    """Put a message into the outbox, due now; False when the same key is there already."""
    now = clock.now()
    message = Message(
        idem_key=idem_key,
        kind=kind,
        incident=incident,
        method=method,
        contact_name=method.contact.name,
        channel=method.channel,
        level=level,
        subject=" ".join(subject.split())[:250],
        body=body,
        created_at=now,
        next_at=now,
    )
    before = Message.objects.filter(idem_key=idem_key).exists()
    if not before:
        # Another transaction may have asked for the same between the look and here: the key decides.
        Message.objects.bulk_create([message], ignore_conflicts=True)
    return not before


def queue_page(
    *, incident: Incident, method: ContactMethod, step: tuple[Any, ...], level: int, context: dict[str, Any]
) -> bool:
    """Page a contact by `method`. `step` names the fallen-due call: policy version, generation, level, cycle."""
    subject, body = render(method.channel, "page", {**context, "link": link_to(incident)})
    return queue(
        kind=MessageKind.PAGE,
        method=method,
        idem_key=key_of(incident.pk, *step, method.pk, method.channel),
        subject=subject,
        body=body,
        incident=incident,
        level=level,
    )


def queue_test(*, method: ContactMethod, by: User, nonce: str, context: dict[str, Any]) -> str:
    """A message that asks whether it arrives; its key. The same `nonce` again is the same message."""
    key = key_of("test", method.pk, nonce)
    subject, body = render(method.channel, "test", {**context, "by": by.get_full_name() or by.get_username()})
    queue(kind=MessageKind.TEST, method=method, idem_key=key, subject=subject, body=body)
    return key


def link_to(incident: Incident) -> str:
    """Where the incident is worked, from outside."""
    return f"{settings.PUBLIC_URL}/i/{incident.pk}/"


def withdraw_pages(*, incident: Incident) -> int:
    """Cancel the incident's pages that have not left; one that is leaving gets no further attempt."""
    pages = Message.objects.filter(incident=incident, kind=MessageKind.PAGE)
    pages.filter(status=S.SENDING).update(withdrawn=True)
    return pages.filter(status=S.QUEUED).update(status=S.CANCELLED, next_at=None)


def due() -> QuerySet[Message]:
    """Messages that may be attempted now, oldest due first."""
    waiting = Q(status=S.QUEUED, next_at__lte=Now())
    orphaned = Q(status=S.SENDING, withdrawn=False, lease_until__lt=Now(), next_at__isnull=False)
    return Message.objects.filter(waiting | orphaned).order_by("next_at", "id")


def take(channel: str) -> Message | None:
    """Claim one due message of a channel. One whose sender died is taken over as a repetition."""
    repeats = Case(When(status=S.SENDING, then=F("repeats") + 1), default=F("repeats"), output_field=IntegerField())
    taken = claims.claim(
        due().filter(channel=channel),
        limit=1,
        lease_s=LEASE_S,
        status=S.SENDING,
        attempts=F("attempts") + 1,
        repeats=repeats,
    )
    return taken[0] if taken else None


def may_leave(message: Message) -> bool:
    """Whether the claim still holds and nobody withdrew the message meanwhile."""
    return claims.held(message).filter(status=S.SENDING, withdrawn=False).exists()


def settle_sent(message: Message, receipt: Receipt) -> bool:
    """The receiver accepted it."""
    with transaction.atomic():
        incident = _lock_incident(message)
        if not _settle(message, status=S.SENT, sent_at=Now(), proof=receipt.proof[:200], error="", next_at=None):
            return False
        _tell(message, incident, "message.sent", f"reached {message.contact_name} by {message.channel}", noise=True)
    return True


def settle_error(message: Message, error: TransportError, *, dedupes: bool) -> None:
    """The receiver did not accept it, or nobody knows: try later, or give up, and say so.

    After an unknown outcome a receiver that cannot recognise a repetition gets one more attempt, not more.
    """
    spent = message.attempts >= ATTEMPTS or (error.unknown and message.repeats >= 1 and not dedupes)
    with transaction.atomic():
        incident = _lock_incident(message)
        if error.permanent or spent:
            _fail(message, incident, str(error))
            return
        pause = _pause(message.attempts, error.retry_after)
        again = {"status": S.QUEUED, "next_at": Now() + seconds(pause), "error": str(error)[:300]}
        if error.unknown:
            again["repeats"] = F("repeats") + 1
        if _settle(message, withdrawn=False, **again):
            if message.attempts == FALLBACK_AFTER or (error.retry_after or 0) > PATIENCE_S:
                _fall_back(message, incident)
        else:
            _settle(message, withdrawn=True, status=S.CANCELLED, next_at=None, error=str(error)[:300])


def settle_withdrawn(message: Message) -> None:
    """It was withdrawn after it was claimed and before it left."""
    claims.held(message).filter(withdrawn=True).update(status=S.CANCELLED, next_at=None, lease_until=None)


def sweep_withdrawn() -> int:
    """Withdrawn messages whose sender died: nobody knows whether they left, and they must not leave again."""
    lost = Message.objects.filter(status=S.SENDING, withdrawn=True, lease_until__lt=Now())
    return lost.update(
        status=S.CANCELLED, next_at=None, error="The sender stopped in the middle; it may have been sent."
    )


def _pause(attempts: int, retry_after: float | None) -> float:
    pause = BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1] * random.uniform(0.8, 1.2)
    return max(pause, retry_after or 0.0)


def _settle(message: Message, *, withdrawn: bool | None = None, **values: Any) -> bool:
    mine = claims.held(message).filter(status=S.SENDING)
    if withdrawn is not None:
        mine = mine.filter(withdrawn=withdrawn)
    return bool(mine.update(lease_until=None, **values))


def _fail(message: Message, incident: Incident | None, why: str) -> None:
    if not _settle(message, status=S.FAILED, next_at=None, error=why[:300]):
        return
    said = f"could not reach {message.contact_name} by {message.channel}: {why}"
    _tell(message, incident, "message.failed", said)
    if not message.withdrawn:
        _fall_back(message, incident)


def _fall_back(message: Message, incident: Incident | None) -> None:
    """Page the same contact by its next enabled method, once; by its first one when the method was deleted."""
    if message.kind != MessageKind.PAGE or incident is None:
        return
    if not Message.objects.filter(pk=message.pk, withdrawn=False).exists():
        return
    others = ContactMethod.objects.filter(contact__name=message.contact_name, enabled=True)
    if failed := message.method:
        others = others.filter(Q(position__gt=failed.position) | Q(position=failed.position, pk__gt=failed.pk))
    method = others.select_related("contact").first()
    if method is None:
        return
    queued = queue(
        kind=MessageKind.PAGE,
        method=method,
        idem_key=key_of(message.idem_key, "fallback", method.pk),
        subject=message.subject,
        body=message.body,
        incident=incident,
        level=message.level,
    )
    if queued:
        said = f"trying {message.contact_name} by {method.channel} instead of {message.channel}"
        _tell(message, incident, "message.fallback", said)


def _lock_incident(message: Message) -> Incident | None:
    if message.incident_id is None:
        return None
    return Incident.objects.select_for_update(no_key=True).get(pk=message.incident_id)


def _tell(message: Message, incident: Incident | None, kind: str, text: str, *, noise: bool = False) -> None:
    if incident is not None:
        timeline.add(incident=incident, kind=kind, text=text, data={"message": message.pk}, noise=noise)
