"""What stands on the stage of the documents: tables, an application, Compose files, logs, backups, a cluster."""

import gzip
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from tests.runbooks.standins.certificates import self_signed
from tests.runbooks.standins.engines import IMAGE
from tests.runbooks.standins.objects import Object, initial

PROJECT = "erpgo"
NETWORK = "erpgo_erpgo-network"
# Container name → Compose service. Those of the second half are named by one of the documents only.
CONTAINERS = {
    "postgres": "postgres",
    "redis": "redis",
    "erpgo-api": "erpgo-api",
    "erpgo-api-container": "",
    "erpgo-backend-1": "backend",
    "erpgo-db-1": "db",
    "erpgo-celery-worker-1": "celery-worker",
    "erpgo-logstash-1": "logstash",
    "erpgo-nginx-1": "nginx",
}
# The others are on the network of the machine, where the servers listen.
ON_NETWORK = ("erpgo-logstash-1",)
# Services that the documents scale; none of their containers runs before.
SCALED = ("api",)
NAMES = frozenset([*CONTAINERS, *CONTAINERS.values(), "postgres-service", "redis-service", "prometheus"])
COMPOSE_FILES = ("docker-compose.yml", "docker-compose.prod.yml", "docker-compose.production.yml")
# What the queries of the documents read, as far as they say what is in it.
TABLES = """
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text, password_hash text,
  is_active bool DEFAULT true,
  is_verified bool DEFAULT true, password_reset_required bool DEFAULT false, updated_at timestamptz DEFAULT now());
CREATE TABLE roles (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, permissions jsonb DEFAULT '[]');
CREATE TABLE user_roles (user_id uuid REFERENCES users, role_id uuid REFERENCES roles, assigned_by uuid,
  assigned_at timestamptz DEFAULT now());
CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text);
CREATE TABLE products (id int PRIMARY KEY, name text, category_id int, stock_quantity int DEFAULT 0);
CREATE TABLE product_inventory (product_id int, quantity_available int);
CREATE TABLE orders (id int PRIMARY KEY, customer_id text, subtotal numeric, tax_amount numeric,
  shipping_amount numeric, discount_amount numeric, total_amount numeric, created_at timestamptz DEFAULT now());
CREATE TABLE audit_logs (user_id uuid, event_type text, timestamp timestamptz DEFAULT now());
CREATE TABLE application_logs (level text, message text, timestamp timestamptz DEFAULT now());
CREATE TABLE auth_attempts (ip_address inet, success bool, timestamp timestamptz DEFAULT now());
CREATE TABLE order_attempts (error_type text, success bool, timestamp timestamptz DEFAULT now());
CREATE TABLE inventory (product_id int, stock_level int);
CREATE TABLE bookings (id int PRIMARY KEY, user_id text);
INSERT INTO users (email, password_hash) VALUES ('user@example.com', '$2a$12$x'), ('admin@example.com', '$2a$12$y');
INSERT INTO roles (name) VALUES ('admin'), ('clerk');
INSERT INTO products SELECT n, 'product ' || n, n % 7, n FROM generate_series(1, 500) n;
INSERT INTO product_inventory SELECT n, n FROM generate_series(1, 500) n;
INSERT INTO orders SELECT n, 'c' || n, 100, 10, 5, 0, 115 FROM generate_series(1, 2000) n;
INSERT INTO application_logs SELECT 'ERROR', 'timeout' FROM generate_series(1, 20);
"""
# Arguments: port, the file that names the alerts, certificate and key, ports for TLS.
APPLICATION = '''
import gzip, http.server, json, pathlib, random, signal, ssl, sys, threading, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
alerts = pathlib.Path(sys.argv[2])
started = time.time()

def field(number, *content):
    """A field of a protocol buffer: a number, or bytes."""
    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])
    [value] = content
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value

def profile(kind, unit):
    """What `go tool pprof` reads: three functions and what they use."""
    names = ["", kind, unit, "main.handleOrders", "main.queryDatabase", "runtime.mallocgc"]
    out = field(1, field(1, 1) + field(2, 2))
    for place, amount in ((1, 700000), (2, 200000), (3, 100000)):
        out += field(2, field(1, place) + field(2, amount))
        out += field(4, field(1, place) + field(4, field(1, place) + field(2, 10 * place)))
        out += field(5, field(1, place) + field(2, place + 2))
    return gzip.compress(out + b"".join(field(6, name.encode()) for name in names))

KINDS = {"heap": ("inuse_space", "bytes"), "goroutine": ("goroutine", "count")}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/health":
            return self.answer(200, json.dumps({"status": "healthy", "database": "up", "redis": "up"}))
        if path == "/metrics":
            broken = "".join(f'world_broken{{name="{name}"}} 1\\n' for name in alerts.read_text().split())
            return self.answer(200, METRICS + broken, "text/plain")
        if path.startswith("/debug/pprof"):
            kind = KINDS.get(path.rpartition("/")[2], ("cpu", "nanoseconds"))
            return self.answer(200, profile(*kind), "application/octet-stream")
        self.answer(404, json.dumps({"error": "not found"}))

    do_HEAD = do_GET

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        say(f"10.0.0.{random.randint(1, 9)} POST {self.path} auth request failed login username=user@example.com "
            "authentication failed ERROR")
        self.answer(401 if "auth" in self.path else 201, json.dumps({"status": "taken"}))

    def log_message(self, *args):
        pass

def say(text):
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), text, flush=True)

METRICS = """erpgo_goroutines 42
erpgo_system_memory_bytes 123456789
erpgo_heap_alloc_bytes{kind="heap_alloc"} 4096
erpgo_cache_hit_rate 0.93
erpgo_http_requests_total{status_code="200"} 1000
erpgo_http_requests_total{status_code="500"} 90
"""
# The log of an application that is in trouble.
for line in (
    "INFO started, listening on " + sys.argv[1],
    "ERROR GET /api/v1/orders 500 12ms internal server error user=user-7",
    "ERROR panic: runtime error: invalid memory address or nil pointer dereference",
    "ERROR database query SELECT id FROM orders took 2300ms",
    "WARN connection leak suspected: pool 50 of 50 in use",
    "WARN cache miss product:17",
    "ERROR payment gateway timeout",
    "WARN password policy refused user=user-7",
    "WARN token validation failed: expired user=user-7",
    "ERROR auth service timeout",
    "WARN 10.0.0.7 authentication failed user=user-7",
    "WARN 10.0.0.7 failed login user=user-7",
    "WARN 10.0.0.7 request blocked: sql injection pattern",
):
    say(line)
served = [http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)]
for port in sys.argv[5:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    served.append(http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler))
    served[-1].socket = context.wrap_socket(served[-1].socket, server_side=True)
for each in served[1:]:
    threading.Thread(target=each.serve_forever, daemon=True).start()
served[0].serve_forever()
'''
_LOGROTATE = "/var/log/erpgo/*.log {\n  rotate 3\n  missingok\n  size 1k\n}\n"


