"""Values that a text leaves open: where they stand, how they are written, what type they are."""

import re
from collections.abc import Iterable, Iterator

from runbooks.compiler import shell
from runbooks.compiler.contract import Parameter

# The patterns of literals take time that grows with the square of the text; real commands are far shorter.
LITERALS_IN = 8_000
WELL_KNOWN = frozenset(
    "HOME PATH PWD OLDPWD HOSTNAME RANDOM SECONDS LINENO UID EUID SHELL IFS TERM LANG TMPDIR USER LOGNAME BASH_SOURCE "
    "PIPESTATUS EPOCHSECONDS PPID OSTYPE BASH_VERSION".split()
)
BRACKET = re.compile(r"(?<![\w\]!])\[(?!\s?\]|[xX ]\])([A-Za-z][^\[\]\n]{1,60})\](?![(\[:])")
_SHELL_BRACKET = re.compile(r"(?<=\s)\[([A-Za-z][\w-]*(?:\|[\w-]+)*)\](?=\s|$)")
_BRACES = re.compile(r"(?<![$%\w{\\'\"`])\{([a-z][a-z0-9]*(?:[_-][a-z0-9]+)*|[A-Z][A-Z0-9_]+)\}(?![\w}])")
_GO_WORDS = re.compile(r"^(?:range|end|if|else|with|json|printf|template|define|block|index|len)\b|\s\.|^\.")
_NOUNS = (
    "container|pod|service|node|host|namespace|user|db|database|table|index|queue|bucket|instance|cluster|deployment|resource|"
    "process|file|image|volume|network|topic|app|server|key|group|role|job|stack|release|repo|branch|customer|order|product|"
    "tenant|session|request|trace|task|vm|device|domain|project|account"
)
_ENDS = (
    "IP|HOST|HOSTNAME|TOKEN|NAME|ID|PID|PASSWORD|SECRET|KEY|USER|USERNAME|URL|DOMAIN|ADDRESS|NAMESPACE|POD|NODE|CLUSTER|"
    "REGION|BUCKET|VERSION|DATE|TIMESTAMP|PATH|FILE|EMAIL|PORT|DB|DATABASE|SERVICE|CONTAINER|INSTANCE|VALUE|HERE"
)
_EDGE = r"(?<![\w$./{{-]){}(?![\w=(-])"
# (pattern, type or "") of literals that stand for a real value; group 1 or the whole match is the name
_LITERALS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*"), "secret"),
    (
        re.compile(
            r"[\w.+-]+@(?:[\w-]+\.)*(?:example|yourdomain|your-?company|mydomain|domain|acme)\.(?:com|org|net|io)\b"
        ),
        "email",
    ),
    (
        re.compile(
            r"(?<![@\w.-])(?:[\w-]+\.)*(?:example|yourdomain|your-domain|your-?company|mydomain)\.(?:com|org|net|io|local)\b"
        ),
        "host",
    ),
    (re.compile(r"(?<![\w$./-])(?:your|some)(?:[-_.][A-Za-z0-9]+)+(?![\w=])", re.IGNORECASE), ""),
    (re.compile(_EDGE.format(rf"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:{_ENDS})")), ""),
    (re.compile(_EDGE.format(r"(?:NAMESPACE|POD_?NAME|HOSTNAME|PODNAME|CONTAINER|USERNAME|PASSWORD)")), ""),
    (re.compile(rf"(?<![\w$.,/=(-])(?:{_NOUNS})[-_](?:name|id|ip|uuid)(?![\w=.,/(\"'-]*[=:(])(?!\w)"), ""),
    (re.compile(r"(?<=['\"])uuid(?=['\"])"), "text"),
    (re.compile(r"(?<=['\"])(?:new|old)?[-_]?passw(?:or)?d(?=['\"])(?!\"\s*:)"), "secret"),
    (re.compile(r"(?<![\w.])(?:1\.2\.3\.4|x\.x\.x\.x|(?:203\.0\.113|198\.51\.100|192\.0\.2)\.\d{1,3})(?![\w.])"), "ip"),
    (
        re.compile(
            r"(?<![\w-])[\w.-]*20\d\d[-_]?[01]\d[-_]?[0-3]\d[\w.-]*\.(?:sql|gz|tar|dump|bak|zip|log|prof|tgz|json|csv)[\w.]*"
        ),
        "text",
    ),
    (re.compile(r"(?<![\w-])20\d\d-[01]\d-[0-3]\d(?:[T ]\d\d:\d\d(?::\d\d)?Z?)?(?![\w-])"), "timestamp"),
    (re.compile(r"(?<![\w.])[A-Za-z]+_1[5-9]\d{8}(?:\.\w+)+\b"), "text"),
    (re.compile(r"(?<![\w-])[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[0-9a-f]{8,10}-[a-z0-9]{5}(?![\w-])"), "pod"),
    (re.compile(r"(?<![\w.-])(?:12345|1234|123456)(?![\w.])"), ""),
    (re.compile(r"(?<![\w.-])[xX]{3,}(?![\w-])"), "text"),
)
Mark = tuple[int, str, str, str]
_SQL_CLIENTS = frozenset(["psql", "mysql", "mariadb", "sqlite3", "clickhouse-client", "cqlsh"])
_NO_LITERALS = frozenset(["grep", "egrep", "printenv", "unset", "export", "echo"])

