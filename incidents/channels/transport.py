"""What every channel shares: its shape, its receipt, its errors, and a hard end to each attempt."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from incidents.models import ContactMethod, Message

# One attempt ends after this long, however slowly the other side drips. Leases are three times as long.
ATTEMPT_S = 10.0


@dataclass(frozen=True)
class Receipt:
    """The other side's own word that it took the message: a queue id, a status line."""

    proof: str


class TransportError(Exception):
    """A message was not accepted; the text says why to a person.

    `permanent`: trying again is useless. `retry_after`: seconds that the provider asked for.
    `unknown`: the provider may have accepted it, its answer was lost.
    """

    def __init__(
        self, text: str, *, permanent: bool = False, retry_after: float | None = None, unknown: bool = False
    ) -> None:
        super().__init__(text)
        self.permanent, self.retry_after, self.unknown = permanent, retry_after, unknown


@dataclass(frozen=True)
class Channel:
    """One way to reach people.

    `validate(address)` answers with a sentence about what is wrong, or None. `shown(address)` is what
    pages may show of it. `dedupes`: the receiver drops a second message with the same key.
    `answers`: acceptance of a test proves that the address works (mail servers accept anything).
    `signed`: the method has a secret of its own.
    """

    label: str
    validate: Callable[[str], str | None]
    shown: Callable[[str], str]
    send: Callable[[Message, ContactMethod], Receipt]
    dedupes: bool = False
    answers: bool = False
    signed: bool = False


def subject_of(message: Message) -> str:
    """The subject in one line; a message that may have arrived before says so."""
    flat = " ".join(message.subject.split())
    return f"(repeat) {flat}" if message.repeats else flat


@contextmanager
def deadline(cut: Callable[[], object], seconds: float | None = None) -> Iterator[None]:
    """Call `cut` from another thread unless the block ends in time (`ATTEMPT_S`); it must break the connection."""
    timer = threading.Timer(ATTEMPT_S if seconds is None else seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
