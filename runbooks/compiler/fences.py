"""What a fence really holds. The tag is a hint; content and the line before decide."""

import json
import re
from itertools import pairwise

from runbooks.compiler import queries, sessions, shell_lines, sql
from runbooks.compiler.calls import could_be_call, is_program_call, is_tool_name, is_unlisted_call
from runbooks.compiler.comments import STEP
from runbooks.compiler.printed import is_output, is_printed

_SHELL_TAGS = frozenset(
    "bash sh shell zsh console terminal shell-session shellsession ksh fish command cmd bat powershell ps1 pwsh "
    "shellscript sh-session".split()
)
_TYPED_TAGS = frozenset(["console", "terminal", "shell-session", "shellsession", "sh-session"])
_SQL_TAGS = frozenset("sql pgsql psql postgres postgresql mysql plsql tsql sqlite".split())
_ENV_TAGS = frozenset("env dotenv ini properties cfg conf toml systemd editorconfig".split())
_PROGRAM_TAGS = frozenset(
    "python py python3 ruby rb javascript js mjs cjs jsx tsx typescript ts go golang perl php groovy lua elixir java "
    "kotlin scala rust c cpp csharp c# r awk".split()
)
_SURE_TAGS = {
    "promql": ("promql", "prometheus"),
    "logql": ("logql", "loki"),
    "lucene": ("lucene", "kql", "kibana"),
    "yaml": ("yaml", "yml"),
    "json": ("json", "json5", "jsonc", "jsonl"),
    "http": ("http", "rest"),
    "output": ("output", "log", "logs", "stdout"),
    "text": tuple(
        "mermaid plantuml puml dot graphviz diff patch html xml css scss less svg hcl terraform tf nginx dockerfile"
        " cmake latex rst django jinja jinja2 j2 erb liquid gotemplate gotmpl".split()
    ),
}
_OUTPUT_BEFORE = re.compile(
    r"\b(?:output|response|result|returns|looks? like|prints|shows?|should see|you(?:'ll| will) see|similar to|errors?"
    r"|logs?|expected result)\b[^.]*:\W*$|\b(?:like this|similar to|looks? like|output|this error)\s*:?\W*$",
    re.IGNORECASE,
)
_OUTPUT_JUST_BEFORE = re.compile(
    r"\b(?:errors?|messages?|lines?|logs?|strings?),? (?:such as|like)(?: this| these)?\W*$"
    r"|\b(?:output|response|result|returns?|looks?(?: something)? like(?: this| that)?|prints?|shows?|see|similar to"
    r"|like this|errors?|as follows)(?: (?:is|are|will be|this|the following|something like))*\W*$",
    re.IGNORECASE,
)
_SHOWN_FILE = re.compile(
    r"\b(?:files?|config\w*|manifest|settings?|structure|snippet)\b(?:\s+\S+){0,4}\W*$", re.IGNORECASE
)
_OUTPUT_HEADING = re.compile(r"^#+\s*(?:expected|sample|example)\b.*\b(?:output|result|response)", re.IGNORECASE)
_MESSAGE_BEFORE = re.compile(
    r"(?<!commit )(?<!error )(?<!log )\b(?:messages?|e-?mails?|slack|announce\w*|status ?page|notif\w+|template|tweet"
    r"|sms|say|tell|inform|communicat\w+|post (?:this |it |an? \w+ )?(?:in|to|on))\b[^.]*:\W*$",
    re.IGNORECASE,
)
_RUN_BEFORE = re.compile(
    r"\b(?:run|execute|type|enter|issue|invoke|call|use|using|commands?|restart|start|stop)\b[^.]*:\W*$", re.IGNORECASE
)
_QUERY_BEFORE = re.compile(r"\b(?:prometheus|promql|query|queries|metrics?|expression|expr)\b[^.]*\W*$", re.IGNORECASE)
_SETTINGS_BEFORE = re.compile(r"\.(?:ya?ml|toml)\b|\byaml\b|\bcompose\b|\bmanifest\b", re.IGNORECASE)
_MESSAGE = re.compile(r"^\s*(?:(?:subject|to|title|from)\s*:|(?:dear|hi|hello)\b)", re.IGNORECASE)
_FIELD = re.compile(r"\[[A-Z][\w /-]*\]|\[[a-z]+(?:[ -][\w-]+)+\]|\[\w+\]")
_HTTP = re.compile(
    r"^\s*(?:GET|POST|PUT|PATCH|DELETE|HEAD)\s+(?:/|https?://|_\w|[\w.*,-]+/_\w)\S*(?:\s+HTTP/[\d.]+)?\s*$"
)
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+|set\s+)?[A-Za-z_][\w.-]*\s*=\s*(?:\S.*)?$")
_PLAIN_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|[^\s;|&]*)\s*(?:#.*)?$")
_SETTING = re.compile(
    r"^\s*(?:[A-Za-z_][\w.-]*=[^\s=(]\S*(?:\s[^=|;]*)?|[A-Za-z_][\w.-]*\s+=\s+"
    r"(?:\"[^\"]*\"|'[^']*'|\[[^\]]*\]|[\w./:%+-]+(?:,\s*[\w./:-]+)*))\s*(?:[#;].*)?$"
)
_SECTION = re.compile(r"^\s*\[{1,2}[\w .:@\"'/-]+\]{1,2}\s*(?:[#;].*)?$")
_YAML_SURE = re.compile(
    r"^(?:---\s*$|apiVersion:|kind:\s*\w|groups:\s*$|\s*-\s+(?:name|alert|job_name|apiVersion):|alert:\s*\w|"
    r"services:\s*$|version:\s*['\"]?\d|metadata:\s*$|spec:\s*$)",
    re.MULTILINE,
)
_YAML_LINE = re.compile(r"^\s*(?:-\s+)?[A-Za-z_][\w./-]*:(?:\s.*)?$|^\s*-\s+\S|^\s*#|^\s*$")
_YAML_KEY = re.compile(r"^\s*(?:-\s+)?['\"]?[a-z_][\w./-]*['\"]?:(?:\s+(?!\s)\S.*)?\s*$")
_NAME = re.compile(r"^\s*[a-z][\w.-]*\s")
_TREE = re.compile(r"^\s*[├└│┌╰╭┬─|+`]", re.MULTILINE)
_SCRIPT_START = re.compile(r"^\s*#!\s*/|^\s*(?:function\s+[\w-]+\s*(?:\(\s*\))?|[\w-]+\s*\(\s*\))\s*\{", re.MULTILINE)
_PROGRAM_START = re.compile(
    r"^(?:from [\w.]+ import |import [\w.]+(?: as \w+)?$|(?:async )?def \w+\(.*\).*:$|class \w+[^:]*:$|package \w+$"
    r"|func \w*\(|public (?:static |final )*\w+ |(?:const|let|var) \w+ = |#include\s*[<\"])",
    re.MULTILINE,
)
_SQL_WORDS = frozenset(
    "select from where and or order group having limit offset join left right inner outer on set with values union as "
    "show use kill lock call do start explain create drop alter insert update delete begin end commit case when then "
    "else returning using grant revoke analyze vacuum truncate reset check stop fetch declare copy comment".split()
)


# How much of a line is looked at to tell what it is: time must grow with the length of a line, not faster.
_BEFORE, _ROW = 300, 400


def classify(text: str, tag: str | None, before: str = "") -> str:
    """The kind of a fence from its content, its tag and the line before it."""
    lines = [row for row in text.split("\n") if row.strip()]
    if not lines:
        return "text"
    before = before[-_BEFORE:]
    by_tag = _by_tag(text, lines, tag, before) if tag else None
    return by_tag or _untagged(text, lines, before, tag)


def speaks_shell(tag: str | None) -> bool:
    """True if the tag says that ``# `` opens a comment."""
    return tag in _SHELL_TAGS and tag not in _TYPED_TAGS


def is_program(text: str, tag: str | None) -> bool:
    """True if a script is a program of another language than the shell's."""
    return tag in _PROGRAM_TAGS or (tag not in _SHELL_TAGS and _opens_program(text.split("\n")))


def _opens_program(lines: list[str]) -> bool:
    return any(_PROGRAM_START.match(row[:_ROW]) for row in lines)


def _by_tag(text: str, lines: list[str], tag: str, before: str) -> str | None:
    """What the tag says if the content bears it out; None if the content must decide."""
    if tag in _SHELL_TAGS:
        return _shell(text, lines, before, tag)
    if tag in _SQL_TAGS:
        return _sql(lines)
    if tag.startswith("{"):
        return "text"
    calls = _calls_only(text, lines)
    if tag in _PROGRAM_TAGS:
        return "shell" if calls else "script"
    if tag in _ENV_TAGS:
        return _settings(lines) or ("shell" if calls else "text")
    kind = next((kind for kind, tags in _SURE_TAGS.items() if tag in tags), None)
    if kind in ("yaml", "json", "http", "promql", "logql", "lucene"):
        if _is_request(lines):
            return "http"
        return "shell" if calls else kind
    return kind


def _sql(lines: list[str]) -> str:
    if all(row.strip().startswith("--") for row in lines):
        return "comment"
    code = [row for row in lines if not row.strip().startswith("--")]
    if all(is_shell_row(row) for row in code):
        return "shell"
    return "output" if is_output(lines) and code[0].split()[0].lower() not in _SQL_WORDS else "sql"


def is_shell_row(row: str) -> bool:
    """True if a line among SQL calls a program of the shell."""
    words = row.split()
    return words[0].lower() not in _SQL_WORDS and is_program_call(words)


def _calls_only(text: str, lines: list[str]) -> bool:
    """True if every logical line calls a program, whatever the tag says."""
    first = lines[0].split()
    code = [row for row in lines if not row.strip().startswith("#")]
    if sessions.is_prompted(lines[0]):
        return True
    if not code or not (is_program_call(code[0].split()) or (first[0] == "#" and is_program_call(code[0].split()))):
        return False
    return all(is_program_call(c.text.split()) for c in shell_lines.chunks(text) if c.kind in ("code", "unclosed"))


def _settings(lines: list[str]) -> str | None:
    """``env`` if there is nothing but assignments, their sections and comments."""
    code = [row for row in lines if not row.strip().startswith(("#", ";"))]
    settings = [row for row in code if not _SECTION.match(row[:_ROW])]
    return "env" if settings and all(_ASSIGNMENT.match(row) for row in settings) else None


def _shell(text: str, lines: list[str], before: str, tag: str | None) -> str:
    """A shell fence may hold only comments, only settings, one script, a session, queries, or what was printed."""
    if lines[0].startswith("#!"):
        return "script"
    if sessions.is_root(lines, speaks_shell(tag)):
        return "shell"
    code = [row for row in lines if not row.strip().startswith("#")]
    if not code:
        return "comment"
    session = sessions.kind_of(lines)
    if session:
        return session
    if _SCRIPT_START.search(text):
        return "script"
    return _shell_content(text, code, before)


def _shell_content(text: str, code: list[str], before: str) -> str:
    body = "\n".join(code)
    called = is_program_call(code[0].split())
    if not called:
        kind = queries.kind_of(body) or _structured(text, code) or ("output" if _opens_printed(code) else None)
        if kind:
            return kind
        if _OUTPUT_JUST_BEFORE.search(before) and not could_be_call(code[0]) and not _ASSIGNMENT.match(code[0]):
            return "output"
        if sql.starts(body) and not any(is_shell_row(row) for row in code):
            return "sql"
    if all(_PLAIN_ASSIGNMENT.match(row) for row in code):
        return "env"
    return "shell"


def _opens_printed(code: list[str]) -> bool:
    """True if a text opens with something printed, and not with a call and what it prints."""
    return is_printed(code[0]) or (is_output(code) and not re.match(r"[a-z./$]", code[0]))


def _prints_below(lines: list[str]) -> bool:
    """``shopctl list`` and a table below it: the call of a tool that nobody listed."""
    words = lines[0].split()
    return (
        len(lines) > 1
        and 1 < len(words) < 6
        and is_tool_name(words[0])
        and not is_printed(lines[0])
        and is_printed(lines[1])
    )


def _untagged(text: str, lines: list[str], before: str, tag: str | None) -> str:
    """The first test that holds decides; the order is from the surest to the weakest sign."""
    first = lines[0].strip()
    session = sessions.kind_of(lines)
    if session:
        return session
    if first.startswith("#!"):
        return "script"
    kind = _sure(text, lines, before)
    if kind:
        return kind
    if not is_program_call(first.split()) and (is_output(lines) or _says_output(before)):
        shows_settings = _are_settings(lines) and not re.search(r"\boutput|\bprint", before, re.IGNORECASE)
        return "env" if shows_settings else "output"
    if STEP.match(first) or _TREE.search(text):
        return "text"
    return _written(text, lines, before, tag)


def _sure(text: str, lines: list[str], before: str) -> str | None:
    """A prompt of root, a program, structured data, a query, or the call of a tool above what it prints."""
    if sessions.is_root(lines, tag_says_shell=False):
        return "shell"
    if _opens_program(lines) and not is_program_call(lines[0].split()):
        return "script"
    kind = _structured(text, lines) or _queried(text, lines, before)
    return kind or ("shell" if _prints_below(lines) else None)


def _says_output(before: str) -> bool:
    """True if the line before announces what is printed, and not a file, a query or the next heading."""
    if before.startswith("#"):
        return bool(_OUTPUT_HEADING.match(before))
    if _OUTPUT_JUST_BEFORE.search(before) and re.search(r"\boutput\b", before, re.IGNORECASE):
        return True
    return bool(_OUTPUT_BEFORE.search(before)) and not _SHOWN_FILE.search(before)


def _written(text: str, lines: list[str], before: str, tag: str | None) -> str:
    """Comments, commands, a message, settings, or just text."""
    code = [row for row in lines if not row.strip().startswith("#")]
    if not code:
        return "comment" if tag is None and all(row.strip().startswith("# ") for row in lines) else "text"
    if (
        _looks_like_shell(text, code)
        or _is_unlisted(text, code)
        or (_RUN_BEFORE.search(before) and _could_be_shell(code))
    ):
        return _shell(text, lines, before, None)
    if all(_SETTING.match(row[:_ROW]) or _SECTION.match(row[:_ROW]) for row in code) and any(
        "=" in row for row in code
    ):
        return "env"
    if _is_message(lines, before):
        return "message"
    return "yaml" if _is_mapping(code, before) else "text"


def _are_settings(lines: list[str]) -> bool:
    code = [row[:_ROW] for row in lines if not row.strip().startswith("#")]
    return all(_SETTING.match(row) or _SECTION.match(row) for row in code) and any("=" in row for row in code)


def _is_message(lines: list[str], before: str) -> bool:
    """A text to send: it has a head or fields to fill in, or the line before says so and it is prose."""
    said = [row for row in lines if not _SECTION.match(row[:_ROW])]
    fields = sum(len(_FIELD.findall(row)) for row in said)
    if said and _MESSAGE.match(said[0]) and (len(said) > 1 or fields):
        return True
    return fields >= 2 or bool(_MESSAGE_BEFORE.search(before) and any(len(row.split()) > 3 for row in lines))


def _structured(text: str, lines: list[str]) -> str | None:
    if _is_json(text):
        return "json"
    if _is_request(lines):
        return "http"
    if _YAML_SURE.search(text) and all(_YAML_LINE.match(row) for row in lines[:3]):
        return "yaml"
    return None


def _is_request(lines: list[str]) -> bool:
    """True if the first line that is no comment is ``GET /path``."""
    first = next((row for row in lines if not row.lstrip().startswith(("#", "//"))), "")
    return bool(_HTTP.match(first[:_ROW]))


def _is_mapping(code: list[str], before: str) -> bool:
    """True if the lines are keys and values that are nested, or that the line before calls settings."""
    if not all(_YAML_KEY.match(row) or re.match(r"^\s*-\s+\S", row) for row in code):
        return False
    nested = any(row.rstrip().endswith(":") and _depth(below) > _depth(row) for row, below in pairwise(code))
    keyed = _YAML_KEY.match(code[0]) is not None
    return keyed and (nested or bool(_SETTINGS_BEFORE.search(before)))


def _depth(row: str) -> int:
    return len(row) - len(row.lstrip())


def _queried(text: str, lines: list[str], before: str) -> str | None:
    rows = [row for row in lines if not row.strip().startswith(("#", "//"))]
    if sql.starts(re.sub(r"^(?:\s*--[^\n]*\n)+", "", text)):
        return "sql"
    if not rows or is_program_call(rows[0].split()):
        return None
    kind = queries.kind_of("\n".join(rows))
    if kind is None and _QUERY_BEFORE.search(before) and all(queries.is_expression(row) for row in rows):
        return "promql"
    return kind


def _is_json(text: str) -> bool:
    stripped = text.strip()
    if not stripped.startswith(("{", "[")) or len(stripped) > 100_000:
        return False
    try:
        json.loads(stripped)
    except (ValueError, RecursionError):
        return bool(re.match(r"^[{\[]\s*\"[\w@.-]+\"\s*:", stripped))
    return True


def _could_be_shell(code: list[str]) -> bool:
    return could_be_call(code[0]) and not is_printed(code[0]) and not _YAML_KEY.match(code[0])


def _is_unlisted(text: str, code: list[str]) -> bool:
    """True if every logical line is a call, of programs that nobody listed perhaps."""
    if not _NAME.match(code[0]):
        return False
    starts = [c.text for c in shell_lines.chunks(text) if c.kind in ("code", "unclosed")]
    return all(is_program_call(start.split()) or is_unlisted_call(start.replace("\\\n", " ")) for start in starts)


def _looks_like_shell(text: str, code: list[str]) -> bool:
    """Most logical lines call a known program (or a script), and none reads like a sentence.

    What a first call printed may stand below it, as long as it looks printed or typed.
    """
    starts = [c.text for c in shell_lines.chunks(text) if c.kind in ("code", "unclosed")]
    if not starts:
        return False
    calls = sum(_is_call(start) for start in starts)
    if calls * 2 > len(starts):
        return True
    if not calls or not is_program_call(code[0].split()) or "  " in code[0].strip():
        return False
    fitting = sum(_is_call(start) or could_be_call(start) or is_printed(start) for start in starts)
    return is_printed(starts[1]) or fitting * 2 >= len(starts)


def _is_call(start: str) -> bool:
    return is_program_call(start.split()) or bool(shell_lines.COMPOUND.match(start))
