"""Commands that run as another user than the worker, who is root: what they reach, and what they do not."""

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erpops import pids
from runbooks import command_user, containment, elsewhere, reaper, runner, spool, supervisor
from runbooks.models import CommandRun
from runbooks.standins import launchers
from runbooks.standins.elsewhere import FOLDER
from tests.clock import Clock
from tests.runbooks import test_environment
from tests.runbooks.builders import command, output_of, walk
from tests.runbooks.running import alive, begin, ended, now, run_now, supervisor_of, until, wait_all_gone

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: run the tests as root"),
]
# A user that every Linux has, and that owns nothing.
USER = "daemon"
# What the console keeps beside the spool, as loosely as it could ever lie there.
_CONSOLE_FILES = (
    "secret_key",
    "logs/worker.log",
    "secrets/valkey-password",
    "mail/1.log",
    "run/services.json",
    "postgres/PG_VERSION",
    "valkey/dump.rdb",
    "static/app.css",
)


@pytest.fixture
def data(settings: Any, transactional_db: None) -> Iterator[Path]:
    """A data directory where others may pass, filled; commands run as `USER`."""
    place = Path(tempfile.mkdtemp(prefix="erpops-user-", dir="/tmp"))
    place.chmod(0o755)
    folder = place / "data"
    for name in _CONSOLE_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
        (folder / name).chmod(0o666)
        (folder / name).parent.chmod(0o777)
    settings.DATA_DIR, settings.COMMAND_USER = folder, USER
    command_user.open_the_way.cache_clear()
    yield folder
    wait_all_gone()
    command_user.open_the_way.cache_clear()
    shutil.rmtree(place, ignore_errors=True)


def shown(script: str, **more: Any) -> str:
    """What a command printed."""
    run = run_now(walk(command(script, **more)))
    assert run.status == "succeeded", (run.reason, output_of(run))
    return output_of(run).decode()


def test_a_command_is_that_user_and_has_no_power_left(data: Path) -> None:
    said = shown("id -un; id -ru; id -u; grep -E '^(Cap(Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status; id -G")
    name, real, effective, *status = said.split()
    assert (name, real, effective) == (USER, "1", "1")
    assert dict(zip(status[0:8:2], status[1:8:2], strict=True)) == {
        "CapPrm:": "0" * 16,
        "CapEff:": "0" * 16,
        "NoNewPrivs:": "1",
        "CapAmb:": "0" * 16,
    }
    groups = set(map(int, status[8:]))
    assert 0 not in groups
    assert len(groups) == 2, "its own group, and that of the attempt"


def test_its_directory_is_its_own_and_private(data: Path) -> None:
    said = shown("pwd; stat -c '%U %a' . .. ../..; touch there && stat -c '%U %a' there; echo $TMPDIR")
    where, *owners, temporary = said.splitlines()
    assert owners == [f"{USER} 700", "root 710", "root 711", f"{USER} 600"]
    assert temporary == where
    assert where.startswith(str(data / "spool"))


