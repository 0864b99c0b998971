"""No secret is shown, however it is encoded and however its bytes arrive; ordinary output is left as it is."""

import base64
import html
import json
import random
import shlex
import string
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.redact import MASK, Masker

SECRETS = 40
_LETTERS = string.ascii_letters + string.digits
_FULL = _LETTERS + "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\"\\ "


def _secrets() -> list[str]:
    chance = random.Random(4)
    plain = ["".join(chance.choices(_LETTERS, k=chance.randint(8, 40))) for _ in range(SECRETS // 2)]
    hard = ["a" + "".join(chance.choices(_FULL, k=chance.randint(8, 40))) + "z" for _ in range(SECRETS // 2 - 2)]
    long = "".join(chance.choices(_LETTERS, k=900))
    key = "\n".join(["-----BEGIN A KEY-----", *textwrap.wrap(base64.b64encode(chance.randbytes(1200)).decode(), 64)])
    return [*plain, *hard, long, key + "\n-----END A KEY-----\n"]


def _b64(value: str, before: str = "", after: str = "") -> bytes:
    return base64.b64encode(f"{before}{value}{after}".encode())


def _wrapped(data: bytes, width: int, end: str = "\n") -> bytes:
    return end.join(textwrap.wrap(data.decode(), width, break_on_hyphens=False)).encode()


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "raw": lambda value: value.encode(),
    "base64": _b64,
    "base64 after one byte": lambda value: _b64(value, "u", "xyz"),
    "base64 after two bytes": lambda value: _b64(value, "u:", "x"),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(f"admin:{value}".encode()),
    "base64 in lines of 64": lambda value: _wrapped(_b64(value, "a" * 40, "b" * 30), 64),
    "base64 in lines of 76": lambda value: _wrapped(_b64(value, "a" * 50, "b" * 30), 76, "\r\n"),
    "hex": lambda value: value.encode().hex().encode(),
    "HEX": lambda value: value.encode().hex().upper().encode(),
    "hex in lines of 60": lambda value: _wrapped(("a" * 20 + value).encode().hex().encode(), 60),
    "percent": lambda value: quote(value, safe="").encode(),
    "percent of a path": lambda value: quote(value).encode(),
    "percent of a form": lambda value: quote_plus(value).encode(),
    "JSON": lambda value: json.dumps({"a": value}).encode(),
    "shell": lambda value: shlex.quote(value).encode(),
    "shell, double quotes": lambda value: b'"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    .replace("$", "\\$").replace("`", "\\`").encode(),
    "HTML": lambda value: html.escape(value).encode(),
    "Python": lambda value: repr(value).encode(),
}  # fmt: skip


def masked(masker: Masker, data: bytes, chance: random.Random | None, *, pauses: bool = False) -> bytes:
    """What comes out when `data` comes in pieces; in one without `chance`."""
    shown, at = b"", 0
    while at < len(data):
        size = chance.choice((1, 2, 7, 30, 200)) if chance else len(data)
        shown += masker.feed(data[at : at + size])
        at += size
        if pauses and chance and chance.random() < 0.3:
            shown += masker.pause()
    return shown + masker.flush()


def planted(value: str, form: bytes) -> list[bytes]:
    """What must not be found in what is shown: the form, and no larger part of the secret itself."""
    raw = value.encode()
    return [form] + [
        raw[at : at + 24] for at in range(0, max(1, len(raw) - 24), 8) if b"-----" not in raw[at : at + 24]
    ]


def _check_all(splits: int, secrets: list[str]) -> int:
    chance, found, tried = random.Random(7), [], 0
    first = Masker({str(number): value for number, value in enumerate(_secrets())})
    for value in secrets:
        for name, encode in ENCODINGS.items():
            form = encode(value)
            data = b"before " + form + b" after\n"
            for split in range(splits):
                tried += 1
                shown = masked(first.twin(), data, chance if split else None)
                if not (shown.startswith(b"before ") and shown.endswith(b"\n")):
                    found.append((name, value, "something else is gone", shown))
                # At least as much is gone as the secret is long, but for the first and last line of a key.
                left, most = len(shown.replace(MASK, b"")), len(data) - len(value) + (80 if "\n" in value else 0)
                if any(part in shown for part in planted(value, form)) or left > most:
                    found.append((name, value, "shown", shown))
    assert not found[:3], len(found)
    return tried


def test_a_planted_secret_is_never_shown() -> None:
    assert _check_all(3, _secrets()[::4]) == 10 * len(ENCODINGS) * 3


@pytest.mark.slow
def test_every_planted_secret_is_never_shown() -> None:
    assert _check_all(50, _secrets()) == SECRETS * len(ENCODINGS) * 50


UNKNOWN = [
    "AKIAIOSFODNN7ABCDEFG",
    "ghp_" + "a1B2c3D4e5F6" * 3,
    "github_pat_11ABCDEFG0abcdefghijkl_abcdefghijklmnopqrstuvwxyz0123456789",
    "glpat-abcDEF123456789_xyz-",
    "xoxb-123456789012-abcdefGHIJ",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"[:35],
]
ASSIGNED = [
    ("password=", "hunter2"),
    ("DB_PASSWORD=", "s3cr3t!x"),
    ('"password": ', '"correct horse battery"'),
    ("password: ", "Tr0ub4dor"),
    ("api_key = ", "9f8e7d6c5b4a39281706"),
    ("--token ", "abc123def456ghi7"),
    ("AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz"),
    ("Authorization: Basic ", "dXNlcjpwYXNzd29yZDEyMw=="),
    ("authorization: Bearer ", "mF_9.B5f-4.1JqM2abc"),
    ("postgresql://app:", "p4ssw0rd@db-1/x"),
    ("-----BEGIN PRIVATE KEY-----\n", "MIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIB"),
]
ORDINARY = b"""\
PWD=/srv/app
token: expired
Enter password: please wait
password authentication failed for user "app"
  --password string   the password to use
  --token string      bearer token for authentication to the API server
secret/my-tls-secret created
    secretName: web-tls
Volumes: kube-api-access (projected) TokenExpirationSeconds: 3607
max_tokens=4096 tokens: 17 passwordless: yes
password: ********  PASSWORD=$DB_PASSWORD  url=http://user:***@host/
GET http://host:8080/path@x 200 12ms ::1:5432 10.0.0.1:443
2026-01-19T12:00:00Z level=info msg="secret rotated" name=db-credentials
image: registry.local:5000/team/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
commit 9fceb02d0ae598e95dc970b74767f19372d61af8
sk-based routing, asian regions, eyJ, xox
"""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(UNKNOWN), st.integers(0, 2**32))
def test_what_looks_like_a_key_is_masked_however_it_is_cut(secret: str, seed: int) -> None:
    data = f"key is {secret} and on\n".encode()
    assert masked(Masker({}), data, random.Random(seed)) == b"key is " + MASK + b" and on\n"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ASSIGNED), st.integers(0, 2**32))