def project(folder: Path, services: dict[str, Any], settings: dict[str, str], tls: Path) -> None:
    """The team's working copy as far as the documents show it: Compose files, settings, a certificate."""
    folder.mkdir(exist_ok=True)
    whole = {"version": "3.7", "services": services, "networks": {"erpgo-network": {}}}
    for name in COMPOSE_FILES:
        # JSON is YAML.
        (folder / name).write_text(json.dumps(whole, indent=2))
    (folder / "Dockerfile").write_text(f'FROM {IMAGE}\nCMD ["sleep", "86400"]\n')
    text = "".join(f"{name}={value}\n" for name, value in {"SERVER_PORT": "8080", **settings}.items())
    for name in (".env", ".env.production"):
        (folder / name).write_text(text)
    for name in ("key.pem", "cert.pem"):
        shutil.copy(tls / name, folder / name)
    shutil.copy(tls / "cert.pem", folder / "ca.pem")


def certificate(folder: Path) -> None:
    """A certificate that vouches for itself, and its key."""
    folder.mkdir()
    key, text = self_signed()
    (folder / "key.pem").write_text(key)
    (folder / "cert.pem").write_text(text)


def machine(folder: Path) -> dict[str, Path]:
    """Folders of the machine that the commands look at, by where they are there: logs, and what rotates them."""
    places = {where: folder / where.strip("/") for where in ("/var/log", "/etc/logrotate.d", "/var/lib/logrotate")}
    places["/archives"] = folder / "archives"
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    own = places["/var/log"] / "erpgo"
    own.mkdir(exist_ok=True)
    (own / "app.log").write_text("2026-01-19 ERROR timeout\n" * 100)
    old = own / "old.log"
    old.write_text("2025-11-01 INFO started\n")
    os.utime(old, (time.time() - 60 * 86400,) * 2)
    (places["/etc/logrotate.d"] / "erpgo").write_text(_LOGROTATE)
    return places


