"""Masking of known secret values in a stream of bytes.

A convenience against accidents, not a boundary: a command that encodes a secret shows it.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

MASK = "•••".encode()
# A shorter value would mask half of every line.
SHORTEST = 4


class Masker:
    """Replaces secret values, also where one arrives in pieces.

    `feed` holds back an end that could be the beginning of a secret; `flush` gives it out.
    One masker per stream: the pieces of a secret come down one pipe.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        values = {value for value in secrets.values() if len(value) >= SHORTEST}
        forms = {form.encode() for value in values for form in (value, quote(value, safe=""))}
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(re.escape(form) for form in self._forms)) if forms else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown now."""
        if self._pattern is None:
            return data
        buffer = self._held + data
        shown, at = [], 0
        for match in self._pattern.finditer(buffer):
            shown += [buffer[at : match.start()], MASK]
            at = match.end()
        keep = self._possible_beginning(buffer[at:])
        self._held = buffer[len(buffer) - keep :] if keep else b""
        shown.append(buffer[at : len(buffer) - keep])
        return b"".join(shown)

    def flush(self) -> bytes:
        """The rest, when nothing follows."""
        rest, self._held = self._held, b""
        return rest

    def _possible_beginning(self, tail: bytes) -> int:
        """Length of the longest end of `tail` with which a secret begins."""
        longest = len(self._forms[0]) - 1
        for length in range(min(longest, len(tail)), 0, -1):
            end = tail[-length:]
            if any(form.startswith(end) for form in self._forms):
                return length
        return 0
