"""Values picked from what is there: real engines, clusters and databases, and rows of earlier output."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.test import Client

from checks.choices import TargetKind
from checks.models import Target
from checks.probes import Place
from runbooks import addresses, executions, output_tables, pickers
from runbooks.live_lists import Wanted
from runbooks.pickers import Listing
from tests.runbooks.builders import Walk, command, compiled, phase, step, walk_of
from tests.runbooks.running import run_now, wait_all_gone
from tests.runbooks.standins.clusters import TOKEN, Cluster, cluster
from tests.runbooks.standins.engines import Engine, engine

HTMX = {"HX-Request": "true"}


def parameter(name: str, kind: str = "text") -> dict[str, Any]:
    return {"name": name, "notation": "angle", "type": kind, "line": 1}


@pytest.mark.parametrize(
    ("name", "kind", "text", "lists"),
    [
        ("postgres-pod", "pod", "kubectl exec <postgres-pod> -- df", ("pod",)),
        ("container_name", "container", "docker logs container_name", ("container",)),
        ("blocking_pid", "pid", "psql -c 'SELECT pg_terminate_backend(<blocking_pid>)'", ("session",)),
        ("PID", "pid", "kill -9 <PID>", ()),
        ("revision-number", "revision", "kubectl rollout undo deploy/x --to-revision=<revision-number>", ("revision",)),
        ("backup-timestamp", "timestamp", "./restore.sh <backup-timestamp>", ("backup",)),
        ("namespace", "text", "kubectl -n <namespace> get pods", ("namespace",)),
        ("db_name", "text", "psql -d <db_name>", ("database",)),
        ("table", "text", "VACUUM <table>", ("table",)),
        ("user-id", "text", "redis-cli DEL ratelimit:user:<user-id>", ()),
        ("password", "secret", "login <password>", ("secret",)),
        ("slow-query", "text", "EXPLAIN <slow-query>", ()),
    ],
)  # fmt: skip
def test_a_parameter_finds_the_lists_that_fit_it(name: str, kind: str, text: str, lists: tuple[str, ...]) -> None:
    assert pickers.lists_for(parameter(name, kind), text) == lists


def asked(name: str, place: Place, item: dict[str, Any] | None = None, wanted: Wanted | None = None) -> Listing:
    kind = pickers.LISTS[name].target
    return pickers.ask(name, item or parameter(name), {kind: place}, wanted or Wanted(), {"token": "hush-hush-4711"})


@pytest.fixture(scope="module")
def shop() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


@pytest.fixture
def there(shop: Cluster) -> Place:
    return Place(f"{shop.url}/?namespace=shop", TOKEN, shop.certificate)


def test_a_cluster_lists_its_objects_with_its_own_columns(there: Place) -> None:
    pods = asked("pod", there)
    assert pods.problem == ""
    assert {"api-1", "api-2"} <= {row.value for row in pods.rows}
    assert pods.rows[0].cells[1] == "Running"
    assert "api" in {row.value for row in asked("deployment", there).rows}
    assert "shop" in {row.value for row in asked("namespace", there).rows}
    assert "node-a" in {row.value for row in asked("node", there).rows}


def test_the_pods_of_the_namespace_that_the_command_names_are_listed(there: Place) -> None:
    wanted = pickers.wanted_by("kubectl logs -n other <pod>", {})
    assert wanted.namespace == "other"
    here, elsewhere = asked("pod", there), asked("pod", there, wanted=wanted)
    assert {row.value for row in here.rows} != {row.value for row in elsewhere.rows}


def test_revisions_are_those_of_the_deployment_that_is_rolled_back(there: Place) -> None:
    wanted = pickers.wanted_by("kubectl rollout undo deployment/api --to-revision=<n>", {})
    found = asked("revision", there, wanted=wanted)
    assert [row.value for row in found.rows] == ["2", "1"]
    assert found.rows[0].cells[:2] == ("api", "api:2")
    assert asked("revision", there, wanted=Wanted(owner="nothing")).rows == ()


def test_what_bears_the_words_of_the_name_comes_first(there: Place, shop: Cluster) -> None:
    last = asked("pod", there).rows[-1].value
    first = asked("pod", there, parameter(f"{last}-pod", "pod")).rows[0].value
    assert first == last


@pytest.fixture(scope="module")
def docker_engine() -> Iterator[Engine]:
    with engine() as running:
        yield running


def test_an_engine_lists_its_containers_and_images(docker_engine: Engine) -> None:
    name = docker_engine.container("erpgo-api")
    place = Place(docker_engine.url)
    [row] = [row for row in asked("container", place).rows if row.value == name]
    assert row.cells[0] == "box:1"
    assert row.cells[1].startswith("Up")
    assert "box:1" in {row.value for row in asked("image", place).rows}


@pytest.fixture
def database(transactional_db: None) -> Place:
    from django.db import connection

    found = connection.settings_dict
    credentials = f"{found['USER']}:{found['PASSWORD']}" if found["PASSWORD"] else found["USER"]
    return Place(f"postgresql://{credentials}@{found['HOST']}:{found['PORT']}/{found['NAME']}")


def test_a_database_lists_what_runs_in_it_and_masks_secrets(database: Place) -> None:
    with psycopg.connect(database.address, autocommit=True) as held:
        held.execute("SELECT 'hush-hush-4711', pg_sleep(0)")
        pid = str(held.info.backend_pid)
        found = asked("session", database)
    assert found.problem == ""
    [row] = [row for row in found.rows if row.value == pid]
    assert "pg_sleep" in row.cells[-1]
    assert "hush-hush" not in row.cells[-1]


@pytest.mark.parametrize("name", ["database", "role", "table", "db_index"])
def test_a_database_lists_its_things(database: Place, name: str) -> None:
    found = asked(name, database)
    assert found.problem == ""
    assert found.rows
    assert all(len(row.cells) == len(found.columns) - 1 for row in found.rows)


def test_backups_are_files_and_restoring_asks_for_their_moments(tmp_path: Path) -> None:
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / "erp_backup_2026-01-19_0200.sql.gz").write_bytes(b"x" * 2048)
    (tmp_path / "readme.txt").write_text("no")
    place = Place(str(tmp_path))
    [row] = asked("backup", place).rows
    assert (row.value, row.cells[1]) == ("erp_backup_2026-01-19_0200.sql.gz", "2 KB")
    [moment] = asked("backup", place, parameter("backup-timestamp", "timestamp")).rows
    assert moment.value == "2026-01-19_0200"
    assert "no folder" in asked("backup", Place(str(tmp_path / "gone"))).problem


# -- what stands in the way --------------------------------------------------------------------------


def test_without_a_target_the_reason_is_said() -> None:
    found = pickers.ask("pod", parameter("pod", "pod"), {}, Wanted(), {})
    assert found.problem == "This environment has no Kubernetes cluster target: an admin can register one."


def test_a_target_that_is_away_is_a_sentence_and_never_a_wait() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        for name, address in (
            ("pod", f"http://127.0.0.1:{port}"),
            ("session", f"postgresql://x@127.0.0.1:{port}/x"),
        ):
            began = time.monotonic()
            assert "answer" in asked(name, Place(address)).problem
            assert time.monotonic() - began < 4
    assert "refuses the connection" in asked("pod", Place(f"http://127.0.0.1:{port}")).problem


def test_a_wrong_token_and_a_wrong_answer_are_said(shop: Cluster) -> None:
    assert "may not list" in asked("pod", Place(shop.url, "wrong", shop.certificate)).problem
    assert "is not there" in asked("container", Place("unix:///nowhere/docker.sock")).problem


def test_rows_beyond_two_hundred_are_cut_and_said(tmp_path: Path) -> None:
    for number in range(230):
        (tmp_path / f"backup_{number}.tar").touch()
    found = asked("backup", Place(str(tmp_path)))
    assert (len(found.rows), found.more) == (200, True)


# -- rows of output ----------------------------------------------------------------------------------

PSQL = """ pid  | state  |  query
------+--------+-----------
 4711 | active | SELECT 1 | 2
   12 | idle   |