_TYPES: tuple[tuple[str, str], ...] = (
    (r"(?:^|[-_ ])(?:ip|cidr)(?:$|[-_ ](?!set))|ip[-_ ]?addr", "ip"),
    (r"(?:^|[-_ ])pids?(?:$|[-_ ])|process[-_ ]?id", "pid"),
    (r"token|secret|passw|credential|api[-_ ]?key|private|jwt", "secret"),
    (r"e-?mail", "email"),
    (r"(?:^|[-_ ])pods?(?:$|[-_ ])", "pod"),
    (r"container", "container"),
    (r"revision", "revision"),
    (r"timestamp|(?:^|[-_ ])(?:date|time|since|until|start|end|when)(?:$|[-_ ])", "timestamp"),
    (r"duration|timeout|interval|(?:^|[-_ ])(?:ttl|seconds|minutes|hours)(?:$|[-_ ])", "duration"),
    (r"host|domain|server|(?:^|[-_ ])(?:node|url|endpoint|fqdn)(?:$|[-_ ])", "host"),
    (r"(?:^|[-_ ])(?:port|count|number|num|replicas|size|limit|n|percent|threshold)(?:$|[-_ ])", "number"),
)
_PLACES: tuple[tuple[str, str], ...] = (
    (r"(?:kill(?:\s+-\w+)*|pg_terminate_backend\(|pg_cancel_backend\(|-p|/proc/)\s*$", "pid"),
    (r"--to-revision[= ]$", "revision"),
    (r"\bkubectl\b.*\b(?:exec|logs|pods?/?|attach)\b(?:\s+-(?![nlc]\b)\w+)*\s*$", "pod"),
    (r"\bdocker\s+(?:exec|logs|inspect|restart|stop|start|rm|stats|top)\b(?:\s+-[\w-]+)*\s*$", "container"),
    (r"\b(?:ssh|ping|dig|nslookup|traceroute)\b(?:\s+-\w+)*\s*(?:\w+@)?$", "host"),
    (r"--(?:since|timeout|grace-period)[= ]$", "duration"),
    (r"--(?:replicas|tail|limit)[= ]$", "number"),
)


def type_of(name: str, before: str = "") -> str:
    """The type of a value by its name, else by the text before its place, else ``text``."""
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    for pattern, kind in _TYPES:
        if re.search(pattern, lowered):
            return kind
    for pattern, kind in _PLACES:
        if re.search(pattern, before):
            return kind
    return "text"


