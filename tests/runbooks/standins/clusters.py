"""A server that speaks the protocol of a Kubernetes API: objects with selectors and patches, logs, exec, metrics.

What is executed in its pods are real processes of this machine. Both the real kubectl and the stand-in talk to it.
"""

import asyncio
import base64
import copy
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from erpops.embedded.launch import free_port
from tests.runbooks.standins.certificates import self_signed
from tests.runbooks.standins.objects import (
    DISCOVERY,
    METRICS,
    RESOURCES,
    Object,
    again,
    changed,
    created,
    initial,
    matches,
    table,
)

TOKEN = "right-token"
_OPENAPI, _OPENAPI_TYPE = b"\x0a\x032.0", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


@dataclass
class Cluster:
    """A running server. `seen` are the method and path of every request that changed something."""

    port: int
    certificate: str
    objects: dict[tuple[str, str, str], Object] = field(default_factory=initial)
    seen: list[tuple[str, str]] = field(default_factory=list)
    protocols: tuple[str, ...] = _PROTOCOLS
    # What goes before a command that is executed in a pod; without it the process is one of this machine.
    within: Callable[[Object], list[str]] = lambda pod: []
    # Something looks after the pods: one that is deleted is there again under its name.
    looked_after: bool = False
    # What the logs of a pod hold; without it a count.
    said: Callable[[Object], list[str]] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def config(self, place: Path, *, token: str = TOKEN, url: str = "") -> Path:
        """A kubeconfig with two contexts, of which `shop` is current."""
        place.parent.mkdir(parents=True, exist_ok=True)
        trusted = base64.b64encode(self.certificate.encode()).decode()
        clusters = [{"name": "main", "cluster": {"server": url or self.url, "certificate-authority-data": trusted}}]
        contexts = [
            {"name": name, "context": {"cluster": "main", "user": "op", "namespace": name}}
            for name in ("shop", "other")
        ]
        users = [{"name": "op", "user": {"token": token}}]
        whole = {"apiVersion": "v1", "kind": "Config", "current-context": "shop", "preferences": {}}
        place.write_text(json.dumps({**whole, "clusters": clusters, "contexts": contexts, "users": users}))
        return place

    def find(self, plural: str, name: str, namespace: str = "shop") -> Object:
        """One object as it stands."""
        return self.objects[plural, namespace, name]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server in a thread of this process."""
    key, certificate = self_signed()
    found = Cluster(free_port(), certificate)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_Server(found).application(), access_log=None, shutdown_timeout=1)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def do(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(20)

    async def begin() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", found.port, ssl_context=_tls(key, certificate)).start()

    do(begin())
    try:
        yield found
    finally:
        do(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _tls(key: str, certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(key + certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _refused(status: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return web.json_response({**body, "reason": reason, "message": message, "code": status}, status=status)


class _Server:
    def __init__(self, found: Cluster) -> None:
        self.cluster = found

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_route("*", "/{path:.*}", self._any)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _refused(401, "Unauthorized", "Unauthorized")
        if "/namespaces/forbidden" in request.path:
            return _refused(403, "Forbidden", 'pods is forbidden: User "op" cannot list resource "pods"')
        if request.method != "GET":
            self.cluster.seen.append((request.method, request.path))
        return await handler(request)

    async def _any(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rstrip("/")
        if path == "/openapi/v2":
            # It describes no type, so that clients validate none.
            return web.Response(body=_OPENAPI, content_type=_OPENAPI_TYPE)
        if path in DISCOVERY:
            return web.json_response(DISCOVERY[path])
        if path.startswith("/apis/metrics.k8s.io/v1beta1"):
            return self._metrics(path)
        if path.endswith("/selfsubjectaccessreviews"):
            review = await request.json()
            review["status"] = {"allowed": review["spec"]["resourceAttributes"]["verb"] != "delete"}
            return web.json_response(review, status=201)
        words = path.removeprefix("/api/v1").split("/")[1:] if path.startswith("/api/") else path.split("/")[4:]
        namespace = ""
        if words[:1] == ["namespaces"] and len(words) > 2:
            namespace, words = words[1], words[2:]
        if not words or words[0] not in RESOURCES:
            return web.Response(status=404, text="404 page not found")
        return await self._resource(request, namespace, *words)

    async def _resource(
        self, request: web.Request, namespace: str, plural: str, name: str = "", below: str = ""
    ) -> web.StreamResponse:
        if request.query.get("watch") in ("true", "1"):
            return await _nothing_happens(request)
        if not name:
            sent = await request.json() if request.method == "POST" else None
            return self._create(plural, namespace, sent) if sent else self._list(request, plural, namespace)
        found = self.cluster.objects.get((plural, namespace, name))
        if found is None:
            group = RESOURCES[plural].group
            return _refused(404, "NotFound", f'{plural}{"." + group if group else ""} "{name}" not found')
        if below == "log":
            return await self._log(request, found)
        if below == "exec":
            return await self._exec(request, found)
        if request.method == "DELETE":
            del self.cluster.objects[plural, namespace, name]
            if self.cluster.looked_after and plural == "pods":
                self.cluster.objects[plural, namespace, name] = again(found)
            return web.json_response(found)
        if request.method == "PATCH":
            found = changed(found, request.content_type, await request.json())
            self.cluster.objects[plural, namespace, name] = found
        if below == "scale":
            return web.json_response(_scale(found))
        return _answer(request, plural, [found], single=True)

    def _create(self, plural: str, namespace: str, sent: Object) -> web.Response:
        key = plural, namespace, sent["metadata"]["name"]
        if key in self.cluster.objects:
            return _refused(409, "AlreadyExists", f'{plural} "{key[2]}" already exists')
        self.cluster.objects[key] = created(sent, namespace)
        return web.json_response(self.cluster.objects[key], status=201)

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        found = [
            one
            for (kind, where, _), one in sorted(self.cluster.objects.items())
            if kind == plural
            and (not namespace or where == namespace)
            and matches(one, request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        ]
        return _answer(request, plural, found, single=False)

    def _metrics(self, path: str) -> web.Response:
        items = METRICS["nodes" if path.endswith("/nodes") else "pods"]
        kind = "NodeMetricsList" if path.endswith("/nodes") else "PodMetricsList"
        body = {"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}
        return web.json_response(body)

    async def _log(self, request: web.Request, found: Object) -> web.StreamResponse:
        container = request.query.get("container", "")
        if container not in [one["name"] for one in found["spec"]["containers"]]:
            name = found["metadata"]["name"]
            return _refused(400, "BadRequest", f"container {container} is not valid for pod {name}")
        if self.cluster.said:
            lines = await asyncio.to_thread(self.cluster.said, found)
        else:
            lines = [f"{container} line {number}" for number in range(1, 21)]
        tail = request.query.get("tailLines")
        lines = lines[-int(tail) :] if tail else lines
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for line in lines:
            await response.write(line.encode() + b"\n")
        if request.query.get("follow") == "true":
            await response.write(b"the last line\n")
        return response

    async def _exec(self, request: web.Request, found: Object) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=self.cluster.protocols)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if not any(name.strip() in self.cluster.protocols for name in offered.split(",")):
            return _refused(400, "BadRequest", "no protocol in common")
        await socket.prepare(request)
        argv = [*self.cluster.within(found), *request.query.getall("command")]
        await _Process(socket, argv, fed=request.query.get("stdin") == "true").run()
        return socket


async def _nothing_happens(request: web.Request) -> web.StreamResponse:
    """A watch of things that stay as they are."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await asyncio.sleep(30)
    return response


