"""E-mail, one message to one address, over Django's SMTP backend; without a server, into files."""

import smtplib
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.backends import filebased, smtp
from django.core.validators import validate_email

from incidents.channels.transport import Channel, Receipt, TransportError, deadline, subject_of
from incidents.models import ContactMethod, Message


class _ReplyKept:
    """Keeps the server's answer to DATA: with most servers it names the queue entry."""

    reply = b""

    def data(self, msg: Any) -> tuple[int, bytes]:
        code, self.reply = super().data(msg)  # type: ignore[misc]
        return code, self.reply


class _Smtp(_ReplyKept, smtplib.SMTP):
    pass


class _SmtpTls(_ReplyKept, smtplib.SMTP_SSL):
    pass


class _Backend(smtp.EmailBackend):
    # Set by Django while the session is not yet ready; its stubs do not know it.
    _partial_connection: smtplib.SMTP | None

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SmtpTls if self.use_ssl else _Smtp

    def cut(self) -> None:
        """Break the connection under a server that drips."""
        session = self.connection or self._partial_connection
        if session is not None and session.sock is not None:
            session.sock.shutdown(socket.SHUT_RDWR)


class _Files(filebased.EmailBackend):
    def written_to(self) -> str:
        return Path(self._get_filename()).name  # type: ignore[attr-defined]


def validate(address: str) -> str | None:
    """What is wrong with an address."""
    try:
        validate_email(address)
    except ValidationError:
        return "This is not an e-mail address; write something like name@example.org."
    return None


def send(message: Message, method: ContactMethod) -> Receipt:
    """Hand the message to the mail server; its answer to the message text is the proof."""
    mail = _compose(message, method)
    if not settings.EMAIL_URL:
        return _to_file(mail)
    backend = _Backend()
    began = time.monotonic()
    _open(backend)
    session = backend.connection
    try:
        with deadline(backend.cut):
            backend.send_messages([mail])
    except (smtplib.SMTPException, OSError) as error:
        raise _refusal(error) from error
    finally:
        _close(backend)
    reply = session.reply.decode("utf-8", "replace") if isinstance(session, _ReplyKept) else ""
    return Receipt(f"250 {' '.join(reply.split())} in {(time.monotonic() - began) * 1000:.0f} ms"[:200])


def _compose(message: Message, method: ContactMethod) -> EmailMessage:
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    headers = {"Message-ID": f"<{message.idem_key[:32]}@{host}>", "Auto-Submitted": "auto-generated"}
    if message.incident_id:
        headers["X-Erpops-Incident"] = str(message.incident_id)
        headers["References"] = f"<incident-{message.incident_id}@{host}>"
    return EmailMessage(subject=subject_of(message), body=message.body, to=[method.address], headers=headers)


def _to_file(mail: EmailMessage) -> Receipt:
    folder = Path(settings.DATA_DIR) / "mail"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = _Files(file_path=str(folder))
    files.send_messages([mail])
    return Receipt(f"written to mail/{files.written_to()}: no mail server is set (ERPOPS_EMAIL_URL)")


def _open(backend: _Backend) -> None:
    try:
        with deadline(backend.cut):
            backend.open()
    except smtplib.SMTPAuthenticationError as error:
        raise TransportError("The mail server refused our user name and password (ERPOPS_EMAIL_URL)") from error
    except (smtplib.SMTPException, OSError) as error:
        raise TransportError(f"No connection to the mail server: {str(error) or type(error).__name__}") from error


def _refusal(error: Exception) -> TransportError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return TransportError(f"{code} {text.decode('utf-8', 'replace')}", permanent=code >= 500)
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text_ = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return TransportError(f"{error.smtp_code} {text_}", permanent=error.smtp_code >= 500)
    return TransportError(f"The mail server did not answer: {str(error) or type(error).__name__}", unknown=True)


def _close(backend: _Backend) -> None:
    """Saying goodbye may fail; the message's fate is known by then."""
    try:
        with deadline(backend.cut, 2.0):
            backend.close()
    except (smtplib.SMTPException, OSError):
        return


CHANNEL = Channel(
    label="E-mail",
    validate=validate,
    shown=str,
    send=send,
)
