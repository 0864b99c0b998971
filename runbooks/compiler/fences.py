"""What a fence really holds. The tag is a hint; content and the line before decide."""

import json
import re

from runbooks.compiler import programs, queries, shell_lines, sql
from runbooks.compiler.comments import STEP

_SHELL_TAGS = frozenset(
    "bash sh shell zsh console terminal shell-session shellsession ksh fish command cmd bat powershell ps1".split()
)
_TYPED_TAGS = frozenset(["console", "terminal", "shell-session", "shellsession"])
_SQL_TAGS = frozenset("sql pgsql psql postgres postgresql mysql plsql tsql sqlite".split())
_YAML_TAGS = frozenset("yaml yml".split())
_JSON_TAGS = frozenset("json json5 jsonc jsonl".split())
_ENV_TAGS = frozenset("env dotenv ini properties cfg conf".split())
_SCRIPT_TAGS = frozenset("python py ruby rb javascript js typescript ts go perl php groovy lua elixir java".split())
_TEXT_TAGS = frozenset(
    "mermaid plantuml text txt plain markdown md diff html xml css hcl toml nginx dockerfile".split()
)
_SURE_TAGS = {
    "promql": ("promql", "prometheus"),
    "logql": ("logql", "loki"),
    "lucene": ("lucene", "kql", "kibana"),
    "yaml": _YAML_TAGS,
    "json": _JSON_TAGS,
    "http": ("http", "rest"),
    "output": ("output", "log", "logs", "stdout"),
}
_OUTPUT_BEFORE = re.compile(
    r"\b(?:output|response|result|returns|looks? like|prints|shows?|should see|you(?:'ll| will) see|similar to)\b"
    r"[^.]*:\s*$|\b(?:like this|similar to|looks? like|output)\s*:?\s*$",
    re.IGNORECASE,
)
_MESSAGE = re.compile(r"^\s*(?:subject|to|title|dear|hi|hello)\b\s*:?", re.IGNORECASE)
_FIELD = re.compile(r"\[[A-Z][\w /-]*\]|\[[a-z]+(?:[ -][\w-]+)+\]|\[\w+\]")
_HTTP = re.compile(r"^\s*(?:GET|POST|PUT|PATCH|DELETE|HEAD)\s+(?:/|https?://)\S*")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+|set\s+)?[A-Za-z_][A-Za-z0-9_.]*\s?=\s?(?:\S.*)?$")
_PLAIN_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|[^\s;|&]*)\s*(?:#.*)?$")
_YAML_SURE = re.compile(
    r"^(?:---\s*$|apiVersion:|kind:\s*\w|groups:\s*$|\s*-\s+(?:name|alert|job_name|apiVersion):|alert:\s*\w|services:\s*$|version:\s*['\"]?\d|metadata:\s*$|spec:\s*$)",
    re.MULTILINE,
)
_YAML_LINE = re.compile(r"^\s*(?:-\s+)?[A-Za-z_][\w./-]*:(?:\s.*)?$|^\s*-\s+\S|^\s*#|^\s*$")
PROMPT = re.compile(
    r"^\s*(?:\$\s+|(?:\([\w.-]+\)\s*)?\[?[\w.-]+@[\w.-]+(?:[:\s][^$#\n>]*)?\]?\s?[$#%]\s+|[\w.-]*[:~/][\w./~-]*[$#]\s+|"
    r"(?:PS\s)?[A-Z]:\\[^>\n]*>\s*|(?:sh|bash)-[\d.]+[$#]\s+|❯\s+|➜\s+)(?=\S)"
)
DB_PROMPT = re.compile(r"^\s*(?:[\w.-]+(?:=|-|\()[#>]\s+|mysql>\s+|MariaDB \[[^\]]*\]>\s+|sqlite>\s+)(?=\S)")
_TREE = re.compile(r"^\s*[├└│┌╰╭┬─|+`]", re.MULTILINE)
_SCRIPT_START = re.compile(r"^\s*#!\s*/|^\s*(?:function\s+[\w-]+|[\w-]+\s*\(\s*\))\s*\{", re.MULTILINE)
_ENGLISH = frozenset(
    "find test date time watch sort who last kill cut join split make service wait at host install file import type "
    "set read move help look host node command source history exec man more less view top which let".split()
)


def classify(text: str, tag: str | None, before: str = "") -> str:
    """The kind of a fence from its content, its tag and the line before it."""
    lines = [row for row in text.split("\n") if row.strip()]
    if not lines:
        return "text"
    by_tag = _by_tag(text, lines, tag) if tag else None
    return by_tag or _untagged(text, lines, before, tag)


def _by_tag(text: str, lines: list[str], tag: str) -> str | None:
    """What the tag says if the content bears it out; None if the content must decide."""
    if tag in _SHELL_TAGS:
        return _shell(text, lines, typed=tag in _TYPED_TAGS)
    if tag in _SQL_TAGS:
        return "comment" if all(row.strip().startswith("--") for row in lines) else "sql"
    if tag in _ENV_TAGS:
        return "env" if any(_ASSIGNMENT.match(row) for row in lines) else "text"
    if tag in _SCRIPT_TAGS:
        return "script"
    if tag.startswith("{"):
        return "text"
    return next((kind for kind, tags in _SURE_TAGS.items() if tag in tags), None)


def _shell(text: str, lines: list[str], *, typed: bool) -> str:
    """A shell fence may hold only comments, only settings, one script, or queries; ``typed`` may have prompts."""
    code = [row for row in lines if not row.strip().startswith("#")]
    if not code:
        return "script" if lines[0].startswith("#!") else "shell" if typed and _root_session(lines) else "comment"
    if _SCRIPT_START.search(text):
        return "script"
    body = "\n".join(code)
    kind = queries.kind_of(body)
    if kind and not programs.known(code[0].split()[0]):
        return kind
    if all(_PLAIN_ASSIGNMENT.match(row) for row in code):
        return "env"
    return "shell"


def _root_session(lines: list[str]) -> bool:
    """``# systemctl restart x`` on every line: the mark is a root prompt, not a comment."""
    words = [row.strip().lstrip("#").split() for row in lines]
    return all(row.startswith("# ") for row in lines) and all(w and is_program_call(w) for w in words)


def is_program_call(words: list[str]) -> bool:
    """True if these words look like a call of a known program and not like an English sentence."""
    if not words:
        return False
    name = words[0]
    if name.startswith(("./", "/")) and len(name) > 2 and not name.endswith("/"):
        return bool(re.fullmatch(r"[\w./-]+", name)) and (
            name.startswith("./") or "/bin/" in name or name.endswith(".sh")
        )
    if name in (
        "sudo",
        "watch",
        "time",
        "ssh",
        "curl",
        "wget",
        "psql",
        "redis-cli",
        "valkey-cli",
        "mysql",
        "bash",
        "sh",
        "python",
        "python3",
        "find",
        "env",
    ):
        return len(words) > 1 and not re.fullmatch(r"(?:a|an|the|and|or|is|to|of|for|on|in|with|that|which)", words[1])
    if not programs.known(name):
        return False
    if name in _ENGLISH or (
        name.isalpha() and name in ("ls", "echo", "set", "w", "id", "last", "free", "service", "git", "top")
    ):
        return len(words) == 1 or bool(re.search(r"[-/.$\"'|=]", " ".join(words[1:])))
    return True


def _untagged(text: str, lines: list[str], before: str, tag: str | None) -> str:
    """The first test that holds decides; the order is from the surest to the weakest sign."""
    first = lines[0].strip()
    if any(PROMPT.match(row) for row in lines):
        return "shell"
    if any(DB_PROMPT.match(row) for row in lines):
        return "sql"
    if first.startswith("#!"):
        return "script"
    if _OUTPUT_BEFORE.search(before) and not is_program_call(first.split()):
        return "json" if _is_json(text) else "output"
    if _TREE.search(text) or STEP.match(first):
        return "text"
    return _structured(text, lines) or _queried(text, lines) or _written(text, lines, tag)


def _written(text: str, lines: list[str], tag: str | None) -> str:
    """Comments, commands, a message, settings, or just text."""
    code = [row for row in lines if not row.strip().startswith("#")]
    if not code:
        return "comment" if tag is None and all(row.strip().startswith("# ") for row in lines) else "text"
    if _looks_like_shell(text, code):
        return _shell(text, lines, typed=True)
    if (_MESSAGE.match(lines[0]) and (len(lines) > 1 or _FIELD.search(text))) or len(_FIELD.findall(text)) >= 2:
        return "message"
    settings = all(re.match(r"^\s*(?:export\s+)?[A-Z][A-Z0-9_]*=\S", row) for row in code)
    return "env" if settings else "text"


def _structured(text: str, lines: list[str]) -> str | None:
    if _is_json(text):
        return "json"
    if _HTTP.match(lines[0]):
        return "http"
    if _YAML_SURE.search(text) and all(_YAML_LINE.match(row) for row in lines[:3]):
        return "yaml"
    return None


def _queried(text: str, lines: list[str]) -> str | None:
    code = "\n".join(row for row in lines if not row.strip().startswith(("#", "//")))
    if sql.SQL_START.match(re.sub(r"^(?:\s*--[^\n]*\n)+", "", text)):
        return "sql"
    kind = queries.kind_of(code)
    return kind if kind and not programs.known(lines[0].split()[0]) else None


def _is_json(text: str) -> bool:
    stripped = text.strip()
    if not stripped.startswith(("{", "[")) or len(stripped) > 100_000:
        return False
    try:
        json.loads(stripped)
    except (ValueError, RecursionError):
        return bool(re.match(r"^[{\[]\s*\"[\w@.-]+\"\s*:", stripped))
    return True


def _looks_like_shell(text: str, code: list[str]) -> bool:
    """Most logical lines call a known program (or a script), and none reads like a sentence."""
    starts = [c.text for c in shell_lines.chunks(text) if c.kind == "code"]
    if not starts:
        return False
    calls = 0
    for start in starts:
        words = re.sub(r"^\s*(?:[A-Za-z_]\w*=\S*\s+)+", "", start).split()
        if words and (is_program_call(words) or shell_lines.COMPOUND.match(start)):
            calls += 1
    return calls * 2 > len(starts) or (calls > 0 and is_program_call(code[0].split()))
