"""The world that the documents are about: containers of their names on a real engine, with real servers behind them.

The containers are busybox with this machine's programs read-only beside it. `psql` and `redis-cli` in them reach a
PostgreSQL and a Valkey of the stage's own. Commands are carried out by a worker that is in a container, too: it has
no rights over this machine, whatever a runbook does.
"""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from erpops import embedded
from erpops.embedded import state
from erpops.embedded.launch import port_is_free
from erpops.embedded.postgres import Postgres
from erpops.embedded.valkey import Valkey
from tests.browser import props
from tests.browser.containers import APP, Containers
from tests.browser.names import name_server
from tests.peers import needed, until
from tests.runbooks.standins.clusters import TOKEN, Cluster, cluster
from tests.runbooks.standins.engines import IMAGE, Engine, engine
from tests.runbooks.standins.objects import Object
from tests.stack import ROOT, Stack

# Programs that an image of the documents has, where this machine has none of its own.
_APPLETS = ("ping", "nslookup", "nc", "netstat", "ifconfig", "top", "free", "du", "df", "wget", "which")
PROMETHEUS, ALERTMANAGER = 9090, 9093
_NETCAT = Path("/usr/bin/nc.openbsd")
_ROLES = ("erpgo", "erpgo_user")
_DATABASES = ("erp", "erpgo", "erpgo_db", "erp_quty_karunia_prod")
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
    containers: Containers
    folder: Path

    @property
    def project(self) -> Path:
        """The team's working copy, which the worker has as its folder."""
        return self.folder / "erpgo"

    @property
    def database(self) -> str:
        """Where the documents' own role works."""
        return f"postgresql://erpgo@127.0.0.1:{self.postgres.port}/erp"

    def fire(self, *alerts: str) -> None:
        """These alerts fire from now on; the others end."""
        (self.folder / "alerts").write_text("\n".join(alerts))

    def restore(self) -> None:
        """What a runbook has broken is whole again: files, databases, containers, objects of the cluster."""
        self._databases()
        self._files()
        self.cluster.objects = props.objects()
        self.containers.restore()

    def _databases(self) -> None:
        self.postgres.psql("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
        for name in _DATABASES:
            self.postgres.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self.postgres.psql(f"CREATE DATABASE {name} TEMPLATE seed OWNER erpgo")

    def _files(self) -> None:
        """The working copy, the logs and the backups as they were."""
        for where in (self.project, self.folder / "backups", self.folder / "machine"):
            for entry in sorted(where.rglob("*"), reverse=True):
                # Folders stay: containers see them.
                if not entry.is_dir():
                    entry.unlink()
        props.project(self.project, self.containers.services(), self.containers.settings, self.folder / "tls")
        props.machine(self.folder / "machine")
        dump, plain = (self.folder / "dumps" / name for name in ("custom", "plain"))
        props.backups(self.folder / "backups", dump.read_bytes(), plain.read_bytes())
        shutil.copy(dump, self.project / "backup.dump")

    def prepare(self) -> None:
        """Roles, tables, backups, containers: once."""
        configuration = self.postgres.cluster / "pg_hba.conf"
        configuration.write_text("host all all 127.0.0.1/32 trust\n" + configuration.read_text())
        self.postgres.psql("SELECT pg_reload_conf()")
        for role in _ROLES:
            self.postgres.psql(f"CREATE ROLE {role} SUPERUSER LOGIN")
        self.postgres.psql("CREATE DATABASE seed")
        url = self.postgres.admin_url.rpartition("/")[0] + "/seed"
        self.postgres.psql(*[each for each in props.TABLES.split(";\n") if each.strip()], url=url)
        self._databases()
        for name in ("dumps", "tools", "clients"):
            (self.folder / name).mkdir()
        programs = Path(embedded.paths()[0])
        for name, form in (("custom", "c"), ("plain", "p")):
            file = f"--file={self.folder}/dumps/{name}"
            subprocess.run([programs / "pg_dump", f"--format={form}", file, self.database], check=True)
        for program in programs.iterdir():
            (self.folder / "clients" / program.name).symlink_to(program)
        for name in _APPLETS:
            (self.folder / "tools" / name).symlink_to("/bin/busybox")
        if _NETCAT.exists():
            # /usr/bin has a link to /bin, which is another one in a container.
            (self.folder / "tools" / "nc").unlink()
            for place in ("tools", "clients"):
                (self.folder / place / "nc").symlink_to(_NETCAT)
        props.certificate(self.folder / "tls")
        self._files()
        self.containers.prepare()
        self.cluster.objects = props.objects()
        self.cluster.within, self.cluster.said, self.cluster.looked_after = self._within, self._said, True

    def _within(self, pod: Object) -> list[str]:
        return ["docker", "-H", self.engine.url, "exec", "-i", _container_of(pod)]

    def _said(self, pod: Object) -> list[str]:
        done = self.engine.docker("logs", _container_of(pod), check=False)
        return (done.stdout + done.stderr).splitlines()


def _container_of(pod: Object) -> str:
    return {"postgres": "postgres", "redis": "redis"}.get(pod["metadata"]["labels"]["app"], "erpgo-api")


def _settings(postgres: Postgres, valkey: Valkey, folder: Path) -> dict[str, str]:
    """The variables of the containers; with the real redis-cli where it would find the server."""
    first, own = map(str, embedded.paths())
    usual = ["/usr/local/bin", "/usr/bin", "/bin", f"{folder}/tools"]
    real = valkey.port == 6379 and Path("/usr/bin/redis-cli").exists()
    return {
        "PATH": ":".join([first, *usual, own] if real else [first, own, *usual]),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "VALKEY_URL": valkey.url,
        "REDISCLI_AUTH": str(urlsplit(valkey.url).password),
        "DATABASE_URL": f"postgresql://erpgo@127.0.0.1:{postgres.port}/erp",
        "DB_MAX_CONNECTIONS": "50",
        "JWT_SECRET": secrets.token_urlsafe(24),
        "JWT_EXPIRY": "15m",
        "GOMAXPROCS": "4",
        "GOMEMLIMIT": "1GiB",
        "RATE_LIMIT": "100",
    }


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
        names = opened.enter_context(name_server(props.NAMES))
        settings = _settings(postgres, valkey, folder)
        containers = Containers(running, folder, settings, postgres.cluster, names)
        # Nothing of theirs has to end in order.
        opened.callback(containers.kill)
        built = Stage(console, running, objects, postgres, valkey, containers, folder)
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
place.variables, place.folder = {{"COMPOSE_PROJECT_NAME": "erpgo"}}, "/srv/erpgo"
place.save(update_fields=["variables", "folder"])
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
    folder, engine = built.folder, built.engine
    seen = [*built.containers.programs(), f"{console.data}:{console.data}:ro", f"{engine.socket}:{engine.socket}"]
    seen += [f"{console.data}/{name}:{console.data}/{name}" for name in ("spool", "standins")]
    seen += [f"{built.project}:/srv/erpgo", f"{folder}/backups:/backups", f"{folder}/clients:/usr/local/sbin:ro"]
    seen += [f"{place}:{where}" for where, place in props.machine(folder / "machine").items()]
    seen += [f"{engine.socket.parent}/data:/var/lib/docker:ro"]
    options = ["-d", "--name", "worker", "--network", "host", *(word for place in seen for word in ("-v", place))]
    options += [word for name in sorted(filter(None, props.NAMES)) for word in ("--add-host", f"{name}:127.0.0.1")]
    options += ["--dns", built.containers.names] if built.containers.names else []
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