def test_what_is_called_a_secret_is_masked_however_it_is_cut(item: tuple[str, str], seed: int) -> None:
    data = f" x {item[0]}{item[1]}\n-----END PRIVATE KEY-----\n".encode()
    shown = masked(Masker({}), data, random.Random(seed))
    assert item[1].split("@")[0].split("\n")[0].encode() not in shown
    assert shown.startswith(f" x {item[0]}".encode().rstrip() if "KEY--" in item[0] else f" x {item[0]}".encode())
    assert MASK in shown


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_ordinary_output_is_left_as_it_is(seed: int, pauses: bool) -> None:
    assert masked(Masker({"x": "some-secret-9"}), ORDINARY, random.Random(seed), pauses=pauses) == ORDINARY


def test_a_beginning_is_shown_after_a_moment_and_what_follows_is_masked_all_the_same() -> None:
    masker = Masker({"x": "hunter2secret"})
    assert masker.feed(b"go on? token=") == b"go on? "
    assert masker.pause() == b"token="
    assert masker.feed(b"abcdef123456\nh") == MASK + b"\n"
    assert masker.pause() == b"h"
    assert masker.feed(b"unter2secret.") == MASK + b"."
    assert masker.feed(b"hunter2secre") == b""
    assert masker.pause() == b"", "a secret that is nearly whole is not shown"
    assert masker.feed(b"t\n") == MASK + b"\n"


def test_progress_without_line_ends_is_shown_at_once() -> None:
    masker = Masker({"x": "hunter2secret"})
    assert [masker.feed(b".") for _ in range(5)] == [b"."] * 5


def test_short_values_are_not_masked() -> None:
    assert masked(Masker({"x": "abc"}), b"abc abcd\n", None) == b"abc abcd\n"


def test_a_megabyte_without_a_break_is_shown_without_being_kept() -> None:
    masker = Masker({"x": "hunter2secret"})
    shown = sum(len(masker.feed(b"token=" + b"q7" * 32_765)) for _ in range(16))
    assert shown > 0
    assert len(masker._kept) < 200_000
