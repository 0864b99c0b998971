"""One Docker engine: where it is, asking it, and the streams of what runs in it."""

import hashlib
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from runbooks.standins.docker.secured import Secured
from runbooks.standins.ending import Ended
from runbooks.standins.measures import instant

if TYPE_CHECKING:
    import requests

_CONNECT_S, _ANSWER_S = 10, 300
_READ = 65536
_LOCAL = "unix:///var/run/docker.sock"
_Query = Mapping[str, Any]


@dataclass(frozen=True)
class Where:
    """An engine's address and the folder of its certificates; `verify` whether its own is checked."""

    host: str = ""
    certificates: Path | None = None
    verify: bool = True


class Engine:
    """An engine that answers. `version` is the API version that both sides speak."""

    def __init__(self, where: Where) -> None:
        # The client is slow to load, and the console asks this package only which commands it knows.
        import docker
        from docker.errors import DockerException

        self.host = where.host or _LOCAL
        self._where = where
        self._errors = (DockerException, OSError)
        try:
            self._client = docker.APIClient(
                base_url=self.host,
                version=os.environ.get("DOCKER_API_VERSION") or "auto",
                timeout=_CONNECT_S,
                tls=_tls(where),
                use_ssh_client=self.host.startswith("ssh://"),
            )
        except self._errors as error:
            raise self._unreachable(error) from None
        self._date = ""

    @property
    def version(self) -> str:
        return str(self._client.api_version)

    def ask(
        self, method: str, path: str, query: _Query | None = None, body: Any = None, *, stream: bool = False
    ) -> "requests.Response":
        """The engine's answer; Ended with its own sentence when it refuses."""
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"} if stream and method == "POST" else {}
        try:
            answer = self._client.request(
                method,
                f"{self._client.base_url}/v{self.version}{path}",
                params=_written(query or {}),
                json=body,
                headers=headers,
                stream=stream,
                timeout=(_CONNECT_S, None if stream else _ANSWER_S),
            )
        except self._errors as error:
            raise self._unreachable(error) from None
        self._date = answer.headers.get("Date", self._date)
        if answer.status_code >= 400:
            raise Ended(1, f"Error response from daemon: {_message(answer)}")
        return answer

    def json(self, method: str, path: str, query: _Query | None = None, body: Any = None) -> Any:
        """The engine's answer as JSON; None when it says nothing."""
        answer = self.ask(method, path, query, body)
        return answer.json() if answer.content else None

    def pieces(self, path: str, query: _Query | None = None) -> Iterator[bytes]:
        """An answer as it comes, for as long as it comes."""
        answer = self.ask("GET", path, query, stream=True)
        try:
            yield from answer.iter_content(chunk_size=None)
        except OSError as error:
            raise Ended(1, f"error during connect: {error}") from None

    def connect(self, path: str, query: _Query | None = None, body: Any = None) -> "Connection | Secured":
        """A connection that the engine has taken over for the streams of a process."""
        if self._where.certificates is None:
            return Connection(self.ask("POST", path, query, body, stream=True))
        whole = f"/v{self.version}{path}" + (f"?{urlencode(_written(query))}" if query else "")
        try:
            return Secured(self.host, _context(self._where), whole, body)
        except OSError as error:
            raise self._unreachable(error) from None

    def now(self) -> datetime:
        """The engine's time at its last answer, to the second."""
        return parsedate_to_datetime(self._date)

    def exact_now(self) -> datetime:
        """The engine's own clock."""
        return instant(self.json("GET", "/info")["SystemTime"])

    def container(self, name: str) -> dict[str, Any]:
        """All that is known of one container."""
        return dict(self.json("GET", container_path(name, "/json")))

    def _unreachable(self, error: Exception) -> Ended:
        said = str(error)
        if "ssl" in said.lower() or "certificate" in said.lower():
            return Ended(1, f"error during connect: {said}")
        return Ended(1, f"Cannot connect to the Docker daemon at {self.host}. Is the docker daemon running?")


class Connection:
    """The streams of a process: its output comes, what is sent goes to its input."""

    def __init__(self, answer: "requests.Response") -> None:
        # Kept, because the connection is closed with the answer.
        self._answer = answer
        # The client's own way reads past this buffer, where the first output may already be.
        self._buffer = answer.raw._fp.fp

    def coming(self) -> Iterator[bytes]:
        """What the process prints, until it has ended."""
        while piece := self._buffer.read1(_READ):
            yield piece

    def send(self, data: bytes) -> None:
        """Give the process input; OSError when it has ended."""
        self._socket.sendall(data)

    def send_no_more(self) -> None:
        """Its input ends."""
        self._socket.shutdown(socket.SHUT_WR)

    @property
    def _socket(self) -> Any:
        return getattr(self._buffer.raw, "_sock", self._buffer.raw)


def container_path(name: str, rest: str = "") -> str:
    """The path of a container in the API. A name is one segment, whatever is in it."""
    return f"/containers/{quote(name, safe='')}{rest}"


def where(options: Mapping[str, str]) -> Where:
    """The engine that is meant: -H, --context, DOCKER_HOST, DOCKER_CONTEXT, the current context, this machine's."""
    environment = os.environ
    host = options.get("host") or ("" if options.get("context") else environment.get("DOCKER_HOST", ""))
    if not host:
        context = options.get("context") or environment.get("DOCKER_CONTEXT") or _current_context()
        if context and context != "default":
            return _of_context(context)
    verify = bool(environment.get("DOCKER_TLS_VERIFY")) or options.get("tlsverify") == "true"
    if not (verify or environment.get("DOCKER_TLS") or options.get("tls") == "true"):
        return Where(host)
    return Where(host, Path(environment.get("DOCKER_CERT_PATH") or _config()), verify)


def _config() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _current_context() -> str:
    try:
        return str(json.loads((_config() / "config.json").read_text(encoding="utf-8")).get("currentContext", ""))
    except (OSError, ValueError):
        return ""


def _of_context(name: str) -> Where:
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((_config() / "contexts" / "meta" / key / "meta.json").read_text(encoding="utf-8"))
        found = meta["Endpoints"]["docker"]
    except (OSError, ValueError, KeyError):
        raise Ended(1, f'context "{name}": context not found') from None
    folder = _config() / "contexts" / "tls" / key / "docker"
    return Where(found.get("Host", ""), folder if folder.is_dir() else None, not found.get("SkipTLSVerify"))


def _context(found: Where) -> ssl.SSLContext:
    """The same trust and the same certificate as `_tls` gives the client."""
    assert found.certificates is not None
    tls = _tls(found)
    context = ssl.create_default_context(cafile=tls.ca_cert)
    if not found.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls.cert:
        context.load_cert_chain(*tls.cert)
    return context


def _tls(found: Where) -> Any:
    if found.certificates is None:
        return False
    # Loaded with the client.
    from docker.tls import TLSConfig

    pair = (str(found.certificates / "cert.pem"), str(found.certificates / "key.pem"))
    authority = found.certificates / "ca.pem"
    known = authority.exists() and authority.stat().st_size > 0
    return TLSConfig(
        client_cert=pair if Path(pair[0]).exists() else None,
        ca_cert=str(authority) if known else None,
        verify=found.verify,
    )


def _written(query: _Query) -> dict[str, str]:
    """Query values as the engine reads them: JSON for filters, 1 and 0 for switches."""
    words = {}
    for name, value in query.items():
        if isinstance(value, bool):
            words[name] = str(int(value))
        elif value not in (None, "", {}):
            words[name] = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return words


def _message(answer: "requests.Response") -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip() or f"status {answer.status_code}"
