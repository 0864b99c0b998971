"""Lines that a program printed: tables, logs, errors, stack traces, answers of servers."""

import re

_LINE = re.compile(
    r"""^(?:
      [A-Z][A-Z0-9_%()/-]*(?:\ [A-Z0-9()]+)?(?:[ ]{2,}|\t|[ ]\|[ ])\s*[A-Z][A-Z0-9_%()/-]*(?:\s|$)
    | Filesystem\s+\S | total\s\d+$ | Proto\s+Recv-Q | procs\s-+ | Name\s{2,}Command
    | \s*-{2,}(?:\+-+)+\s*$ | \+[-=]{2,}(?:\+[-=]+)*\+\s*$ | \+\s[^+]*-\+[-+]*$
    | \(\d+\ rows?\)\s*$ | \d+\ rows?\ in\ set
    | [dlbcps-][rwxsStT-]{9}[.+@]?\s
    | HTTP/\d(?:\.\d)?\s+\d{3} | <\ HTTP/\d | >\ (?:GET|POST)\ /
    | \{"\w | \[\{"
    | \[?\d{4}[-/]\d\d[-/]\d\d[T\ _]\d\d:\d\d | (?:[A-Z][a-z]{2}\s){0,1}[A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d\s
    | [IWEF]\d{4}\s\d\d:\d\d:\d\d | \[\s*\d+\.\d{4,}\]\s
    | \d{1,3}(?:\.\d{1,3}){3}\s-\s\S+\s\[ | \d\d:\d\d:\d\d(?:[.,]\d+)?\s+\S
    | (?:(?:ts|time|level|lvl|t)=\S+\s+){1,}.*\b(?:msg|message|level|caller|err|error)=
    | (?:ERROR|FATAL|PANIC|CRITICAL|WARN|WARNING|NOTICE|INFO|DEBUG|HINT|DETAIL|LOG|STATEMENT)\s*(?::\s|\s\[|\s\d+\s)
    | \[(?:ERROR|FATAL|WARN|WARNING|INFO|DEBUG|error|warn|info)\]\s
    | (?:Error|error|fatal|panic|ERRO|FATA|Warning):?\s(?:from\ server|\S+:|:)?.*:\s | (?:panic|fatal|error):\s\S
    | (?:Error|Fatal|Warning|Uncaught\ \w+):\s[A-Z] | [a-z_]+(?:\s{3,}[a-z_]+)+\s*$
    | Traceback\ \(most | Exception\ in\ thread | Caused\ by:\s | goroutine\ \d+\ \[ | \s+at\ [\w.$<>/]+\( | \s+File\ "
    | (?:[a-z]\w*\.)*[A-Z]\w*(?:Error|Exception)(?::\s|$)
    | [\w./-]+:\s(?:line\ \d+:\s)?.*(?:not\ found|[Nn]o\ such\ file|[Pp]ermission\ denied|refused|timed\ out)
    | [a-z][\w.-]*:\s[A-Z]
    | curl:\s\(\d+\)\s | ssh:\s\S+ | PING\s\S+\s\( | \d+\ bytes\ from\s
    | [●○×]\s\S+\.(?:service|timer|socket) | \s+(?:Loaded|Active|Main\ PID|Tasks|CGroup):\s
    | [a-z][a-z0-9.]*/[\w.-]+\s(?:created|configured|restarted|scaled|deleted|patched|unchanged|condition\ met|cordoned
        |uncordoned|labeled|annotated|evicted|drained|(?:image|env)\ updated|rolled\ back|serverside-applied)
    | (?:pod|node|deployment|service|job|configmap|secret)\s"[\w.-]+"\s(?:force\ )?(?:deleted|created)
    | (?:deployment|statefulset|daemon\ set)\s"[^"]+"\ssuccessfully\srolled | Waiting\ for\ (?:deployment|rollout)
    | [A-Z][\w ()/-]{0,30}:[ ]{2,}\S
    )""",
    re.VERBOSE,
)


def is_printed(row: str) -> bool:
    """True if this line carries the marks of something printed and could not be typed."""
    return bool(_LINE.match(row[:400]))


def is_output(rows: list[str]) -> bool:
    """True if a text opens with something printed; a table may have its rule in the second or third line."""
    ruled = any(_RULE.match(row) for row in rows[1:3]) or any(_COUNTED.match(row) for row in rows[-2:])
    return ruled or any(is_printed(row) for row in rows[:2])


_RULE = re.compile(r"^\s*(?:-{2,}(?:\+-+)+|-{3,}(?:\s+-{3,})+|\+[-=]{2,}(?:\+[-=]+)*\+)\s*$")
_COUNTED = re.compile(r"^\s*\(\d+ rows?\)\s*$")