class _Process:
    """A process whose streams are channels of a websocket: 0 in, 1 out, 2 error, 3 how it ended."""

    def __init__(self, socket: web.WebSocketResponse, argv: list[str], *, fed: bool) -> None:
        self.socket, self.argv, self.fed = socket, argv, fed

    async def run(self) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv, stdin=pipe if self.fed else asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            await self._end(
                {"status": "Failure", "reason": "InternalError", "message": f"Internal error occurred: {error}"}
            )
            return
        feeding = asyncio.create_task(self._feed(process))
        try:
            await asyncio.gather(self._pump(process.stdout, 1), self._pump(process.stderr, 2))
            await self._end(_ending(await process.wait()))
        except (ConnectionError, OSError):
            # As in a real pod: the process goes on when its client has gone.
            pass
        finally:
            feeding.cancel()

    async def _pump(self, stream: asyncio.StreamReader | None, channel: int) -> None:
        assert stream is not None
        while data := await stream.read(30000):
            await self.socket.send_bytes(bytes([channel]) + data)

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        async for message in self.socket:
            if message.type != WSMsgType.BINARY or process.stdin is None:
                continue
            if message.data[0] == 255:
                process.stdin.close()
            elif message.data[0] == 0:
                process.stdin.write(message.data[1:])
                await process.stdin.drain()

    async def _end(self, status: dict[str, Any]) -> None:
        body = {"metadata": {}, **status}
        await self.socket.send_bytes(b"\x03" + json.dumps(body).encode())
        await self.socket.close()


def _ending(code: int) -> dict[str, Any]:
    if code == 0:
        return {"status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    said = f"command terminated with non-zero exit code: exit status {code}"
    return {"status": "Failure", "reason": "NonZeroExitCode", "message": said, "details": {"causes": causes}}


def _scale(found: Object) -> dict[str, Any]:
    body = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": found["metadata"]}
    count = found["spec"].get("replicas", 0)
    return {**body, "spec": {"replicas": count}, "status": {"replicas": count}}


def _answer(request: web.Request, plural: str, found: list[Object], *, single: bool) -> web.Response:
    if "as=Table" in request.headers.get("Accept", ""):
        return web.json_response(table(plural, found))
    if single:
        return web.json_response(found[0])
    known = RESOURCES[plural]
    items = [
        {key: value for key, value in copy.copy(one).items() if key not in ("apiVersion", "kind")} for one in found
    ]
    return web.json_response(
        {
            "kind": f"{known.kind}List",
            "apiVersion": known.api_version,
            "metadata": {"resourceVersion": "1"},
            "items": items,
        }
    )