def backups(folder: Path, dump: bytes, plain: bytes) -> None:
    """Backups where the documents keep them: of `dump` (the custom format) and of `plain` SQL, the newest last."""
    for place in ("database", "erp-postgres"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "database" / "erp_latest.dump").write_bytes(dump)
    for day in range(15, 20):
        file = folder / "erp-postgres" / f"erp_backup_2026-01-{day}_0200.sql.gz"
        file.write_bytes(gzip.compress(plain))
        os.utime(file, (time.time() - (20 - day) * 86400,) * 2)


def objects() -> dict[tuple[str, str, str], Object]:
    """The cluster of the documents: the API with two pods and two revisions, PostgreSQL and Redis."""
    text = {key: json.dumps(one) for key, one in initial().items() if key[1] in ("shop", "")}
    found: dict[tuple[str, str, str], Object] = {}
    for (plural, namespace, name), one in text.items():
        renamed = re.sub(r"\bapi\b(?!\w)", "erpgo-api", one)
        found[plural, namespace, re.sub(r"\bapi\b", "erpgo-api", name)] = json.loads(renamed)
    pod = next(one for key, one in text.items() if key[0] == "pods" and key[2] == "api-1")
    for app in ("postgres", "redis"):
        like = json.loads(re.sub(r'"api"', f'"{app}"', pod.replace("api-1", f"{app}-0").replace("api:1", f"{app}:16")))
        found["pods", "shop", f"{app}-0"] = like
    for each in [each for (plural, _, _), each in found.items() if plural == "pods"]:
        for container in each["spec"]["containers"]:
            container["resources"] = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "250m"}}
    deployment = json.dumps(found["deployments", "shop", "erpgo-api"])
    found["deployments", "shop", "redis"] = json.loads(deployment.replace("erpgo-api", "redis"))
    for app, port in (("postgres", 5432), ("redis", 6379)):
        name = f"{app}-service"
        service = json.loads(json.dumps(found["services", "shop", "web"]).replace('"web"', f'"{name}"'))
        service["spec"] = {"selector": {"app": app}, "type": "ClusterIP", "ports": [{"port": port, "protocol": "TCP"}]}
        found["services", "shop", name] = service
        subsets = [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": port, "protocol": "TCP"}]}]
        head = {"apiVersion": "v1", "kind": "Endpoints", "metadata": service["metadata"]}
        found["endpoints", "shop", name] = {**head, "subsets": subsets}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {**service["metadata"], "name": "erpgo-secrets"}}
    found["secrets", "shop", "erpgo-secrets"] = {**secret, "data": {"JWT_SECRET": "c2VjcmV0LW9mLXRoZS1zdGFnZQ=="}}
    return found
