"""Kubernetes clusters: the address of the API with a namespace, a token, and the cluster's authority."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx

from checks.choices import TargetKind
from checks.connectors import addresses, failures, web
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes.kind import Place

_DEFAULT = "default"


def server_and_namespace(address: str) -> tuple[str, str]:
    """Of `https://host:6443/?namespace=shop`: the server's address and the namespace."""
    parts = urlsplit(address)
    namespace = parse_qs(parts.query).get("namespace", [_DEFAULT])[0]
    return urlunsplit(parts._replace(query="")).rstrip("/"), namespace


def _test(place: Place, timeout_s: float) -> Report:
    server, namespace = server_and_namespace(place.address)
    try:
        with web.client(place, timeout_s=timeout_s) as client:
            version = client.get(f"{server}/version")
            if version.status_code == 401:
                return Report(False, f"{server} refuses the token.", failures.PASSWORD)
            pods = client.get(f"{server}/api/v1/namespaces/{namespace}/pods", params={"limit": 1})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failures.report(error, where=server)
    return _read(version, pods, namespace)


def _read(version: httpx.Response, pods: httpx.Response, namespace: str) -> Report:
    try:
        said: Any = version.json()
        name = f"Kubernetes {said['gitVersion']}"
    except (ValueError, KeyError, TypeError):
        return Report(False, "Something answers, but not as a Kubernetes API does.", "Write the API server's address.")
    if pods.status_code == 403:
        return Report(
            False,
            f"{name} answers, but the token may not list pods in {namespace}.",
            f"Bind a role to its account in {namespace}: view for reading, edit for changes.",
        )
    if pods.status_code >= 400:
        return Report(
            False, f"{name} answers HTTP {pods.status_code} to the pods of {namespace}.", "Check the namespace."
        )
    return Report(True, f"{name} answers; pods in {namespace} can be read.")


def _hand_over(name: str, place: Place, first: bool) -> Handed:
    path = ".kube/config" if first else f".kube/{name}"
    return Handed({}, {"token": place.credential}, {path: kubeconfig(name, place)}, {"KUBECONFIG": path})


def kubeconfig(name: str, place: Place) -> str:
    """A kubeconfig with one context, which is called like the target. JSON, which YAML readers take."""
    server, namespace = server_and_namespace(place.address)
    cluster: dict[str, str] = {"server": server}
    if place.trust:
        cluster["certificate-authority-data"] = base64.b64encode(place.trust.encode()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": place.credential} if place.credential else {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
            "current-context": name,
        },
        indent=1,
    )


connectors.add(
    TargetKind.KUBERNETES,
    Connector(
        address="The API with a namespace: https://host:6443/?namespace=shop",
        credential="The token of a service account.",
        trust="The certificate of the cluster's authority as PEM text.",
        clean=addresses.url(
            {"https", "http"}, "Write the API server's address, such as https://host:6443/?namespace=shop."
        ),
        test=_test,
        hand_over=_hand_over,
    ),
)
