"""Servers that speak the interfaces of Loki, Elasticsearch and Grafana, and one that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD, TOKEN = "reader", "s3cret-pass", "glsa_t0ken"
NOW_NS = 1_760_000_000_000_000_000


class Speaker(BaseHTTPRequestHandler):
    """Base: keeps what it was asked, answers in JSON, and refuses whoever brings the wrong credential."""

    protocol_version = "HTTP/1.1"
    server: "Server"
    wanted: tuple[str, ...] = ()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        parts = urlsplit(self.path)
        self.server.asked.append((self.command, self.path, dict(self.headers.items()), self.body))
        if self.server.hold.is_set():
            self.server.freed.wait(60)
        if self.wanted and self.headers.get("Authorization") not in self.wanted:
            return self.reply(401, {"message": "invalid credential"})
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self.answer(parts.path, params)

    def answer(self, path: str, params: dict[str, str]) -> None:
        raise NotImplementedError

    def reply(self, status: int, said: Any, **headers: str) -> None:
        """Answer with JSON, or with the bytes as they are."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        kind = "text/plain" if isinstance(said, bytes) else "application/json"
        for name, text in {"Content-Type": kind, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, speaker: type[Speaker]) -> None:
        super().__init__(("127.0.0.1", 0), speaker)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        # While set, no answer comes: the server is there and hangs.
        self.hold, self.freed = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: Any) -> None:
        pass


@contextmanager
def speaking(speaker: type[Speaker]) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    server = Server(speaker)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.freed.set()
        server.shutdown()
        server.server_close()


class Loki(Speaker):
    """`query_range` as Loki 3 answers it: streams for a selector, a matrix for a function."""

    wanted = (f"Bearer {TOKEN}",)

    def answer(self, path: str, params: dict[str, str]) -> None:
        query = params.get("query", "")
        if path != "/loki/api/v1/query_range":
            return self.reply(404, b"404 page not found")
        if query.count("{") != query.count("}"):
            return self.reply(400, b"parse error at line 1, col 1: syntax error: unexpected IDENTIFIER")
        if "count_over_time" in query or "rate(" in query:
            values = [[NOW_NS // 10**9 - 3600 + 120 * n, str(n % 7)] for n in range(31)]
            return self._found("matrix", [{"metric": {"app": "api"}, "values": values}])
        limit = int(params.get("limit", "100"))
        lines = [[str(NOW_NS - n * 10**9), f"timeout {n} for {query}"] for n in range(min(limit, 500))]
        if "one" in query:
            lines = lines[:1]
        return self._found("streams", [{"stream": {"app": "api", "pod": "api-1"}, "values": lines}])

    def _found(self, kind: str, result: list[Any]) -> None:
        self.reply(200, {"status": "success", "data": {"resultType": kind, "result": result, "stats": {}}})


class Prometheus(Speaker):
    """The door of a Prometheus behind a proxy that asks for a password."""

    wanted = ("Basic cmVhZGVyOnMzY3JldC1wYXNz",)

    def answer(self, path: str, params: dict[str, str]) -> None:
        self.reply(200, {"status": "success", "data": {"resultType": "vector", "result": []}})


class Elasticsearch(Speaker):
    """`_search` and a little of the cluster's interface, as Elasticsearch 8 answers them."""

    wanted = ("Basic cmVhZGVyOnMzY3JldC1wYXNz",)

    def answer(self, path: str, params: dict[str, str]) -> None:
        if path == "/_cluster/health":
            return self.reply(200, {"cluster_name": "shop", "status": "green", "number_of_nodes": 3})
        if path.endswith("/_search"):
            return self._search(json.loads(self.body))
        return self.reply(404, _es_error("index_not_found_exception", f"no such index [{path.strip('/')}]"))

    def _search(self, asked: dict[str, Any]) -> None:
        query = asked["query"]["bool"]["must"][0]["query_string"]["query"]
        if query.count('"') % 2:
            return self.reply(400, _es_error("query_shard_exception", f"Failed to parse query [{query}]"))
        hits = [
            {
                "_index": "logs-1",
                "_source": {
                    "@timestamp": f"2026-01-19T02:00:{n:02d}Z",
                    "log": {"level": "error"},
                    "message": f"payment {n} failed",
                },
            }
            for n in range(3)
        ]
        buckets = [{"key": n, "doc_count": n * n} for n in range(8)]
        found = {"total": {"value": 1234, "relation": "eq"}, "hits": [] if "nothing" in query else hits}
        if "nothing" in query:
            found["total"] = {"value": 0, "relation": "eq"}
        over_time = {"over_time": {"buckets": [] if "nothing" in query else buckets}}
        return self.reply(200, {"_shards": {"total": 2, "failed": 0}, "hits": found, "aggregations": over_time})


def _es_error(kind: str, reason: str) -> dict[str, Any]:
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": 400}


class Grafana(Speaker):
    """A search for dashboards, with a service account's token."""

    wanted = (f"Bearer {TOKEN}",)

    def answer(self, path: str, params: dict[str, str]) -> None:
        if path == "/api/search":
            return self.reply(200, [{"uid": "db", "title": f"Database {params.get('query', '')}"}])
        return self.reply(404, {"message": "Not found"})


class Service(Speaker):
    """An HTTP service: echoes, redirects, fails, sends too much or what is no text."""

    def answer(self, path: str, params: dict[str, str]) -> None:
        if path == "/health":
            return self.reply(200, {"status": "ok", "checks": {"db": True}}, X_Request_Id="abc")
        if path == "/moved":
            return self.reply(302, b"", Location="/health")
        if path == "/away":
            return self.reply(302, b"", Location="http://127.0.0.2:1/elsewhere")
        if path == "/around":
            return self.reply(302, b"", Location="/around")
        if path == "/broken":
            return self.reply(503, b"database is away", Retry_After="30")
        if path == "/much":
            return self.reply(200, b"x" * 3_000_000)
        if path == "/binary":
            return self.reply(200, bytes(range(256)) * 4)
        return self.reply(
            200,
            {
                "method": self.command,
                "path": self.path,
                "body": self.body.decode(),
                "auth": self.headers.get("Authorization", ""),
                "type": self.headers.get("Content-Type", ""),
                "host": self.headers.get("Host", ""),
                "trace": self.headers.get("X-Trace", ""),
            },
        )
