"""Hostile values in every place where a parameter can stand: nothing but the value changes, or it is refused.

Each value tries to touch a file. The judge is that file, and what the command really received.
"""

import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.db import connection

from erpops import beats
from runbooks.parameters import BadValue, Unbindable, bind
from runbooks.variables import Variables, process_environment
from tests.peers import needed
from tests.runbooks.builders import command, output_of, walk
from tests.runbooks.running import run_now, wait_all_gone

VALUES, SAMPLE = 600, 60
HARMLESS = "db-1.internal"
_ACTS = ["touch {c}", "touch${{IFS}}{c}", ">{c}", ": >{c}", "cat /dev/null>{c}"]
_RUNS = [
    "$({a})", "`{a}`", "; {a}", ";{a};", "| {a}", "|| {a} #", "&& {a}", "& {a} &", "\n{a}\n", "x\n{a}", "\r\n{a}\r\n",
    "' ; {a} ; '", "'; {a} #", '" ; {a} ; "', '"; {a} #', "'\"; {a}; \"'", "\\'; {a} #", '\\"; {a} #', "')\n{a}\n#",
    "${{x:-$({a})}}", "$(({a}))", "a[$({a})]", "x[$({a})]+1", "$[$({a})]", "<({a})", ">({a})", "{{a,$({a})}}",
    "`{a}`'`{a}`\"`{a}`", "EOF\n{a}\nEOF", "EOF\n{a}", "$'\\x60{a}\\x60'", "\\$({a})", "\\\\$({a})", "\\`{a}\\`",
    "){a}(", "}}; {a}; {{", "fi; {a}", "*/ {a}", "!{a}", "\\n{a}", "%0a{a}", "${{PATH:0:0}}$({a})",
]  # fmt: skip
_OTHER = [
    '*', '?', '~root', '~', '/etc/*', '{a,b}', '[a-z]', 'a b  c', '  x', 'x  ', '\t', 'a\tb', '$HOME', '${HOME}',
    '$$', '$1', '!!', '-', '--', '-rf', '--help', '-oProxyCommand=touch {c}', '-exec', '-e', '@/etc/passwd', '<x',
    '>x', '<<x', '#', '# x', 'x # y', '%s%n%x', '%%', '\\', '\\\\', '\\n', '\\0', 'a\\', "'", '"', "''", '""',
    '\'"\'"\'', '`', '``', '$', '$(', '${{', '((', '[[ ]]', "' OR '1'='1", "'; DROP TABLE x; --", '1; DROP TABLE x',
    "x' UNION SELECT 1--", '\\! touch {c}', "\\copy x to program 'touch {c}'",
    "x'; COPY (SELECT 1) TO PROGRAM 'touch {c}'; --", '$$; SELECT 1; $$', "x\\'; SELECT 1 --", "U&'\\0027'", '/* */',
    '--', ":'x'", ':"x"', 'x\r\nX-Injected: 1', 'x\nX-Injected: 1', 'x\r\n\r\nGET /evil HTTP/1.1', '../../etc/passwd',
    '..%2f..%2f', '?a=1&b=2', '#frag', 'a&admin=true', '//evil/', '\\\\evil', '", "admin": true, "x": "', '"}}',
    '1, "admin": true', '\\u0022', '\\","admin":true,"\\', '[]', '{{}}', 'true', 'é', '漢字', '•••', '😀',
    '\u202egnp.exe', 'à', '\ufeffx', '\u2028x', '\x7f', '\x1b[31mred', '\x01\x02', '\x08\x08', 'x\x00y', "A" * 4096,
    "A" * 5000, "é" * 2048, "'" * 500, "$(" * 300, "(" * 500, "\\" * 501, 'LD_PRELOAD=/x', 'PATH=/x', 'BASH_ENV=/x',
    '1', '0', '-1', '1e9', '0x10', '010', '٣', 'NaN', 'null', 'system("touch {c}")', 'BEGIN{{system("touch {c}")}}',
    'e touch {c}', 's/x/touch {c}/e', '/;system("touch {c}");/', '1e touch {c}', 'w {c}',
    "__import__('os').system('touch {c}')", "'+__import__('os').system('touch {c}')+'",
    '");require(\'child_process\').execSync(\'touch {c}\');("', '<script>', '{{{{7*7}}}}', '{{%x%}}',
    '() {{ :; }}; touch {c}', 'x=$(touch {c})',
]  # fmt: skip