def find(
    text: str,
    *,
    line: int,
    variables: Iterable[shell.Variable] = (),
    assigned: Iterable[str] = (),
    language: str = "shell",
    programs: Iterable[str] = (),
) -> list[Parameter]:
    """The parameters of one command, in order of appearance, each name once.

    ``line`` is the command's first line; ``variables`` are those its grammar found (rows relative to
    it), ``assigned`` those that its fence sets itself.
    """
    marks = [*_angles(text), *_templates(text, language)]
    if language == "shell":
        marks += [(m.start(), m.group(1), "bracket", "") for m in shell.CHOICE.finditer(text)]
        marks += [(m.start(), m.group(1), "bracket", "") for m in _SHELL_BRACKET.finditer(text)]
    if language == "message":
        marks += [(m.start(), m.group(1), "bracket", "") for m in BRACKET.finditer(text)]
    elif language != "query":
        marks += _plausible(text, list(_literals(text)), language, frozenset(programs))
    found = {mark[1]: _parameter(text, mark, line) for mark in sorted(marks, reverse=True)}
    for variable in variables:
        if variable.name not in found and _asked_for(variable.name, set(assigned)):
            found[variable.name] = _env(variable, line)
    return sorted(found.values(), key=lambda p: (p["line"], text.find(p["name"])))


def _plausible(text: str, marks: list[Mark], language: str, programs: frozenset[str]) -> list[Mark]:
    """Leave out what only looks like an example: column names in SQL, patterns of a search."""
    in_sql = language == "sql" or bool(_SQL_CLIENTS & programs)
    out = []
    for mark in marks:
        at, name = mark[0], mark[1]
        quoted = text[at - 1 : at] == "'" or text[at + len(name) : at + len(name) + 1] == "'"
        if in_sql and re.fullmatch(r"\w+", name) and not quoted:
            continue
        if _NO_LITERALS & programs and name.isupper():
            continue
        ssh = mark[3] == "email" and bool({"ssh", "scp"} & programs)
        out.append((at, name, mark[2], "host") if ssh else mark)
    return out


def _asked_for(name: str, assigned: set[str]) -> bool:
    return bool(re.fullmatch(r"[A-Za-z_]\w*", name)) and name not in WELL_KNOWN and name not in assigned


def _env(variable: shell.Variable, line: int) -> Parameter:
    out: Parameter = {
        "name": variable.name,
        "notation": "env",
        "type": type_of(variable.name),
        "line": line + variable.row,
    }
    if variable.default is not None:
        out["default"] = variable.default
    return out


def _parameter(text: str, mark: Mark, line: int) -> Parameter:
    at, name, notation, kind = mark
    row = text.count("\n", 0, at)
    before = text[text.rfind("\n", 0, at) + 1 : at].rstrip("'\"")
    out: Parameter = {
        "name": name,
        "notation": notation,
        "type": kind or type_of(name, before),
        "line": line + row,
    }
    if notation == "literal":
        out["default"] = name
    return out


def _angles(text: str) -> Iterator[Mark]:
    for match in shell.ANGLE.finditer(text):
        name = (match.group(1) or match.group(2)).strip()
        yield match.start(), name, "angle", ""


def _templates(text: str, language: str) -> Iterator[Mark]:
    for match in shell.TEMPLATE.finditer(text):
        name = match.group(1).strip()
        if not _GO_WORDS.search(name):
            yield match.start(), name, "template", ""
    if language == "shell":
        for match in _BRACES.finditer(text):
            yield match.start(), match.group(1), "template", ""


def _literals(text: str) -> Iterator[Mark]:
    """Literals that stand for a value; a longer match hides the ones inside it."""
    if len(text) > LITERALS_IN:
        return
    taken = [(m.start(), m.end()) for m in shell.ANGLE.finditer(text)]
    for pattern, kind in _LITERALS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < e and s < end for s, e in taken):
                continue
            taken.append((start, end))
            yield start, match.group(), "literal", kind


def message_fields(text: str, line: int) -> list[Parameter]:
    """The fields of a message template."""
    return find(text, line=line, language="message")
