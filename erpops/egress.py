"""The one HTTP client for addresses that people or payloads supply.

The address is checked at connect time, on the address that is then used, so a name that resolves
differently the second time gains nothing. Redirects are not followed and proxies are ignored. The
deny list is explicit: Python's `is_private` and `is_global` leave gaps.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

MAX_BODY = 1_048_576
# Never reached, whoever asks: cloud metadata lives on these.
_METADATA = [ipaddress.ip_network(block) for block in "169.254.0.0/16 168.63.129.16/32 fe80::/10 fd00:ec2::/32".split()]
_DENIED = [
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16 "
        "198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 ::/96 ::1/128 ::ffff:0:0/96 64:ff9b::/96 "
        "64:ff9b:1::/48 2001::/32 2002::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"
    ).split()
]


class Refused(httpx.RequestError):
    """The address is not one that this client may reach."""


def denied(address: str, *, private: bool = False) -> bool:
    """Whether a numeric address is on the deny list and not on ERPOPS_EGRESS_ALLOW.

    `private` is for addresses that an admin registered: all but metadata services.
    """
    number = ipaddress.ip_address(address.partition("%")[0])
    if any(number in block for block in _allowed_networks()):
        return False
    if private:
        mapped = getattr(number, "ipv4_mapped", None) or number
        return any(mapped in block for block in _METADATA)
    return any(number in block for block in _DENIED)


def _allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for entry in settings.EGRESS_ALLOW:
        try:
            found.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            continue
    return found


class _Backend(httpcore.SyncBackend):
    """Connects to checked addresses only; TLS still names the host."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"The name {host} does not resolve.") from error
        addresses = [str(entry[4][0]) for entry in found]
        if host not in settings.EGRESS_ALLOW and any(denied(address, private=self._private) for address in addresses):
            raise httpcore.ConnectError(
                f"{host} is on a private or reserved network. An admin can allow it with ERPOPS_EGRESS_ALLOW."
            )
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)


@cache
def _tls() -> ssl.SSLContext:
    """Who is trusted. Read once: it takes longer than most requests."""
    return httpx.create_ssl_context(trust_env=False)


def client(*, timeout_s: float = 5.0, private: bool = False, trust: ssl.SSLContext | None = None) -> httpx.Client:
    """A client for URLs that a person typed: one request at a time, no redirects, no proxies.

    `private` only for addresses that an admin registered as a target, which may have an authority of their own.
    """
    transport = httpx.HTTPTransport(retries=0)
    transport._pool = httpcore.ConnectionPool(
        ssl_context=trust or _tls(),
        network_backend=_Backend(private=private),
        max_connections=4,
    )
    return httpx.Client(transport=transport, timeout=timeout_s, follow_redirects=False, trust_env=False)
