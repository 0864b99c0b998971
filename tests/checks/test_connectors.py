"""Connectors against real servers: what answered, or what stands in the way and what to do next."""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import connection

from checks.connectors import Report, connectors
from checks.connectors.kubernetes import kubeconfig
from checks.probes import Place
from tests.sshd import Sshd

ANSWERS: dict[str, Any] = {
    "/api/v1/status/buildinfo": {"status": "success", "data": {"version": "2.42.0"}},
    "/api/v2/status": {"versionInfo": {"version": "0.25.0"}, "cluster": {"status": "ready"}},
    "/loki/api/v1/status/buildinfo": {"version": "3.1.0"},
    "/": {"name": "n", "cluster_name": "logs", "version": {"number": "8.14.1"}},
    "/api/health": {"database": "ok", "version": "11.1.0"},
    "/version": {"gitVersion": "v1.30.2", "major": "1"},
    "/api/v1/namespaces/shop/pods": {"kind": "PodList", "items": []},
}
TOKEN = "s3cret-token"


class Answers(BaseHTTPRequestHandler):
    """Says what each service says of itself; /closed/… wants the token."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        code = 200
        if path.startswith("/closed"):
            path = path.removeprefix("/closed") or "/"
            known = {f"Bearer {TOKEN}", "Basic dXNlcjpzM2NyZXQtdG9rZW4="}
            code = 200 if self.headers.get("Authorization") in known else 401
        elif path.startswith("/api/v1/namespaces/") and path not in ANSWERS:
            code = 403
        elif path not in ANSWERS:
            code = 404
        body = json.dumps(ANSWERS.get(path, {})).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(URL of a server with a certificate of its own, that certificate)."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "both.pem"
    path.write_text(certificate + private.decode())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}", certificate
    server.shutdown()
    server.server_close()


def tried(kind: str, address: str, credential: str = "", trust: str = "") -> Report:
    return connectors[kind].test(Place(address, credential, trust), 5)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("prometheus", "Prometheus 2.42.0 answers."),
        ("alertmanager", "Alertmanager 0.25.0 answers."),
        ("loki", "Loki 3.1.0 answers."),
        ("elastic", "logs answers: Elasticsearch 8.14.1."),
        ("grafana", "Grafana 11.1.0 answers, its database is ok."),
        ("http", "It answers HTTP 200."),
    ],
)
def test_a_service_says_who_it_is(web: str, kind: str, said: str) -> None:
    assert tried(kind, web) == Report(True, said)


@pytest.mark.parametrize("kind", ["prometheus", "alertmanager", "loki", "elastic", "grafana"])
def test_a_credential_that_is_refused_is_told_apart(web: str, kind: str) -> None:
    assert "refuses the credential (HTTP 401)" in tried(kind, f"{web}/closed", "wrong").said
    assert tried(kind, f"{web}/closed", TOKEN).ok
    assert tried(kind, f"{web}/closed", f"user:{TOKEN}").ok


def test_what_is_not_there_is_told_with_the_next_step(web: str) -> None:
    refused = tried("prometheus", "http://127.0.0.1:1")
    assert (refused.ok, refused.said) == (False, "http://127.0.0.1:1 refuses the connection.")
    assert "does its firewall let this machine in" in refused.next_step
    assert "does not resolve" in tried("loki", "http://no-such-host.invalid").said
    other = tried("elastic", f"{web}/api/health")
    assert "HTTP 404" in other.said
    assert tried("grafana", f"{web}/closed", TOKEN).ok


def test_another_service_under_the_address_is_noticed(web: str) -> None:
    found = tried("elastic", f"{web}/closed/api/health".replace("/api/health", ""), TOKEN)
    assert found.ok
    ANSWERS["/odd/"] = {"hello": 1}
    assert tried("elastic", f"{web}/odd").said == "Something answers, but not as Elasticsearch does."


def test_a_certificate_is_trusted_when_its_authority_is_given(authority: tuple[str, str]) -> None:
    address, certificate = authority
    unknown = tried("prometheus", address)
    assert "does not trust" in unknown.said
    assert "Trust" in unknown.next_step
    assert tried("prometheus", address, trust=certificate).ok
    assert "cannot be read" in tried("prometheus", address, trust="no certificate").said


def test_kubernetes_says_what_the_token_may_do(web: str) -> None:
    assert tried("kubernetes", f"{web}/?namespace=shop").said == "Kubernetes v1.30.2 answers; pods in shop can be read."
    refused = tried("kubernetes", f"{web}/?namespace=other")
    assert refused.said == "Kubernetes v1.30.2 answers, but the token may not list pods in other."
    assert "Bind a role" in refused.next_step
    config = json.loads(kubeconfig("shop", Place("https://k:6443/?namespace=shop", TOKEN, "PEM")))
    assert config["clusters"][0]["cluster"] == {"server": "https://k:6443", "certificate-authority-data": "UEVN"}
    assert config["contexts"][0]["context"]["namespace"] == "shop"


@pytest.mark.django_db
def test_postgresql_says_who_is_let_in() -> None:
    found = tried("postgres", settings.DATABASE_URL)
    assert found.ok
    assert re.fullmatch(r"PostgreSQL [\d.]+ answers: \w+ in the database \w+\..*", found.said)
    missing = tried("postgres", settings.DATABASE_URL.rpartition("/")[0] + "/no_such_database")
    assert 'database "no_such_database" does not exist' in missing.said


@pytest.mark.django_db
def test_a_file_with_the_password_lets_the_clients_of_postgresql_in(tmp_path: Path) -> None:
    handed = connectors["postgres"].hand_over("db", Place("postgresql://reader@127.0.0.1:5432/shop", "a:b\\c"), True)
    assert handed.files == {".pgpass": "127.0.0.1:5432:shop:reader:a\\:b\\\\c\n"}
    assert handed.paths == {"PGPASSFILE": ".pgpass"}
    assert handed.values["PGHOST"] == "127.0.0.1"
    assert "a:b" not in str(handed.values)
    path = tmp_path / ".pgpass"
    path.write_text(handed.files[".pgpass"])
    path.chmod(0o600)
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(f"postgresql://reader@127.0.0.1:1/shop?passfile={path}", connect_timeout=2)
    assert "no password supplied" not in str(refused.value)
    assert connection.vendor == "postgresql"


def test_valkey_says_its_version() -> None:
    assert "Valkey" in tried("redis", settings.REDIS_URL).said
    bare = settings.REDIS_URL.replace("redis://:", "redis://nobody:")
    assert tried("redis", bare.replace(bare.split("@")[0].rpartition(":")[2], "wrong")).ok is False


def test_an_ssh_host_shows_its_key_before_it_is_trusted() -> None:
    with Sshd() as server:
        offered = tried("ssh", server.address, server.private_key)
        assert offered.ok is False
        assert "SHA256:" in offered.said
        assert server.host_key.split()[1] in offered.next_step
        assert tried("ssh", server.address, server.private_key, server.host_key).ok
        stranger = tried("ssh", server.address, server.strangers_key, server.host_key)
        assert "does not let" in stranger.said
        other = (server.folder / "stranger.pub").read_text()
        assert "another host key" in tried("ssh", server.address, server.private_key, other).said
        server.stop()
        assert "shows no host key" in tried("ssh", server.address, server.private_key).said


@pytest.mark.parametrize("address", ["ssh://host", "ssh://a@-oProxyCommand=x", "ssh://a b@host", "http://a@b"])
def test_an_ssh_address_that_could_be_read_as_an_option_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="ssh://user@host:22"):
        connectors["ssh"].clean(address)


def test_an_engine_that_is_not_there_is_told() -> None:
    found = tried("docker", "unix:///no/such/docker.sock")
    assert found.said == "unix:///no/such/docker.sock is not there."
    for address in ("tcp://host", "http://host:1", "unix://docker.sock"):
        with pytest.raises(ValueError, match=r"unix:///var/run/docker\.sock"):
            connectors["docker"].clean(address)