def test_the_environment_is_the_same_list(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("shell", "script"):
        test_environment.test_the_environment_is_the_documented_list(kind, monkeypatch)


def test_files_that_are_handed_over_are_its_own(data: Path) -> None:
    here = spool.Spool(7)
    who = command_user.identity(7)
    assert who is not None
    (data / "spool").mkdir()
    here.create(owner=who)
    here.hand_over({".ssh/keys/one": "secret", ".pgpass": "secret"}, owner=who)
    for name in (".ssh", ".ssh/keys", ".ssh/keys/one", ".pgpass"):
        about = (here.work / name).stat()
        assert (about.st_uid, about.st_gid) == (who.uid, who.gid), name
        assert stat.S_ISDIR(about.st_mode) or stat.S_IMODE(about.st_mode) == 0o600
    assert stat.S_IMODE((here.path / "output").stat().st_mode) == 0o600
    # This process made it, so it would be taken for its supervisor.
    here.remove()


# Each ends with 0 if it gets through. {…} is filled in; what begins with ROOT gets through where commands are root.
_PROBES = """
ROOT read the secret key | cat {data}/secret_key
ROOT read a log | cat {data}/logs/worker.log
ROOT read a password | cat {data}/secrets/valkey-password
ROOT read mail | cat {data}/mail/1.log
ROOT read the services file | cat {data}/run/services.json
ROOT read the database's files | cat {data}/postgres/PG_VERSION
ROOT write the database's files | echo x >> {data}/postgres/PG_VERSION
ROOT read the broker's files | cat {data}/valkey/dump.rdb
ROOT list the data directory | ls {data}
ROOT list the spool | ls {data}/spool
ROOT make a file in the data directory | touch {data}/mine && rm {data}/mine
ROOT make a file in the spool | mkdir {data}/spool/999 && rmdir {data}/spool/999
ROOT replace a stand-in | cp {data}/standins/docker {data}/standins/.x && mv {data}/standins/.x {data}/standins/docker
ROOT list another attempt's directory | ls {other}/work
ROOT read another attempt's file | cat {other}/work/private
ROOT write into another attempt's directory | touch {other}/work/mine
ROOT read another attempt's output | cat {other}/output
ROOT read another attempt's supervisor | cat {other}/supervisor.pid
ROOT say how another attempt ended | echo '[]' > {other}/verdict.json && rm {other}/verdict.json
ROOT read its own stored output | cat ../output
ROOT say how it ended itself | echo '[]' > ../verdict.json && rm ../verdict.json
ROOT give its directory another owner | chown root . && chown {user} .
ROOT another attempt's environment | grep -qa PRIVATE /proc/{child}/environ
ROOT another attempt's directory through /proc | ls /proc/{child}/cwd/
ROOT another attempt's files through /proc | ls -l /proc/{child}/fd/
ROOT another attempt's memory | dd if=/proc/{child}/mem of=/dev/null bs=1 count=0 2>&1
ROOT the supervisor's environment | cat /proc/$PPID/environ
ROOT the supervisor's memory | dd if=/proc/$PPID/mem of=/dev/null bs=1 count=0 2>&1
ROOT the supervisor's files | ls -l /proc/$PPID/fd/
ROOT the worker's environment | cat /proc/{worker}/environ
ROOT the worker's memory | dd if=/proc/{worker}/mem of=/dev/null bs=1 count=0 2>&1
ROOT the worker's directory through /proc | ls /proc/{worker}/root/root
ROOT signal the supervisor | kill -0 $PPID
ROOT signal the worker | kill -0 {worker}
ROOT a program of root's gains its power | test "$({setuid} -u)" = 0
ROOT write the control group | echo 0 > {cgroup}/cgroup.procs
ROOT give itself more memory | ulimit -Hd unlimited && ulimit -d unlimited
ROOT raise its own priority | renice -n -5 -p $BASHPID
ROOT be spared when memory is short | echo -900 > /proc/self/oom_score_adj
ROOT make a device | mknod null c 1 3
ROOT mount | mount -t tmpfs none .
ROOT trace another attempt | {tracer} {child}
ROOT trace the worker | {tracer} {worker}
     the database without its password | psql -h 127.0.0.1 -p {port} -U postgres -w -c 'select 1'
     become root by sudo | sudo -n true
     become root by su | su -c true
"""
_TRACER = """import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(0 if libc.ptrace(0x4206, int(sys.argv[1]), None, None) == 0 else 1)
"""


def probes(data: Path, other: CommandRun, extra: Path) -> dict[str, bool]:
    """What each probe found: whether it got through."""
    child = next(iter(pids.descendants(supervisor_of(other))))
    filled = {
        "data": data,
        "other": data / "spool" / str(other.pk),
        "user": USER,
        "child": child,
        "worker": os.getpid(),
        "setuid": extra / "id",
        "tracer": f"/usr/bin/python3 {extra / 'tracer.py'}",
        "cgroup": _control_group(),
        "port": os.environ["DATABASE_URL"].rpartition(":")[2].split("/")[0],
    }
    names, script = [], []
    for line in _PROBES.strip().splitlines():
        name, _, text = line.partition(" | ")
        names.append(name.strip())
        script.append(f"( {text.format(**filled)} ) >/dev/null 2>&1 </dev/null; echo $?")
    statuses = shown("\n".join(script), kind="script").split()
    return {name: status == "0" for name, status in zip(names, statuses, strict=True)}


def _control_group() -> str:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return next((line.split()[4] for line in mounts if " - cgroup2 " in line), "/nowhere")


@pytest.fixture
def other(data: Path) -> Iterator[CommandRun]:
    """Another attempt of the same user that runs meanwhile, with a private file, variable and output."""
    place = walk(command("export PRIVATE=yes; echo private > private; echo private; exec sleep 60"))
    run = begin(place)
    until(lambda: b"private" in output_of(run))
    yield run
    runner.stop(run=run, by=place.user)
    ended(run)


@pytest.fixture
def extra(data: Path) -> Path:
    """A set-user-id program of root's, and a program that tries to trace."""
    folder = data.parent
    shutil.copy(str(shutil.which("id")), folder / "id")
    (folder / "id").chmod(0o4755)
    (folder / "tracer.py").write_text(_TRACER)
    return folder


def test_nothing_of_the_console_or_of_other_attempts_is_reached(data: Path, other: CommandRun, extra: Path) -> None:
    found = probes(data, other, extra)
    assert len(found) >= 40
    assert [name for name, through in found.items() if through] == []
    assert now(other).status == "running"


def test_as_root_the_same_probes_get_through(settings: Any, data: Path, other: CommandRun, extra: Path) -> None:
    settings.COMMAND_USER = ""
    found = probes(data, other, extra)
    closed = {name for name, through in found.items() if name.startswith("ROOT ") and not through}
    # Which of these even root may do depends on the machine.
    assert closed <= {
        "ROOT write the control group",
        "ROOT give itself more memory",
        "ROOT be spared when memory is short",
        "ROOT raise its own priority",
        "ROOT make a device",
        "ROOT mount",
        "ROOT trace another attempt",
        "ROOT trace the worker",
        "ROOT replace a stand-in",
    }


_STUBBORN = (
    "trap '' TERM; (setsid env -i bash -c 'trap \"\" TERM; echo $$ >> {pids}; sleep 300 & wait; sleep 300' & ); "
)
_STUBBORN += "echo $$ >> {pids}; echo ready; while :; do sleep 1; done"


@pytest.fixture
def pid_file(data: Path) -> Path:
    """Where commands may note their pids."""
    file = data.parent / "pids"
    file.touch()
    file.chmod(0o666)
    return file


@pytest.mark.parametrize("level", ["cgroup", "subreaper"])
def test_it_is_ended_as_a_whole(data: Path, pid_file: Path, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TERM_S", 1.0)
    if level == "subreaper":
        monkeypatch.setattr(containment, "_can_group", lambda: False)
    elif containment.level() != "cgroup":
        pytest.skip("cgroup v2 cannot be written here")
    place = walk(command(_STUBBORN.format(pids=pid_file)))
    run = begin(place)
    until(lambda: len(alive(pid_file)) == 2)
    runner.stop(run=run, by=place.user)
    run = ended(run)
    assert (run.status, run.containment) == ("stopped", level)
    assert alive(pid_file) == []


def test_it_is_ended_at_its_time_limit(data: Path, pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 1)
    run = run_now(walk(command(f"echo $$ >> {pid_file}; exec sleep 300")))
    assert run.status == "timed_out"
    assert alive(pid_file) == []


def test_what_lost_supervisor_and_guardian_and_hid_is_found_by_its_group(
    data: Path, pid_file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "_can_group", lambda: False)
    place = walk(command(_STUBBORN.format(pids=pid_file)))
    run = begin(place)
    until(lambda: len(alive(pid_file)) == 2)
    watcher = supervisor_of(run)
    guardian = int(Path(f"/proc/{watcher}/stat").read_text().rpartition(")")[2].split()[1])
    for pid in (guardian, watcher):
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(alive(pid_file)) == 1, 3)

    def over() -> bool:
        clock.advance(seconds=36)
        reaper.tick()
        return now(run).status != "running"

    until(over)
    assert now(run).status == "outcome_unknown"
    assert alive(pid_file) == []


def test_limits_hold(data: Path, settings: Any) -> None:
    settings.COMMAND_PROCESSES, settings.COMMAND_FILE_MB = 32, 1
    said = shown("ulimit -Hu; ulimit -Hf; ulimit -Hn; ulimit -Hc; cat /proc/self/oom_score_adj")
    assert said.split() == ["128", "1024", "4096", "0", "800"]
    run = run_now(walk(command("head -c 2000000 /dev/zero > long")))
    assert "ERPOPS_COMMAND_FILE_MB" in run.reason


def test_waiting_until_it_holds_runs_as_that_user(data: Path) -> None:
    expected = [{"assertion": {"op": "contains", "value": USER}}]
    run = run_now(walk(command("id -un", expected=expected)), waits=True)
    assert (run.status, b"it holds" in output_of(run)) == ("succeeded", True), output_of(run)


def test_stand_ins_can_be_started(data: Path) -> None:
    if not command_user.reaches_stand_ins():
        pytest.skip("Python or erpops lies in a folder that is closed to other users")
    assert "Usage" in shown(f"{launchers.folder()}/docker --help")


def test_without_such_a_user_nothing_is_started(data: Path, settings: Any) -> None:
    settings.COMMAND_USER = "no-such-user-here"
    run = run_now(walk(command("id")))
    assert run.status == "not_started"
    assert "no-such-user-here" in run.reason


def test_notes_that_are_links_or_pipes_are_not_read(data: Path) -> None:
    home = data / "home"
    (home / FOLDER).mkdir(parents=True)
    for folder in (home, home / FOLDER):
        os.chown(folder, 1, 1)
    (home / FOLDER / "1").symlink_to(data / "secret_key")
    os.mkfifo(home / FOLDER / "2")
    os.link(data / "secret_key", home / FOLDER / "3")
    (home / FOLDER / "4").write_text("an exec in web-1")
    os.chown(home / FOLDER / "4", 1, 1)
    said = elsewhere.left(script="true", env={}, home=home)
    assert said == "It was ended here, but this may go on: an exec in web-1."


def test_a_worker_says_at_its_start_what_is_wrong(data: Path, settings: Any) -> None:
    settings.ROLE = "worker"

    def said() -> list[str]:
        return [message.id or "" for message in command_user.it_can_be_become(None)]

    usual = [] if command_user.reaches_stand_ins() else ["runbooks.W001"]
    assert said() == usual
    settings.COMMAND_USER = "no-such-user-here"
    assert said() == ["runbooks.E001"]
    settings.COMMAND_USER = "root"
    assert said() == ["runbooks.E002"]
    settings.COMMAND_USER = USER
    os.chown(data / "mail", 1, 1)
    assert said() == ["runbooks.E005", *usual]
    os.chown(data / "mail", 0, 0)
    data.parent.chmod(0o700)
    assert said() == ["runbooks.E004", *usual]
    data.parent.chmod(0o755)
    settings.ROLE = "web"
    settings.COMMAND_USER = "no-such-user-here"
    assert said() == []