def hostile(canary: Path) -> list[str]:
    """Every value, the same ones each time; as many as `VALUES`."""
    runs = [shape.format(a=act) for shape in _RUNS for act in _ACTS]
    dressed = [f"{before}{run}{after}" for run in runs for before, after in (("", ""), ("x", ""), ("1", "y"))]
    found = list(dict.fromkeys([*_OTHER, *dressed]))
    step = max(1, len(found) // VALUES)
    picked = [*_OTHER, *[value for value in found[len(_OTHER) :: step] if value not in _OTHER]][:VALUES]
    assert len(picked) == VALUES
    return [_with(value, canary) for value in picked]


def _with(value: str, canary: Path) -> str:
    return value.replace("{c}", str(canary)).replace("{{", "{").replace("}}", "}")


@dataclass(frozen=True)
class Place:
    """A command with a parameter, and what must come out: `None` when no value may ever stand there.

    `seen(output)` gives back the value that the command received.
    """

    text: str
    seen: Callable[[str], str] | None = None
    type: str = "text"


def _between(output: str) -> str:
    return output[1:-1]


def _in_argument(output: str) -> str:
    return re.sub(r"\A\[in |\]\Z", "", output)


SHELL = {
    "bare": Place("printf '[%s]' <value>", _between),
    "bare, joined": Place("printf '[%s]' --name=<value>", lambda out: out[8:-1]),
    "single quotes": Place("printf '[%s]' 'in <value>'", _in_argument),
    "double quotes": Place("printf '[%s]' \"in <value>\"", _in_argument),
    "dollar quotes": Place("printf '[%s]' $'in <value>'", _in_argument),
    "substitution": Place("printf '[%s]' \"in $(printf '%s.' \"<value>\")\"", lambda out: _in_argument(out)[:-1]),
    "backticks": Place("printf '[%s]' \"in `printf %s. <value>`\"", lambda out: _in_argument(out)[:-1]),
    "process substitution": Place("cat <(printf '[%s]' <value>)", _between),
    "heredoc": Place("cat <<EOF\nin <value>!\nEOF", lambda out: out[3:-2]),
    "heredoc with tabs": Place("cat <<-EOF\n\tin <value>!\n\tEOF", lambda out: out[3:-2]),
    "here-string": Place("cat <<< <value>", lambda out: out[:-1]),
    "assignment": Place("X=<value> /usr/bin/printenv X", lambda out: out[:-1]),
    "assignment of its own": Place('X="<value>"; printf \'[%s]\' "$X"', _between),
    "export": Place("export X=<value>; printf '[%s]' \"$X\"", _between),
    "array": Place("x=(<value>); printf '[%s]' \"${x[@]}\"", _between),
    "default": Place("printf '[%s]' \"${NOTHING:-<value>}\"", _between),
    "test": Place("[[ <value> == '' ]] || printf '[%s]' <value>", _between),
    "case": Place("case y in <value>) printf no;; *) printf '[%s]' <value>;; esac", _between),
    "loop": Place("for x in <value>; do printf '[%s]' \"$x\"; done", _between),
    "function": Place("f() { printf '[%s]' \"$1\"; }; f <value>", _between),
    "pipe": Place("printf '[%s]' <value> | cat", _between),
    "grep": Place("printf '%s' \"$ERPOPS_P_VALUE\" | grep -Fzq -e <value> && printf '[%s]' <value>", _between),
    "find": Place("find . -false -name <value>; printf '[%s]' <value>", _between),
    "number": Place("printf '[%s]' <value>", _between, "number"),
}
CODE = [
    "cat <<'EOF'\n<value>\nEOF",
    "awk '/<value>/ {print}' /dev/null",
    "awk -v x=<value> 'BEGIN {print x}'",
    "echo x | sed 's/x/<value>/'",
    "echo x | sed \"s/x/<value>/e\"",
    "echo '{}' | jq '.a == \"<value>\"'",
    "bash -c 'echo <value>'",
    "bash -c \"echo <value>\"",
    "sh -ec \"echo <value>\"",
    "python3 -c 'print(\"<value>\")'",
    "perl -e 'print \"<value>\"'",
    "eval echo <value>",
    "eval \"echo <value>\"",
    "<value> --version",
    "env X=1 <value>",
    "sudo <value>",
    "exec <value>",
    "command <value>",
    "timeout 5 <value>",
    "echo | xargs <value>",
    "nohup nice -n 5 <value>",
    "bash <<EOF\necho <value>\nEOF",
    "python3 - <<EOF\nprint(\"<value>\")\nEOF",
    "cat <<EOF | sh\necho <value>\nEOF",
    "bash <<< \"echo <value>\"",
    "echo \"echo <value>\" | bash",
    "echo <value> | sh -s",
    "printf '%s' \"<value>\" | sudo -u root bash -e",
    "echo \"print('<value>')\" | python3",
    "echo \"<value>\" | cat | bash",
    "x=$(echo \"echo <value>\" | bash)",
    "echo $((<value> + 1))",
    "echo $[<value> + 1]",
    "((x = <value>))",
    "let x=<value>",
    "let \"x=<value>\"",
    "[[ <value> -gt 5 ]]",
    "[[ 5 -lt \"<value>\" ]]",
    "x=(1 2); echo ${x[<value>]}",
    "x=abc; echo \"${x:<value>}\"",
    "x=abc; echo \"${x:0:<value>}\"",
    "x[<value>]=1",
    "declare -i x=<value>",
    "unset <value>",
    "read <value> < /dev/null",
    "printf -v <value> x",
    "test -v <value>",
    "[ -v <value> ]",
    "[[ -v <value> ]]",
    "export <value>",
    "declare <value>",
    "trap <value> EXIT",
    "trap 'echo <value>' EXIT",
    "source <value>",
    ". <value>",
    "find . -exec <value> ;",
]  # fmt: skip


def _query(output: str) -> str:
    found = parse_qs(urlsplit(json.loads(output)["path"]).query, keep_blank_values=True)
    assert set(found) == {"q", "r"}, found
    return found["q"][0]


def _header(output: str) -> str:
    told = json.loads(output)
    assert "X-Injected" not in told["headers"]
    return str(told["headers"]["X-Value"]).encode("latin-1").decode()[3:-1]


def _scalar(output: str) -> str:
    _json(output)
    return str(json.loads(output)["body"])[6:-1]


def _json(output: str) -> Any:
    told = json.loads(json.loads(output)["body"])
    assert set(told) == {"a"}, told
    return told["a"]


HTTP = {
    "path": Place("curl -s {url}/a/<value>/b", lambda out: unquote(urlsplit(json.loads(out)["path"]).path[3:-2])),
    "query": Place("curl -s \"{url}/a?q=<value>&r=1\"", _query),
    "query, single quotes": Place("curl -s '{url}/a?r=1&q=<value>'", _query),
    "header": Place("curl -s -H \"X-Value: in <value>.\" {url}/", _header),
    "header, single quotes": Place("curl -s -H 'X-Value: in <value>.' {url}/", _header),
    "JSON": Place("curl -s -d '{{\"a\": \"<value>\"}}' {url}/", _json),
    "JSON, double quotes": Place('curl -s -d "{{\\"a\\": \\"<value>\\"}}" {url}/', _json),
    "JSON in a heredoc": Place('curl -s --data-binary @- {url}/ <<EOF\n{{"a": "<value>"}}\nEOF', _json),
    "JSON, a bare value": Place("curl -s -d '{{\"a\": <value>}}' {url}/", _scalar),
    "form": Place("curl -s --data-urlencode a=<value> {url}/", lambda out: parse_qs(json.loads(out)["body"])["a"][0]),
    "body": Place("curl -s --data-binary <value> {url}/", lambda out: json.loads(out)["body"]),
}  # fmt: skip


class _Echo(BaseHTTPRequestHandler):
    """Tells what it was asked."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {"path": self.path, "headers": dict(self.headers), "body": body.decode()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    """An HTTP server that answers with what it was asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def carry_out(text: str, value: str, home: Path, kind: str = "text") -> str | None:
    """What the command printed, as its executor starts it; None when the value was refused with a sentence."""
    one = command(text, parameters=[{"name": "value", "type": kind}])
    try:
        bound = bind(one, {"value": value})  # type: ignore[arg-type]
    except Unbindable as refusal:
        assert len(str(refusal)) > 20 and str(refusal).endswith("."), refusal
        return None
    assert len(value) < 8 or value not in bound.script, "the value stands in the script"
    env = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", **bound.env}
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-c", bound.script], env=env, cwd=home, capture_output=True, timeout=20
    )
    return done.stdout.decode("utf-8", "surrogateescape")