(2 rows)
"""
PODS = """NAME                     READY   STATUS             RESTARTS   AGE
erpgo-api-7f9c-abcde     1/1     Running            0          3d
postgres-0               0/1     CrashLoopBackOff   12         9d
"""
DF = """Filesystem      Size  Used Avail Use% Mounted on
/dev/sda1        99G   95G  4.0G  96% /
tmpfs           1.6G     0  1.6G   0% /run/user 1
"""
NAMES = "pod/api-1\npod/api-2\n"


def cells(text: str) -> list[tuple[str, ...]]:
    found = output_tables.tables(enumerate(text.splitlines(), 1))
    return [row.cells for table in found for row in table.rows]


def test_tables_of_psql_kubectl_and_df_are_cut_into_cells() -> None:
    assert cells(PSQL.replace(" | 2", "")) == [("4711", "active", "SELECT 1"), ("12", "idle", "")]
    assert cells(PODS) == [
        ("erpgo-api-7f9c-abcde", "1/1", "Running", "0", "3d"),
        ("postgres-0", "0/1", "CrashLoopBackOff", "12", "9d"),
    ]
    assert cells(DF)[0] == ("/dev/sda1", "99G", "95G", "4.0G", "96%", "/")
    assert cells(NAMES) == [("pod/api-1",), ("pod/api-2",)]
    assert cells("one line only") == [("one line only",)]
    assert cells("") == []


def test_the_head_of_a_table_is_known_and_lines_keep_their_numbers() -> None:
    [table] = output_tables.tables(enumerate(PODS.splitlines(), 1))
    assert table.columns == ("NAME", "READY", "STATUS", "RESTARTS", "AGE")
    assert [row.line for row in table.rows] == [2, 3]


# -- in a walk ---------------------------------------------------------------------------------------


@pytest.fixture
def place(transactional_db: None, tmp_path: Path) -> Walk:
    (tmp_path / "base_backup_20260119.tar").touch()
    list_pods = command(f"cat <<'END'\n{PODS}\nPASSWORD=hush-hush-4711\nEND")
    asks = command(
        "echo <postgres-pod> from <backup>", parameters=[parameter("postgres-pod", "pod"), parameter("backup")]
    )
    place = walk_of(compiled("Pods", phase("diagnosis", step("Look", list_pods), step("Restore", asks))))
    Target.objects.create(
        name="here", label="Here", kind=TargetKind.LOCAL, environment=place.execution.environment, address=str(tmp_path)
    )
    return place


def where(place: Walk) -> str:
    return addresses.of_walk(place.execution, "step_pick", position=1)


def kept(place: Walk) -> dict[str, Any]:
    place.execution.refresh_from_db()
    return dict(place.execution.values)


def test_a_live_value_is_picked_without_scripts_and_says_where_it_is_from(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    page = client.get(where(place), {"name": "backup"})
    assert "<html" in page.content.decode()
    assert "base_backup_20260119.tar" in page.content.decode()
    answer = client.post(where(place), {"name": "backup", "list": "backup", "value": "base_backup_20260119.tar"})
    assert answer.status_code == 302
    assert kept(place) == {"backup": "base_backup_20260119.tar"}
    assert "Picked from the backups" in client.get(answer["Location"], headers=HTMX).content.decode()


def test_what_is_gone_by_now_is_not_picked(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    answer = client.post(where(place), {"name": "backup", "list": "backup", "value": "gone_backup.tar"}, headers=HTMX)
    assert answer.status_code == 409
    assert "is not among the backups any more" in answer.content.decode()
    assert kept(place) == {}


def test_a_cell_of_earlier_output_is_picked_and_says_so(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    run = run_now(place)
    wait_all_gone()
    page = client.get(where(place), {"name": "postgres-pod", "run": str(run.pk)}, headers=HTMX).content.decode()
    [cell] = re.findall(r'value="(\d+:\d+)">postgres-0<', page)
    answer = client.post(where(place), {"name": "postgres-pod", "run": run.pk, "cell": cell}, headers=HTMX)
    assert answer["HX-Trigger"] == "sheet:close"
    assert kept(place) == {"postgres-pod": "postgres-0"}
    assert "From the output of step 1, command 1" in answer.content.decode()


def test_rows_are_narrowed_by_the_server_too(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    run = run_now(place)
    wait_all_gone()
    sent = {"name": "postgres-pod", "run": str(run.pk), "q": "crash"}
    page = client.get(where(place), sent, headers=HTMX).content.decode()
    assert "postgres-0" in page
    assert "erpgo-api-7f9c" not in page


def test_what_does_not_fit_or_is_masked_or_is_not_there_is_refused(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    run = run_now(place)
    wait_all_gone()
    said = {}
    for cell in ("2:2", "5:0", "99:0", "2:9", "x"):
        sent = {"name": "postgres-pod", "run": run.pk, "cell": cell}
        answer = client.post(where(place), sent, headers=HTMX)
        assert answer.status_code == 409
        said[cell] = answer.content.decode()
    assert "This is no pod name" in said["2:2"]
    assert "What is masked cannot be picked" in said["5:0"]
    assert "not in the output" in said["99:0"]
    assert kept(place) == {}


def test_an_output_offers_its_values_to_what_is_still_missing(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    run = run_now(place)
    wait_all_gone()
    step_page = client.get(addresses.of_walk(place.execution, "walk_step", position=0), headers=HTMX).content.decode()
    assert f"pick?run={run.pk}" in step_page
    page = client.get(where(place), {"run": run.pk}, headers=HTMX).content.decode()
    assert "<option selected>postgres-pod</option>" in page


def test_an_output_of_another_walk_and_an_unknown_name_are_not_found(place: Walk, client: Client) -> None:
    client.force_login(place.user)
    other = walk_of(compiled("Other", phase("diagnosis", step("Say", command("echo x")))))
    run = run_now(other)
    wait_all_gone()
    assert client.get(where(place), {"name": "backup", "run": str(run.pk)}).status_code == 404
    assert client.get(where(place), {"name": "nobody-asks"}).status_code == 404


def test_only_those_who_may_run_commands_ask_targets(place: Walk, client: Client) -> None:
    from tests.runbooks.builders import person

    client.force_login(person("ada", "admin"))
    assert client.get(where(place), {"name": "backup"}).status_code == 403


def test_a_reader_without_the_baton_cannot_pick(place: Walk, client: Client) -> None:
    from tests.runbooks.builders import person

    client.force_login(person("second", "operator"))
    sent = {"name": "backup", "list": "backup", "value": "base_backup_20260119.tar"}
    answer = client.post(where(place), sent, headers=HTMX)
    assert answer.status_code == 409
    assert "has the baton" in answer.content.decode()


def test_a_secret_is_picked_by_its_name_only(transactional_db: None, client: Client) -> None:
    asks = command("login <api-token>", parameters=[parameter("api-token", "secret")])
    place = walk_of(compiled("Login", phase("diagnosis", step("Log in", asks))))
    Target.objects.create(
        name="shop", label="Shop", kind=TargetKind.HTTP, environment=place.execution.environment,
        address="https://shop.internal", credential="hush-hush-4711",
    )  # fmt: skip
    client.force_login(place.user)
    address = addresses.of_walk(place.execution, "step_pick", position=0)
    page = client.get(address, {"name": "api-token"}, headers=HTMX).content.decode()
    assert "shop credential" in page
    assert "hush-hush" not in page
    sent = {"name": "api-token", "list": "secret", "value": "shop credential"}
    shown = client.post(address, sent, headers=HTMX).content.decode()
    assert "By reference to “shop credential”" in shown
    assert "hush-hush" not in shown
    assert executions.parameters_of(place.execution)
    assert settings.SECRET_KEY not in shown
