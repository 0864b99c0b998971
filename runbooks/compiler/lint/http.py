"""Requests: what curl refuses, what the server refuses, what nobody keeps."""

import json
import re
from collections.abc import Iterator

from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found, joined, row_of

_DB_PORTS = {"5432": "PostgreSQL", "3306": "MySQL", "6379": "Redis", "27017": "MongoDB"}
_TO_DATABASE = re.compile(r"\b(?:curl|wget)\b.*?https?://[\w.-]+:(\d+)", re.DOTALL)
_GLOB_URL = re.compile(r"curl\b.*?([\"'])?https?://[^\"'\s]*[?&]query=[^\"'\s]*(?:\[\d|\{)")
_BINARY = re.compile(
    r"\bcurl\b[^|>]*?/debug/pprof/(?:heap|goroutine|profile|block|mutex|allocs|trace)(?![\w?]*debug=)[^|>]*$"
)
_WHOLE_INDEX = re.compile(r"\bcurl\b.*-X\s*DELETE\b.*:9200/[\w*-]+[\"']?\s.*?(?:-d|--data)", re.DOTALL)
_INTO_SHELL = re.compile(r"\b(?:curl|wget)\b[^|;]*\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:ba|z|da|k)?sh\b(?!\s+-c)")
_UNCHECKED = re.compile(
    r"\bcurl\b(?=[^|;]*\s(?:-[sSfvLIgGN#]*k[sSfvLIgGN]*|--insecure)(?:\s|$))|\bwget\b[^|;]*--no-check-certificate"
)
_FORMAT_FILE = re.compile(r"\bcurl\b[^|;]*\s(?:-w|--write-out)\s+[\"']?@(?P<file>[\w./-]+)")
_DATA = re.compile(r"\s(?:-d|--data(?:-raw|-binary)?|--json)[ =]?\s*'(?P<json>[^']*)'(?=\s|$)")
_NO_JSON = re.compile(r"\.\.\.|…|<\w|\{\{|\$\{?\w|//|/\*|\b[A-Z]{3,}_[A-Z_]+\b")


def to_database(command: Command) -> Iterator[Found]:
    match = _TO_DATABASE.search(command["text"])
    if match and match[1] in _DB_PORTS:
        name = _DB_PORTS[match[1]]
        message = f"This speaks HTTP to a {name} port: it fails even when {name} is healthy."
        use = "Use a client of the database, for example pg_isready or redis-cli ping."
        yield command["line"], "http.database-port", "error", message, use


def globbing(command: Command) -> Iterator[Found]:
    text = command["text"]
    if _GLOB_URL.search(text) and not re.search(r"\s(?:-g|--globoff|--data-urlencode)\b", text):
        message = "curl reads […] and {…} in an address as a range and refuses it."
        use = "Add -g, or send the query with -G --data-urlencode 'query=…'."
        yield command["line"], "curl.globbing", "error", message, use


def head_and_data(command: Command) -> Iterator[Found]:
    if re.search(
        r"\bcurl\b(?=.*\s-(?:I|-head)\b)(?=.*\s(?:-d|--data\S*)\b)(?!.*\s(?:-G|--get)\b)", command["text"], re.DOTALL
    ):
        message = "curl takes -I or data, not both: it stops before it asks."
        yield command["line"], "curl.head-and-data", "error", message, "Use -i to see the headers of the answer."


def binary(command: Command) -> Iterator[Found]:
    if _BINARY.search(command["text"]) and not re.search(r"\s(?:-o|-O|--output)\b", command["text"]):
        message = "This prints a binary profile to the terminal; nothing keeps it."
        yield command["line"], "curl.binary-output", "warning", message, "Write it to a file with -o."


def whole_index(command: Command) -> Iterator[Found]:
    if _WHOLE_INDEX.search(command["text"]):
        message = "DELETE removes the whole index; Elasticsearch ignores the query in the body."
        use = "Use POST …/_delete_by_query, or delete indices by name."
        yield command["line"], "text.not-what-it-says", "error", message, use


def into_shell(command: Command) -> Iterator[Found]:
    if _INTO_SHELL.search(joined(command["text"])):
        message = "This runs whatever the server sends, also half of it when the connection breaks."
        yield command["line"], "http.into-shell", "warning", message, "Download it, look at it, then run it."


def unchecked(command: Command) -> Iterator[Found]:
    if _UNCHECKED.search(joined(command["text"])):
        message = "The certificate is not checked, so an expired or foreign one goes unnoticed."
        yield command["line"], "curl.insecure", "info", message, "Name the authority with --cacert."


def format_file(command: Command) -> Iterator[Found]:
    if match := _FORMAT_FILE.search(joined(command["text"])):
        message = f"curl stops without the file {match['file']}, which has to be in the current directory."
        use = "Write the format itself: -w '%{http_code} %{time_total}\\n'."
        yield command["line"], "curl.format-file", "info", message, use


def body(command: Command) -> Iterator[Found]:
    """A body that should be JSON and is none."""
    text = command["text"]
    if "json" not in text.lower() or "_bulk" in text or "ndjson" in text:
        return
    for match in _DATA.finditer(text):
        sent = match["json"].strip()
        if not sent.startswith(("{", "[")) or _NO_JSON.search(sent):
            continue
        try:
            json.loads(sent)
        except ValueError as error:
            message = f"The body is no JSON: {getattr(error, 'msg', 'it cannot be read').lower()}."
            yield row_of(command["line"], text, match.start("json")), "http.json", "error", message, "Correct it."


CHECKS = (
    (("curl", "wget"), to_database),
    (("query=",), globbing),
    (("curl",), head_and_data),
    (("pprof",), binary),
    ((":9200",), whole_index),
    (("curl", "wget"), into_shell),
    (("curl", "wget"), unchecked),
    (("@",), format_file),
    (("-d", "--data", "--json"), body),
)
