"""A small valkey-cli, since the wheel brings only the server: one command, its reply, an exit status.

valkey-cli [-u URL | -h HOST -p PORT -a PASSWORD -n DB] [--raw | --no-raw] COMMAND [ARG…]

Without -u or -h the server is the one that VALKEY_URL or REDIS_URL names. Replies look as in redis-cli:
raw when the output is not a terminal, quoted and numbered when it is. Exit status 1 on an error reply.
"""

import os
import sys
from urllib.parse import quote

from erpops.embedded.resp import Connection, ReplyError, Status

VERSION = "valkey-cli 9.1 (erpops, single commands only)"
_VALUES = {"-u": "url", "-h": "host", "-p": "port", "-a": "password", "-n": "db", "--user": "user"}
_FLAGS = {"--raw": "raw", "--no-raw": "no_raw", "--no-auth-warning": "quiet"}
_STREAMS = {"monitor", "subscribe", "psubscribe", "ssubscribe"}
# Replies that are a page of text: shown as such on a terminal too.
_PAGES = {"info", "lolwut"}
_PAGES_OF = {
    ("client", "list"),
    ("client", "info"),
    ("memory", "doctor"),
    ("latency", "doctor"),
    ("cluster", "nodes"),
}


class UsageError(Exception):
    """What is wrong with the words on the command line."""


def main(arguments: list[str]) -> int:
    try:
        options, command = parse(arguments)
        if "version" in options:
            print(VERSION)
            return 0
        if "help" in options or not command:
            print(__doc__.strip())
            return 0 if "help" in options else 1
        return run(address(options), command, raw=is_raw(options, command))
    except UsageError as error:
        print(f"valkey-cli: {error}", file=sys.stderr)
    except OSError as error:
        print(f"Could not connect to Valkey: {error.strerror or error}", file=sys.stderr)
    except ReplyError as error:
        print(f"AUTH failed: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def parse(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options before the command, and the command's words untouched (`SET k -u` keeps its `-u`)."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word in ("--version", "-v"):
            options["version"] = "yes"
        elif word == "--help":
            options["help"] = "yes"
        elif word in _FLAGS:
            options[_FLAGS[word]] = "yes"
        elif word in _VALUES and rest:
            options[_VALUES[word]] = rest.pop(0)
        elif word in _VALUES:
            raise UsageError(f"{word} needs a value.")
        else:
            raise UsageError(f"{word} is not known to this small valkey-cli; the one of your distribution has it.")
    return options, rest


def address(options: dict[str, str]) -> str:
    """The server's URL, from -u, else from -h and its kind, else from the environment."""
    if "url" in options:
        return options["url"]
    named = os.environ.get("VALKEY_URL") or os.environ.get("REDIS_URL")
    if named and not {"host", "port", "password", "user"} & options.keys():
        return f"{named.rpartition('/')[0]}/{options['db']}" if "db" in options else named
    password = options.get("password") or os.environ.get("VALKEYCLI_AUTH") or os.environ.get("REDISCLI_AUTH", "")
    login = f"{quote(options.get('user', ''), safe='')}:{quote(password, safe='')}@" if password else ""
    host, port = options.get("host", "127.0.0.1"), options.get("port", "6379")
    return f"redis://{login}{host}:{port}/{options.get('db', '')}"


def is_raw(options: dict[str, str], command: list[str]) -> bool:
    if "raw" in options or "no_raw" in options:
        return "raw" in options
    words = tuple(word.lower() for word in command[:2])
    return not sys.stdout.isatty() or words[0] in _PAGES or words in _PAGES_OF


def run(url: str, command: list[str], *, raw: bool) -> int:
    """Send the command, print its reply (every reply, for a command that streams)."""
    show = raw_text if raw else told
    with Connection(url, timeout=10) as connection:
        connection.wait_for_ever()
        reply = connection.call(*command)
        sys.stdout.buffer.write(show(reply) + b"\n")
        while command[0].lower() in _STREAMS:
            sys.stdout.flush()
            sys.stdout.buffer.write(show(connection.receive()) + b"\n")
    return 1 if isinstance(reply, ReplyError) else 0


def raw_text(reply: object) -> bytes:
    if isinstance(reply, list):
        return b"\n".join(raw_text(item) for item in reply)
    if isinstance(reply, bytes):
        return reply
    if isinstance(reply, Status):
        return reply.text.encode()
    return b"" if reply is None else str(reply).encode()


def told(reply: object, indent: int = 0) -> bytes:
    """As a person reads it: quoted strings, (integer), (nil), numbered lists."""
    if isinstance(reply, list):
        width = len(str(len(reply)))
        lines = [b"%*d) %b" % (width, number, told(item, indent + width + 2)) for number, item in enumerate(reply, 1)]
        return (b"\n" + b" " * indent).join(lines) if lines else b"(empty array)"
    if isinstance(reply, bytes):
        return b'"' + b"".join(_quoted(byte) for byte in reply) + b'"'
    if isinstance(reply, Status):
        return reply.text.encode()
    if reply is None:
        return b"(nil)"
    return f"(integer) {reply}".encode() if isinstance(reply, int) else f"(error) {reply}".encode()


def _quoted(byte: int) -> bytes:
    named = {
        0x22: b'\\"',
        0x5C: b"\\\\",
        0x0A: b"\\n",
        0x0D: b"\\r",
        0x09: b"\\t",
        0x07: b"\\a",
        0x08: b"\\b",
    }
    return named.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