def _faults(places: dict[str, Place], values: list[str], home: Path, canary: Path) -> tuple[list[Any], int, int]:
    """(place, value, what came out) where it was not the value; how many were executed, and refused."""

    def one(item: tuple[str, str]) -> tuple[str, str, object] | None:
        place = places[item[0]]
        output = carry_out(place.text, item[1], home, place.type)
        if output is None:
            return ("", "", None)
        try:
            seen: object = place.seen(output) if place.seen else output
        except Exception as error:
            seen = error
        return None if seen == item[1] and not canary.exists() else (*item, seen)

    cases = [(name, value) for name in places for value in values]
    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(one, cases))
    refused = sum(result == ("", "", None) for result in results)
    return [result for result in results if result and result[0]], len(cases) - refused, refused


def check(places: dict[str, Place], values: list[str], home: Path, canary: Path) -> None:
    for name, place in places.items():
        harmless = "42" if place.type == "number" or "bare value" in name else HARMLESS
        output = carry_out(place.text, harmless, home, place.type)
        assert output is not None and place.seen and place.seen(output) == harmless, (name, output)
    faults, executed, refused = _faults(places, values, home, canary)
    print(f"{len(places)} places × {len(values)} values: {executed} executed, {refused} refused")
    assert faults[:5] == [], len(faults)
    assert not canary.exists()
    assert executed > refused


