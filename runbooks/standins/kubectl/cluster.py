"""One cluster: which is meant, asking its API, and what it says when it refuses."""

import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from runbooks.standins.ending import Ended
from runbooks.standins.measures import span
from runbooks.standins.words import Given

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client import Configuration

# Understood by every subcommand, before it and after it.
OPTIONS = (
    "-n/--namespace= --context= --kubeconfig= -s/--server= --token= --request-timeout= --insecure-skip-tls-verify "
    "-v/--v="
)
TABLE = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
_CONNECT_S, _ANSWER_S = 10, 300
Query = Sequence[tuple[str, str]]


class Cluster:
    """A cluster as the options and the kubeconfig name it. `namespace` is the one that is meant."""

    def __init__(self, given: Given) -> None:
        # The client is slow to load, and the console asks this package only which commands it knows.
        from kubernetes.client import ApiClient
        from kubernetes.client.rest import ApiException
        from urllib3.exceptions import HTTPError

        self.configuration, named = _configured(given)
        self._errors = (ApiException, HTTPError, OSError)
        self.namespace = given.text("namespace") or named or "default"
        self.chosen = bool(given.text("namespace"))
        said = given.text("request-timeout", "0")
        self._patience = float(said) if said.isdigit() else span(said)
        self._client = ApiClient(self.configuration)
        self._date = ""

    @property
    def host(self) -> str:
        return str(self.configuration.host)

    def authorization(self) -> dict[str, str]:
        """The header that says who asks; never over a connection that others can read, as kubectl does it."""
        configuration = self.configuration
        if not self.host.startswith("https://"):
            return {}
        token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if not token and configuration.username:
            token = configuration.get_basic_auth_token()
        return {"authorization": token} if token else {}

    def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        endless: bool = False,
    ) -> "urllib3.BaseHTTPResponse":
        """The answer, not yet read; Ended with the cluster's own sentence when it refuses."""
        words = {"Accept": "application/json", **self.authorization(), **(headers or {})}
        if body is not None:
            words.setdefault("Content-Type", "application/json")
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        patience = (_CONNECT_S, None if endless else self._patience or _ANSWER_S)
        try:
            answer = self._client.call_api(method, url, words, body=body, _request_timeout=patience).response
            self._date = answer.headers.get("Date", self._date)
            if answer.status >= 400:
                raise refusal(answer.status, answer.read())
        except self._errors as error:
            raise self.unreachable(error) from None
        return answer

    def json(self, method: str, path: str, query: Query = (), body: Any = None, **more: Any) -> Any:
        """The answer as JSON."""
        answer = self.ask(method, path, query, body, **more)
        try:
            return json.loads(answer.read())
        except ValueError:
            raise Ended(1, "error: the server's answer is not JSON") from None
        except self._errors as error:
            raise self.unreachable(error) from None

    def patch(self, path: str, body: Any, kind: str = "strategic-merge") -> Any:
        """Change an object; `kind` is strategic-merge, merge or json."""
        return self.json("PATCH", path, (), body, headers={"Content-Type": f"application/{kind}-patch+json"})

    def pieces(self, path: str, query: Query) -> Iterator[bytes]:
        """An answer as it comes, for as long as it comes."""
        answer = self.ask("GET", path, query, headers={"Accept": "*/*"}, endless=True)
        try:
            yield from answer.stream(65536)
        except self._errors as error:
            raise Ended(1, f"error: {error}") from None

    def now(self) -> datetime:
        """The cluster's time at its last answer, to the second."""
        return parsedate_to_datetime(self._date)

    def unreachable(self, error: Exception) -> Ended:
        """The sentence for a cluster that does not answer."""
        said = str(getattr(error, "reason", "") or error)
        if "refused" in said:
            place = urlsplit(self.host).netloc
            return Ended(
                1, f"The connection to the server {place} was refused - did you specify the right host or port?"
            )
        if isinstance(error, ssl.SSLError) or "certificate" in said.lower():
            return Ended(1, f"Unable to connect to the server: tls: failed to verify certificate: {said}")
        return Ended(1, f"Unable to connect to the server: {said}")


def refusal(status: int, body: bytes) -> Ended:
    """What the cluster said no with, as kubectl writes it."""
    if status == 401:
        return Ended(1, "error: You must be logged in to the server (Unauthorized)")
    try:
        found = json.loads(body)
        return Ended(1, f"Error from server ({found['reason']}): {found['message']}")
    except (ValueError, KeyError, TypeError):
        return Ended(1, f"Error from server: {body.decode(errors='replace').strip() or f'status {status}'}")


def _configured(given: Given) -> tuple["Configuration", str]:
    """The client's configuration and the namespace of the context."""
    # Loaded with the client.
    import urllib3
    from kubernetes import config as kube
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException

    configuration = Configuration()
    # What is asked for once is asked once: a write must not be sent a second time.
    configuration.retries = False
    context = given.text("context") or None
    namespace = ""
    try:
        if path := config_file(given):
            kube.load_kube_config(config_file=path, context=context, client_configuration=configuration)
            namespace = _namespace(path, context)
        elif "KUBERNETES_SERVICE_HOST" in os.environ:
            kube.load_incluster_config(client_configuration=configuration)
        else:
            configuration.host = "http://localhost:8080"
    except ConfigException as error:
        raise Ended(1, _config_problem(str(error), context)) from None
    if any(map(given.has, ("server", "token", "insecure-skip-tls-verify"))):
        # The client reads the whole kubeconfig again for each token, and would undo what the options say.
        configuration.refresh_api_key_hook = None
    if given.has("server"):
        configuration.host = given.text("server")
    if given.has("token"):
        configuration.api_key["BearerToken"] = f"Bearer {given.text('token')}"
    if given.on("insecure-skip-tls-verify"):
        configuration.verify_ssl = False
    if not configuration.verify_ssl:
        urllib3.disable_warnings()
    configuration.host = configuration.host.rstrip("/")
    return configuration, namespace


def _config_problem(said: str, context: str | None) -> str:
    if context and "Expected object with name" in said:
        return f"Error in configuration: context was not found for specified context: {context}"
    return f"error: {said}"


def config_file(given: Given) -> str:
    """The path of the kubeconfig, or several joined as KUBECONFIG does; empty when there is none."""
    said = given.text("kubeconfig") or os.environ.get("KUBECONFIG", "")
    if given.has("kubeconfig") and not Path(said).exists():
        raise Ended(1, f"error: stat {said}: no such file or directory")
    paths = said.split(os.pathsep) if said else [str(Path.home() / ".kube" / "config")]
    return os.pathsep.join(path for path in paths if path and Path(path).exists())


def contexts(path: str) -> tuple[list[Mapping[str, Any]], str]:
    """All contexts of a kubeconfig and the name of the current one."""
    # Loaded with the client, which `config` does without.
    from kubernetes import config as kube
    from kubernetes.config import ConfigException

    try:
        found, current = kube.list_kube_config_contexts(config_file=path)
    except ConfigException as error:
        raise Ended(1, f"error: {error}") from None
    return list(found), str(current["name"])


def _namespace(path: str, context: str | None) -> str:
    found, current = contexts(path)
    named: Mapping[str, Any] = next((one for one in found if one["name"] == (context or current)), {"context": {}})
    return str(named["context"].get("namespace") or "")
