"""The programs `redis-cli` and `valkey-cli`: one command, several from standard input, SCAN and MONITOR.

Prints as they do without a terminal. Unlike them it ends with 1 when the server answers with an error, so that a
refusal does not look like a success.
"""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from runbooks.standins.ending import Ended, NotUnderstood, err, raw

_WITH_VALUE = {
    "-h": "host", "-p": "port", "-n": "db", "-a": "password", "--pass": "password", "--user": "user", "-u": "url",
    "-r": "times", "-i": "pause", "-t": "timeout", "--pattern": "pattern", "--count": "count", "--cacert": "ca",
    "-s": "socket",
}  # fmt: skip
_SWITCHES = {"--scan": "scan", "--tls": "tls", "-e": "", "--raw": "", "--no-auth-warning": "", "-2": ""}
_CONNECT_S = 5.0


@dataclass
class Call:
    """What was asked for: options by their meaning, and the words of a command."""

    options: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)


def read(words: Sequence[str]) -> Call:
    """Options up to the first word of the command. Raises NotUnderstood for one that is not known."""
    found = Call()
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option in _WITH_VALUE:
            if not rest:
                raise Ended(1, f"{option} needs a value.")
            found.options[_WITH_VALUE[option]] = rest.pop(0)
        elif option in _SWITCHES:
            found.options[_SWITCHES[option]] = "yes"
        else:
            raise NotUnderstood(f"the option {option}")
    found.words = rest
    if rest and rest[0].lower() in {"subscribe", "psubscribe", "ssubscribe", "sync", "psync"}:
        raise NotUnderstood(f"the command {rest[0]}")
    return found


def main(words: list[str]) -> int:
    """Carry out one call; 0, or 1 for an error of the server or of the connection."""
    call = read(words)
    # Loaded here, so that asking what is understood loads no client.
    import redis

    try:
        connection = _connected(redis, call)
        if "scan" in call.options:
            return _scan(connection, call)
        return _each(redis, connection, call)
    except redis.ConnectionError as error:
        place = f"{call.options.get('host', '127.0.0.1')}:{call.options.get('port', '6379')}"
        raise Ended(1, f"Could not connect to Redis at {place}: {_first_line(error)}") from error
    except redis.TimeoutError as error:
        raise Ended(1, "Error: Server did not answer in time") from error


def _connected(redis: Any, call: Call) -> Any:
    options = call.options
    password = options.get("password") or os.environ.get("REDISCLI_AUTH")
    shared = {"protocol": 2, "socket_connect_timeout": _CONNECT_S}
    if url := options.get("url"):
        secret = {"password": password} if password and not urlsplit(url).password else {}
        client = redis.Redis.from_url(url.replace("valkey://", "redis://"), **shared, **secret)
    else:
        client = redis.Redis(
            host=options.get("host", "127.0.0.1"),
            port=_number(options, "port", 6379),
            db=_number(options, "db", 0),
            username=options.get("user"),
            password=password,
            unix_socket_path=options.get("socket"),
            ssl="tls" in options,
            ssl_ca_certs=options.get("ca"),
            **shared,
        )
    try:
        connection = client.connection_pool.get_connection()
    except redis.AuthenticationError as error:
        raise Ended(1, f"AUTH failed: {_first_line(error)}") from error
    return connection


def _number(options: dict[str, str], name: str, default: int) -> int:
    try:
        return int(options.get(name, default))
    except ValueError:
        raise Ended(1, f"Invalid {name}: {options[name]}") from None


def _each(redis: Any, connection: Any, call: Call) -> int:
    """Every command, as often as asked for; the first error ends a repetition but not the lines of an input."""
    status = 0
    times, pause = _number(call.options, "times", 1), float(call.options.get("pause", 0))
    for words in _commands(call):
        for turn in range(times) if times >= 0 else iter(int, 1):
            if turn and pause:
                time.sleep(pause)
            try:
                connection.send_command(*words)
                _print(connection.read_response(disable_decoding=True))
            except redis.ResponseError as error:
                err(_first_line(error))
                status = 1
                break
            if words[0].lower() == "monitor":
                _follow(connection.read_response)
    return status


def _commands(call: Call) -> Iterator[list[str]]:
    if call.words:
        yield call.words
        return
    for line in sys.stdin:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise Ended(1, f"Invalid argument(s): {error}") from error
        if words:
            yield words


def _follow(answer: Callable[..., Any]) -> None:
    while True:
        _print(answer(disable_decoding=True))


def _scan(connection: Any, call: Call) -> int:
    cursor = b"0"
    while True:
        words = ["SCAN", cursor, "COUNT", call.options.get("count", "10")]
        if "pattern" in call.options:
            words += ["MATCH", call.options["pattern"]]
        connection.send_command(*words)
        cursor, keys = connection.read_response(disable_decoding=True)
        for key in keys:
            _print(key)
        if cursor == b"0":
            return 0


def _print(found: Any) -> None:
    """A reply as without a terminal: the bytes of a text, one line for each element of a list."""
    if isinstance(found, list):
        for each in found:
            _print(each)
        return
    raw("out", (found if isinstance(found, bytes) else b"" if found is None else str(found).encode()) + b"\n")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
