"""The world that the documents are about: containers of their names on a real engine, with real servers behind them.

The containers are busybox with this machine's programs read-only beside it. `psql` and `redis-cli` in them reach a
PostgreSQL and a Valkey of the stage's own. Commands are carried out by a worker that is in a container, too: it has
no rights over this machine, whatever a runbook does.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from erpops import embedded
from erpops.embedded import state
from erpops.embedded.launch import port_is_free
from erpops.embedded.postgres import Postgres
from erpops.embedded.valkey import Valkey
from tests.peers import needed, until
from tests.runbooks.standins.clusters import TOKEN, Cluster, cluster
from tests.runbooks.standins.engines import IMAGE, Engine, engine
from tests.runbooks.standins.objects import Object
from tests.stack import ROOT, Stack

PROJECT = "erpgo"
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
}
# Programs that an image of the documents has, where this machine has none of its own.
_APPLETS = ("ping", "nslookup", "nc", "netstat", "ifconfig", "top", "free", "du", "df", "wget", "which")
APP, PROMETHEUS, ALERTMANAGER = 8080, 9090, 9093
_ROLES = ("erpgo", "erpgo_user")
_DATABASES = ("erp", "erpgo", "erpgo_db", "erp_quty_karunia_prod")
# What the queries of the documents read, as far as they say what is in it.
_TABLES = """
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
_APP = '''
import http.server, json, pathlib, random, sys, time
alerts = pathlib.Path(sys.argv[2])

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
            return self.answer(200, _METRICS + broken, "text/plain")
        if path.startswith("/debug/pprof"):
            return self.answer(200, b"\\x1f\\x8b profile", "application/octet-stream")
        self.answer(404, json.dumps({"error": "not found"}))

    do_HEAD = do_GET

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} 10.0.0.{random.randint(1, 9)} POST {self.path} auth "
              "request failed login username=user@example.com authentication failed ERROR", flush=True)
        self.answer(401 if "auth" in self.path else 201, json.dumps({"status": "taken"}))

    def log_message(self, *args):
        pass

_METRICS = """erpgo_goroutines 42
erpgo_system_memory_bytes 123456789
erpgo_heap_alloc_bytes{kind="heap_alloc"} 4096
erpgo_cache_hit_rate 0.93
erpgo_http_requests_total{status_code="200"} 1000
erpgo_http_requests_total{status_code="500"} 90
"""
print("started, listening on", sys.argv[1], flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''
_RULES = """
groups:
  - name: stage
    rules:
{rules}
"""
_RULE = """      - alert: {name}
        expr: world_broken{{name="{name}"}} == 1
        labels: {{severity: {severity}, environment: erp}}
"""
_PROMETHEUS_FILE = f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{ALERTMANAGER}"]}}]
scrape_configs:
  - job_name: erpgo-api
    static_configs: [{{targets: ["127.0.0.1:{APP}"]}}]
"""
_ALERTMANAGER_FILE = """
route: {{receiver: erpops, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: erpops
    webhook_configs:
      - url: {url}/hooks/alertmanager
        send_resolved: false
        http_config: {{authorization: {{credentials: {token}}}}}
"""


@dataclass
class Stage:
    """Everything that stands behind the console."""

    console: Stack
    engine: Engine
    cluster: Cluster
    postgres: Postgres
    valkey: Valkey
    folder: Path

    @property
    def database(self) -> str:
        """Where the documents' own role works."""
        return f"postgresql://erpgo@127.0.0.1:{self.postgres.port}/erp"

    def fire(self, *alerts: str) -> None:
        """These alerts fire from now on; the others end."""
        (self.folder / "alerts").write_text("\n".join(alerts))

    def restore(self) -> None:
        """What a runbook has broken is whole again: containers, databases, keys, objects of the cluster."""
        self._databases()
        self.cluster.objects = _objects()
        found = self.engine.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").stdout.splitlines()
        states = dict(line.split(" ") for line in found)
        if self.engine.docker("image", "inspect", "erpgo:latest", check=False).returncode:
            self._image()
        for name, service in CONTAINERS.items():
            if states.get(name) == "paused":
                self.engine.docker("unpause", name)
            elif name not in states:
                self._run(name, service)
            elif states[name] != "running":
                self.engine.docker("start", name)
        for name in set(states) - set(CONTAINERS) - {"worker"}:
            self.engine.docker("rm", "-f", name)

    def _databases(self) -> None:
        self.postgres.psql("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
        for name in _DATABASES:
            self.postgres.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self.postgres.psql(f"CREATE DATABASE {name} TEMPLATE seed OWNER erpgo")

    def prepare(self) -> None:
        """Roles, tables, containers: once."""
        configuration = self.postgres.cluster / "pg_hba.conf"
        configuration.write_text("host all all 127.0.0.1/32 trust\n" + configuration.read_text())
        self.postgres.psql("SELECT pg_reload_conf()")
        for role in _ROLES:
            self.postgres.psql(f"CREATE ROLE {role} SUPERUSER LOGIN")
        self.postgres.psql("CREATE DATABASE seed")
        url = self.postgres.admin_url.rpartition("/")[0] + "/seed"
        self.postgres.psql(*[each for each in _TABLES.split(";\n") if each.strip()], url=url)
        self._databases()
        self._image()
        (self.folder / "app.py").write_text(_APP)
        (self.folder / "alerts").write_text("")
        (self.folder / "tools").mkdir()
        for name in _APPLETS:
            (self.folder / "tools" / name).symlink_to("/bin/busybox")
        for name, service in CONTAINERS.items():
            self._run(name, service)
        self.cluster.objects = _objects()
        self.cluster.within, self.cluster.looked_after = self._within, True

    def _image(self) -> None:
        """The image of the documents' name, which does something by itself."""
        self.engine.docker("run", "--name", "first", "--network", "none", IMAGE, "true")
        self.engine.docker("commit", "-c", 'CMD ["sleep", "86400"]', "first", "erpgo:latest")
        self.engine.docker("rm", "first")

    def _within(self, pod: Object) -> list[str]:
        app = pod["metadata"]["labels"]["app"]
        name = {"postgres": "postgres", "redis": "redis"}.get(app, "erpgo-api")
        return ["docker", "-H", self.engine.url, "exec", "-i", name]

    def _run(self, name: str, service: str) -> None:
        labels = _labels(service, name) if service else ()
        command = ["sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 1; done"]
        if name == "erpgo-api":
            command = ["/usr/bin/python3", f"{self.folder}/app.py", str(APP), f"{self.folder}/alerts"]
        options = [*self.host_programs(), *labels, "--network", "host", "--name", name, "-d", "--restart", "no"]
        options += ["-v", f"{self.postgres.cluster}:/var/lib/postgresql/data:ro"] if "postgres" in name else []
        for other in ("postgres", "redis", "db", "postgres-service"):
            options += ["--add-host", f"{other}:127.0.0.1"]
        for key, value in self._environment().items():
            options += ["-e", f"{key}={value}"]
        self.engine.docker("run", *options, "erpgo:latest", *command)

    def host_programs(self) -> list[str]:
        """This machine's programs, read-only."""
        real = [place for place in ("/usr", "/lib", "/lib64", "/etc/ssl", "/etc/alternatives") if Path(place).exists()]
        places = [*real, str(ROOT), str((ROOT / ".venv").resolve()), sys.base_prefix, str(self.folder)]
        return [word for place in dict.fromkeys(places) for word in ("-v", f"{place}:{place}:ro")]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": ":".join(
                [*map(str, embedded.paths()), "/usr/local/bin", "/usr/bin", "/bin", f"{self.folder}/tools"]
            ),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.postgres.port),
            "VALKEY_URL": self.valkey.url,
            "DATABASE_URL": self.database,
            "DB_MAX_CONNECTIONS": "50",
            "JWT_SECRET": secrets.token_urlsafe(24),
            "JWT_EXPIRY": "15m",
            "GOMAXPROCS": "4",
            "GOMEMLIMIT": "1GiB",
            "RATE_LIMIT": "100",
        }


def _labels(service: str, name: str) -> tuple[str, ...]:
    label = "com.docker.compose."
    files = "docker-compose.yml"
    told = {"project": PROJECT, "service": service, "container-number": "1", "oneoff": "False"}
    told |= {"project.config_files": files, "project.working_dir": "/srv/erpgo"}
    return tuple(word for key, value in told.items() for word in ("--label", f"{label}{key}={value}"))


def _objects() -> dict[tuple[str, str, str], Object]:
    """The cluster of the documents: the API with two pods and two revisions, PostgreSQL and Redis."""
    from tests.runbooks.standins.objects import initial

    text = {key: json.dumps(one) for key, one in initial().items() if key[1] in ("shop", "")}
    found: dict[tuple[str, str, str], Object] = {}
    for (plural, namespace, name), one in text.items():
        renamed = re.sub(r"\bapi\b(?!\w)", "erpgo-api", one)
        found[plural, namespace, re.sub(r"\bapi\b", "erpgo-api", name)] = json.loads(renamed)
    pod = next(one for key, one in text.items() if key[0] == "pods" and key[2] == "api-1")
    for app in ("postgres", "redis"):
        like = json.loads(re.sub(r'"api"', f'"{app}"', pod.replace("api-1", f"{app}-0").replace("api:1", f"{app}:16")))
        found["pods", "shop", f"{app}-0"] = like
    deployment = json.dumps(found["deployments", "shop", "erpgo-api"])
    found["deployments", "shop", "redis"] = json.loads(deployment.replace("erpgo-api", "redis"))
    service = json.dumps(found["services", "shop", "web"])
    found["services", "shop", "postgres-service"] = json.loads(service.replace('"web"', '"postgres-service"'))
    return found


@contextmanager
def stage(alerts: dict[str, str]) -> Iterator[Stage]:
    """The whole stage, with a Prometheus that knows `alerts` (name → severity); or a skip that says what is missing."""
    needed("prometheus", "prometheus-alertmanager", "kubectl", "python3")
    if taken := [port for port in (APP, PROMETHEUS, ALERTMANAGER) if not port_is_free(port)]:
        pytest.skip(f"the ports {taken}, which the documents name, are in use on this machine")
    folder = Path(tempfile.mkdtemp(prefix="erpops-stage-"))
    folder.chmod(0o755)
    with ExitStack() as opened:
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        running = opened.enter_context(engine())
        console = opened.enter_context(Stack(environment={"ERPOPS_ADMIN_EMAIL": "oncall@example.org"}))
        objects = opened.enter_context(cluster())
        postgres, valkey = Postgres(folder / "servers", durable=False), Valkey(folder / "servers", durable=False)
        for server, port in ((postgres, 5432), (valkey, 6379)):
            # The ports that the documents name, unless something of this machine has them.
            state.remember_port(folder / "servers", type(server).__name__.lower(), port)
            server.start()
            opened.callback(server.stop)
        built = Stage(console, running, objects, postgres, valkey, folder)
        built.prepare()
        opened.enter_context(_watching(built, alerts))
        _register(built)
        _worker(built)
        yield built


@contextmanager
def _watching(built: Stage, alerts: dict[str, str]) -> Iterator[None]:
    folder = built.folder
    token = built.console.manage(
        "shell",
        "-v0",
        "-c",
        "from incidents.models import Source; print(Source.objects.get(name='Alertmanager').token)",
    ).stdout.strip()
    rules = "".join(_RULE.format(name=name, severity=severity) for name, severity in alerts.items())
    (folder / "rules.yml").write_text(_RULES.format(rules=rules))
    (folder / "prometheus.yml").write_text(_PROMETHEUS_FILE)
    (folder / "alertmanager.yml").write_text(_ALERTMANAGER_FILE.format(url=built.console.url, token=token))
    prometheus, alertmanager = needed("prometheus", "prometheus-alertmanager")
    argvs = [
        [
            alertmanager,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/am",
            "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{ALERTMANAGER}",
        ],
        [
            prometheus,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
        ],
    ]
    with (folder / "watching.log").open("wb") as log:
        running = [subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log) for argv in argvs]
        try:
            for port in (ALERTMANAGER, PROMETHEUS):
                until(lambda port=port: _ready(port), 30, f"a peer on port {port}")  # type: ignore[misc]
            yield
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(15)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


_TARGETS = """
import json
from incidents.models import Environment
from checks.models import Target
place, _ = Environment.objects.get_or_create(
    name="erp", defaults={{"label": "ERP", "is_production": False, "position": 1}}
)
place.variables = {{"COMPOSE_PROJECT_NAME": "erpgo"}}
place.save(update_fields=["variables"])
for name, kind, address, credential, trust in json.loads({found!r}):
    Target.objects.update_or_create(
        name=name,
        defaults=dict(label=name, kind=kind, environment=place, address=address, credential=credential, trust=trust),
    )
"""


def _register(built: Stage) -> None:
    """The environment and its targets, as an admin would register them."""
    found: list[tuple[str, str, str, str, str]] = [
        ("erp-db", "postgres", built.database, "", ""),
        ("erp-redis", "redis", built.valkey.url, "", ""),
        ("erp-docker", "docker", built.engine.url, "", ""),
        ("erp-cluster", "kubernetes", f"{built.cluster.url}/?namespace=shop", TOKEN, built.cluster.certificate),
        ("erp-prometheus", "prometheus", f"http://127.0.0.1:{PROMETHEUS}", "", ""),
        ("erp-alertmanager", "alertmanager", f"http://127.0.0.1:{ALERTMANAGER}", "", ""),
        ("erp-app", "http", f"http://127.0.0.1:{APP}", "", ""),
    ]
    built.console.manage("shell", "-v0", "-c", _TARGETS.format(found=json.dumps(found)))


def _worker(built: Stage) -> None:
    """A worker of the console in a container: no capabilities over this machine, its files read-only."""
    console, services = built.console, built.console.services()
    (console.data / "spool").mkdir(exist_ok=True)
    (console.data / "standins").mkdir(exist_ok=True)
    options = [
        "-d",
        "--name",
        "worker",
        "--network",
        "host",
        *built.host_programs(),
        "--add-host",
        "prometheus:127.0.0.1",
    ]
    options += ["-v", f"{console.data}:{console.data}:ro", "-v", f"{built.engine.socket}:{built.engine.socket}"]
    options += [
        "-v",
        f"{console.data}/spool:{console.data}/spool",
        "-v",
        f"{console.data}/standins:{console.data}/standins",
    ]
    given = {"DATABASE_URL": services["database_url"], "REDIS_URL": services["redis_url"]}
    given |= {"ERPOPS_DATA": str(console.data), "ERPOPS_ROLE": "worker", "HOME": "/tmp", "PATH": os.environ["PATH"]}
    given |= {name: value for name, value in console.env.items() if name.startswith("ERPOPS_") and name not in given}
    for name, value in given.items():
        options += ["-e", f"{name}={value}"]
    python = str(ROOT / ".venv" / "bin" / "python")
    words = ["-w", str(ROOT), IMAGE, python, "manage.py", "worker", "--queues", "env.erp", "--concurrency", "2"]
    built.engine.docker("run", *options, *words)

    def ready() -> bool:
        said = built.engine.docker("logs", "worker")
        assert built.engine.docker("inspect", "-f", "{{.State.Running}}", "worker").stdout.strip() == "true", said
        return " ready." in said.stdout + said.stderr

    until(ready, 90, "a worker in a container")
