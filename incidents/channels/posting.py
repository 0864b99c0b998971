"""Posting JSON to an address that a person typed, with the provider's answer read as far as it matters."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from erpops import egress
from incidents.channels.transport import TransportError, deadline

_READ_BYTES = 65_536
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True)
class Answer:
    """An accepted request: status, the beginning of the body, and how long it took in seconds."""

    status: int
    text: str
    took_s: float

    @property
    def proof(self) -> str:
        return f"HTTP {self.status} in {self.took_s * 1000:.0f} ms"


def check_url(address: str) -> str | None:
    """What is wrong with a URL to post to."""
    try:
        parts = urlsplit(address)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return "This is not a URL; write something like https://example.org/hook."
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_fits:
        return "Write the whole URL, beginning with https:// or http://."
    if parts.username or parts.password:
        return "Leave user names and passwords out of the URL."
    if any(letter.isspace() or ord(letter) < 33 for letter in address):
        return "A URL has no spaces or line breaks."
    return None


def shown_url(address: str) -> str:
    """The host alone: the rest may be a secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}/…"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST `body`; anything but 2xx raises `TransportError` with what to do about it."""
    began = time.monotonic()
    try:
        with egress.client() as client, deadline(client.close):
            headers = {"content-type": "application/json", "user-agent": "erpops", **headers}
            with client.stream("POST", url, content=body, headers=headers) as response:
                text = _beginning(response)
                _judge(response, text)
                return Answer(response.status_code, text, time.monotonic() - began)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise TransportError(f"The address cannot be used: {error}", permanent=True) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise TransportError(f"No connection: {_words(error)}") from error
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        # The request may have arrived. Closing the client at the deadline surfaces as one of several errors.
        raise TransportError(f"No answer: {_words(error)}", unknown=True) from error


def _beginning(response: httpx.Response) -> str:
    found = b""
    for chunk in response.iter_bytes():
        found += chunk
        if len(found) >= _READ_BYTES:
            break
    return found[:_READ_BYTES].decode("utf-8", "replace")


def _judge(response: httpx.Response, text: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    said = f"HTTP {status}: {' '.join(text.split())[:120]}" if text.strip() else f"HTTP {status}"
    if status in {408, 425, 429} or status >= 500:
        raise TransportError(said, retry_after=_retry_after(response.headers.get("retry-after", "")))
    if response.is_redirect:
        said = f"HTTP {status}: the address moved, and redirects are not followed"
    raise TransportError(said, permanent=True)


def _retry_after(value: str) -> float | None:
    """Seconds; a date in that header is not worth trusting a foreign clock for."""
    return min(float(value), _LONGEST_WAIT_S) if value.strip().isdigit() else None


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
