"""HTTP requests as documents write them: a line `GET /path`, headers, an empty line, a body.

Consoles for Elasticsearch leave out the headers and the empty line: what begins with a brace is the body.
"""

import re
from dataclasses import dataclass, field
from itertools import takewhile

from runbooks.compiler.http_calls import judge_http
from runbooks.compiler.shell import Variable
from runbooks.compiler.verdict import Verdict

METHODS = "GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"
FIRST = re.compile(rf"^\s*(?P<method>{METHODS})\s+(?P<url>\S(?:[^\n]*?\S)?)(?:\s+HTTP/[\d.]+)?\s*$")
_STARTS = re.compile(rf"^\s*(?:{METHODS})\s+(?:/|https?://|_\w|[\w.*,-]+/_\w)")
_HEADER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*?)[ \t]*$")
_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\b")
_COMMENT = re.compile(r"^\s*(?:#|//)")
_ANSWER = re.compile(r"^\s*(?:<\s)?HTTP/[\d.]+\s+\d{3}\b")


@dataclass(frozen=True)
class Request:
    """One request as it is written; nothing is decoded or filled in yet."""

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a fence by its rows (0-based, the last one included): a request, a remark or an answer."""

    kind: str
    first: int
    last: int
    text: str


def split(source: str) -> list[Part]:
    """The requests of a fence, with the comments before them and the answers below them."""
    rows = source.split("\n")
    starts = [row for row, line in enumerate(rows) if _STARTS.match(line)]
    found = [Part("remark", row, row, line) for row, line in enumerate(rows[: starts[0]] if starts else rows) if line]
    for start, following in zip(starts, [*starts[1:], len(rows)], strict=True):
        answer = next((row for row in range(start + 1, following) if _ANSWER.match(rows[row])), following)
        tail = list(takewhile(lambda row: _aside(rows[row]), range(answer - 1, start, -1)))[::-1]
        last = answer - 1 - len(tail)
        found.append(Part("request", start, last, "\n".join(rows[start : last + 1])))
        found += [Part("remark", row, row, rows[row]) for row in tail if rows[row].strip()]
        found += [Part("answer", row, row, rows[row]) for row in range(answer, following) if rows[row].strip()]
    return found


def _aside(line: str) -> bool:
    return not line.strip() or bool(_COMMENT.match(line))


def parse(text: str) -> Request:
    """One request. Raises ValueError with a sentence when it is none."""
    lines = text.strip("\n").split("\n")
    first = FIRST.match(lines[0])
    if first is None:
        raise ValueError("The first line names no method and address, such as GET /health.")
    headers: list[tuple[str, str]] = []
    row, url = 1, first["url"]
    while row < len(lines) and re.match(r"^\s+[?&]", lines[row]):
        url += lines[row].strip()
        row += 1
    while row < len(lines) and lines[row].strip():
        if _COMMENT.match(lines[row]):
            row += 1
            continue
        if not (header := _HEADER.match(lines[row])):
            break
        headers.append((header[1], header[2]))
        row += 1
    return Request(first["method"], url, headers, "\n".join(lines[row:]).strip("\n"))


def variables(text: str) -> list[Variable]:
    """The variables (`$NAME`, `${NAME}`) of the address and the headers; a body has dollars of its own."""
    found = []
    for row, line in enumerate(text.split("\n")):
        if not line.strip() or line.lstrip().startswith(("{", "[")):
            break
        found += [Variable(name, row) for name in _VARIABLE.findall(line)]
    return found


def judge(text: str) -> Verdict:
    """The risk of a request: its method, then its address."""
    try:
        request = parse(text)
    except ValueError as error:
        verdict = Verdict("blocked", "no HTTP request")
        verdict.problems.append(("http.syntax", str(error)))
        return verdict
    # A path such as `logs/_search` means the root of the server.
    url = request.url if "://" in request.url else "/" + request.url.lstrip("/")
    return judge_http("curl", ["-X", request.method, url])
