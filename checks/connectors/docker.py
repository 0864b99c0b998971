"""Docker engines: a socket on the worker's machine, or TCP with TLS."""

import re
import ssl
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from checks.choices import TargetKind
from checks.connectors import addresses, failures
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes.kind import Place

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)
_NO_KEY = "Paste the client's certificate and its private key, one after the other, as PEM text."


def test(place: Place, timeout_s: float) -> Report:
    """Whether the engine answers, and what runs there."""
    where = place.address
    try:
        with client(place, timeout_s) as engine:
            answer = engine.get("/version")
            answer.raise_for_status()
            said = answer.json()
            containers = engine.get("/containers/json", params={"all": "true"}).json()
    except (ssl.SSLError, ValueError):
        return Report(False, "The client's certificate cannot be used.", _NO_KEY)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failures.report(error, where=where)
    names = ", ".join(sorted(each["Names"][0].lstrip("/") for each in containers)[:5])
    more = f": {names}{', …' if len(containers) > 5 else ''}" if names else ""
    return Report(True, f"Docker {said['Version']} answers on {said['Os']}; {len(containers)} containers{more}.")


def client(place: Place, timeout_s: float) -> httpx.Client:
    """A client of the engine. Raises `ssl.SSLError` or `ValueError` for a certificate that cannot be used."""
    parts = urlsplit(place.address)
    if parts.scheme == "unix":
        transport = httpx.HTTPTransport(uds=parts.path)
        return httpx.Client(transport=transport, base_url="http://docker", timeout=timeout_s, trust_env=False)
    if not place.credential and not place.trust:
        return httpx.Client(base_url=f"http://{parts.netloc}", timeout=timeout_s, trust_env=False)
    context = ssl.create_default_context(cadata=place.trust or None)
    # The module reads a client's key from a file only.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(place.credential)
        file.flush()
        if place.credential:
            context.load_cert_chain(file.name)
    return httpx.Client(base_url=f"https://{parts.netloc}", verify=context, timeout=timeout_s, trust_env=False)


def hand_over(name: str, place: Place, first: bool) -> Handed:
    """What a Docker client needs to reach the engine."""
    if not first:
        return Handed({f"{name.upper().replace('-', '_')}_HOST": place.address})
    values = {"DOCKER_HOST": place.address}
    if not place.credential:
        return Handed(values)
    blocks = {match.group(1): match.group() for match in _BLOCK.finditer(place.credential)}
    key = next((text for kind, text in blocks.items() if "PRIVATE KEY" in kind), "")
    files = {
        ".docker/cert.pem": blocks.get("CERTIFICATE", ""),
        ".docker/key.pem": key,
        ".docker/ca.pem": place.trust,
    }
    return Handed(values | {"DOCKER_TLS_VERIFY": "1"}, {"key": key}, files, {"DOCKER_CERT_PATH": str(Path(".docker"))})


connectors.add(
    TargetKind.DOCKER,
    Connector(
        address="unix:///var/run/docker.sock, or tcp://host:2376",
        credential="For TCP: the client's certificate and private key as PEM text.",
        trust="For TCP: the certificate of the engine's authority as PEM text.",
        clean=addresses.engine,
        test=test,
        hand_over=hand_over,
    ),
)