def sample(values: list[str]) -> list[str]:
    return values[:: max(1, len(values) // SAMPLE)]


def test_values_in_shell_text_are_only_ever_text(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    check(SHELL, sample(hostile(canary)), tmp_path, canary)


def test_values_in_requests_change_nothing_but_their_place(tmp_path: Path, url: str) -> None:
    needed("curl")
    canary = tmp_path / "canary"
    places = {name: Place(place.text.format(url=url), place.seen) for name, place in HTTP.items()}
    check(places, sample(hostile(canary))[::3], tmp_path, canary)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_value_in_every_place_is_only_ever_text(tmp_path: Path, url: str) -> None:
    needed("curl")
    canary = tmp_path / "canary"
    check(SHELL, hostile(canary), tmp_path, canary)
    places = {name: Place(place.text.format(url=url), place.seen) for name, place in HTTP.items()}
    check(places, hostile(canary), tmp_path, canary)


@pytest.mark.parametrize("text", CODE)
def test_where_a_value_would_be_code_every_value_is_refused(text: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    one = command(text, parameters=[{"name": "value"}])
    for value in [HARMLESS, *sample(hostile(canary))[::6]]:
        with pytest.raises(Unbindable) as refusal:
            bind(one, {"value": value})  # type: ignore[arg-type]
        assert str(refusal.value).endswith(".")


@pytest.mark.django_db(transaction=True)
def test_values_in_sql_are_only_ever_values(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    values = {f"v{at}": value for at, value in enumerate(sample(hostile(canary))) if "\0" not in value}
    values = {name: value for name, value in values.items() if value.strip() and len(value) <= 4096}
    text = ";\n".join(f"SELECT md5(<{name}>), md5('in <{name}>.')" for name in values)
    by_name = "SELECT 1 FROM <table>"
    place = walk(
        command(text, kind="sql", parameters=[{"name": name} for name in values]),
        *[command(by_name, kind="sql", parameters=[{"name": "table"}]) for _ in range(4)],
    )
    environment = place.execution.environment
    environment.name = "self"
    environment.save(update_fields=["name"])
    beats.beat(role="worker", queues=["env.self"])
    run = run_now(place, 0, values=values)
    assert run.status == "succeeded", (run.reason, output_of(run)[-500:])
    printed = output_of(run).decode()
    for value in values.values():
        for form in (value, f"in {value}."):
            assert hashlib.md5(form.encode()).hexdigest() in printed, value
    tables = set(connection.introspection.table_names())
    for index, value in enumerate(
        ['x"; DROP TABLE runbooks_commandrun; --', "a b", "pg_class, pg_proc", 'x" (SELECT 1)']
    ):
        run = run_now(place, index + 1, values={"table": value})
        assert (run.status, value) == ("failed", value)
        assert b"does not exist" in output_of(run)
    assert set(connection.introspection.table_names()) == tables
    assert not canary.exists()
    wait_all_gone()


WORDS = [
    "echo <value> | xargs rm",
    "echo \"<value>\" | xargs -n1 echo",
    "redis-cli <<EOF\nDEL <value>\nEOF",
    "sqlite3 x.db \"select '<value>'\"",
    "psql -c \"select '<value>'\"",
    "echo \"select '<value>'\" | psql",
    "mysql <<EOF\nselect '<value>'\nEOF",
    "make <value>",
]  # fmt: skip


@pytest.mark.parametrize("text", WORDS)
def test_where_a_value_would_be_several_words_only_plain_ones_are_taken(text: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    one = command(text, parameters=[{"name": "value"}])
    bind(one, {"value": HARMLESS})  # type: ignore[arg-type]
    for value in sample(hostile(canary)):
        if not re.fullmatch(r"[\w.@:+/=, -]+", value, re.ASCII) or value.startswith("-"):
            with pytest.raises(BadValue):
                bind(one, {"value": value})  # type: ignore[arg-type]


NAMES = (
    "PATH HOME IFS ENV SHELLOPTS BASHOPTS BASH_ENV BASH_FUNC_ls PS4 PROMPT_COMMAND CDPATH GLOBIGNORE ZDOTDIR "
    "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES PYTHONPATH PYTHONSTARTUP PERL5OPT PERL5LIB "
    "RUBYOPT RUBYLIB GEM_HOME NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS _JAVA_OPTIONS CLASSPATH LUA_INIT PHPRC "
    "GIT_SSH_COMMAND GIT_CONFIG_COUNT GIT_EXTERNAL_DIFF EDITOR VISUAL KUBE_EDITOR PAGER MANPAGER "
    "SYSTEMD_PAGER LESSOPEN BROWSER SSH_ASKPASS SUDO_ASKPASS GCONV_PATH LOCPATH HOSTALIASES TERMINFO "
    "OPENSSL_CONF GLIBC_TUNABLES SSLKEYLOGFILE CURL_HOME WGETRC PSQLRC npm_config_script_shell SHELL TMPDIR"
).split()


def test_no_variable_changes_how_programs_start() -> None:
    given = Variables(dict.fromkeys(NAMES, "/evil") | {"REGION": "eu"})
    env = process_environment(given=given, bound=dict.fromkeys(NAMES, "/evil"), home="/home")
    assert "/evil" not in env.values()
    assert env["REGION"] == "eu"


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_asked_for_a_variable_that_changes_how_programs_start(name: str) -> None:
    one = command(f'echo "${name}"', parameters=[{"name": name, "notation": "env"}])
    with pytest.raises(Unbindable, match="cannot be asked for"):
        bind(one, {name: "/evil"})  # type: ignore[arg-type]
