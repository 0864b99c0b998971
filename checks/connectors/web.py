"""Services that speak HTTP: Prometheus, Alertmanager, Loki, Elasticsearch, Grafana, and any other."""

import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from checks.choices import TargetKind
from checks.connectors import addresses, failures
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes.kind import Place
from erpops import egress

_URL = addresses.url({"http", "https"}, "Write a URL such as https://shop.internal.")
_CREDENTIAL = "A token, or user:password."


@dataclass(frozen=True)
class _Service:
    """How a service says who it is: `path` is asked, `says` reads the answer into words."""

    name: str
    path: str
    says: Callable[[Any], str]
    variable: str = ""


def authorization(credential: str) -> dict[str, str]:
    """The Authorization header: basic for `user:password`, a scheme that is written out, else bearer for a token."""
    if not credential:
        return {}
    if credential.startswith(("Basic ", "Bearer ", "ApiKey ")):
        return {"Authorization": credential}
    if ":" in credential:
        return {"Authorization": f"Basic {b64encode(credential.encode()).decode()}"}
    return {"Authorization": f"Bearer {credential}"}


def client(place: Place, *, timeout_s: float) -> httpx.Client:
    """A client for a registered place, which trusts the place's own authority where one is given."""
    found = egress.client(timeout_s=timeout_s, private=True, trust=trust(place))
    found.headers.update(authorization(place.credential))
    return found


def trust(place: Place) -> ssl.SSLContext | None:
    """The TLS context for a place with an authority of its own; None for the machine's."""
    if not place.trust:
        return None
    return ssl.create_default_context(cadata=place.trust)


def _test(service: _Service) -> Callable[[Place, float], Report]:
    def test(place: Place, timeout_s: float) -> Report:
        where = place.address
        try:
            with client(place, timeout_s=timeout_s) as asked:
                answer = asked.get(place.address.rstrip("/") + service.path)
        except ssl.SSLError:
            return Report(False, "The certificate in “Trust” cannot be read.", "Paste it as PEM text.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return failures.report(error, where=where)
        if answer.status_code in {401, 403}:
            return Report(False, f"{where} refuses the credential (HTTP {answer.status_code}).", failures.PASSWORD)
        if answer.status_code >= 400:
            return Report(
                False,
                f"{where} answers HTTP {answer.status_code} to {service.path or '/'}.",
                f"Is this the address of {service.name}, with the path that it is served under?",
            )
        return _read(service, answer)

    return test


def _read(service: _Service, answer: httpx.Response) -> Report:
    try:
        said = service.says(answer)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Report(
            False,
            f"Something answers, but not as {service.name} does.",
            f"Write the address of {service.name} itself, not of a proxy's sign-in page.",
        )
    return Report(True, said)


def _hand_over(variable: str) -> Callable[[str, Place, bool], Handed]:
    def hand_over(name: str, place: Place, first: bool) -> Handed:
        values = {f"{name.upper().replace('-', '_')}_URL": place.address}
        if variable and first:
            values[variable] = place.address
        user, colon, password = place.credential.partition(":")
        files = {}
        if colon:
            host = urlsplit(place.address).hostname
            # curl reads both in HOME.
            files = {".netrc": f"machine {host}\nlogin {user}\npassword {password}\n", ".curlrc": "netrc-optional\n"}
        return Handed(values, {"credential": password if colon else place.credential}, files)

    return hand_over


def _status(answer: httpx.Response) -> str:
    return f"It answers HTTP {answer.status_code}."


SERVICES = {
    TargetKind.PROMETHEUS: _Service(
        "Prometheus",
        "/api/v1/status/buildinfo",
        lambda answer: f"Prometheus {answer.json()['data']['version']} answers.",
        "PROMETHEUS_URL",
    ),
    TargetKind.ALERTMANAGER: _Service(
        "Alertmanager",
        "/api/v2/status",
        lambda answer: f"Alertmanager {answer.json()['versionInfo']['version']} answers.",
        "ALERTMANAGER_URL",
    ),
    TargetKind.LOKI: _Service(
        "Loki",
        "/loki/api/v1/status/buildinfo",
        lambda answer: f"Loki {answer.json()['version']} answers.",
        "LOKI_URL",
    ),
    TargetKind.ELASTIC: _Service(
        "Elasticsearch",
        "/",
        lambda answer: f"{answer.json()['cluster_name']} answers: Elasticsearch {answer.json()['version']['number']}.",
        "ELASTICSEARCH_URL",
    ),
    TargetKind.GRAFANA: _Service(
        "Grafana",
        "/api/health",
        lambda answer: f"Grafana {answer.json()['version']} answers, its database is {answer.json()['database']}.",
        "GRAFANA_URL",
    ),
    TargetKind.HTTP: _Service("the service", "", _status),
}

for kind, service in SERVICES.items():
    connectors.add(
        kind,
        Connector(
            address="A URL, such as https://host:port.",
            credential=_CREDENTIAL,
            trust="The certificate of its authority as PEM text, if this machine does not know it.",
            clean=_URL,
            test=_test(service),
            hand_over=_hand_over(service.variable),
        ),
    )
