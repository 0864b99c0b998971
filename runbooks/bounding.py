"""Bounded forms of programs that need a terminal to show what they repeat for ever. Pure.

What needs none and never ends (`tail -f`, `ping`, `kubectl get -w`) stays as it is: it is watched for a while and
ended. These would refuse to start, or paint a screen.
"""

import re
from collections.abc import Callable

# In front of a program: what only starts it, such as the container that it is to run in.
_IN_CONTAINER = (
    r"(?:docker(?:[ \t]+compose)?|docker-compose|podman|nerdctl)[ \t]+exec[ \t]+(?:-\S+[ \t]+)*[\w.-]+[ \t]+"
    r"|(?:kubectl|oc)[ \t]+exec[ \t][^|;&\n'\"]*?[ \t]--[ \t]+"
)
_AT_COMMAND = rf"(?P<lead>(?:^|[|;&({{\n])\s*(?:(?:sudo|time|command)\s+|{_IN_CONTAINER})*)"
_REST = r"(?P<rest>(?:'[^']*'|\"[^\"]*\"|[^|;&\n'\"])*)"
_LONGEST_PAUSE = 5


def _with(options: str, unless: str) -> Callable[[re.Match[str]], str]:
    """Put options behind the program, unless the text has asked for a bounded form itself."""
    there = re.compile(rf"(?:^|\s)(?:{unless})(?:[=\s\d]|$)")

    def put(match: re.Match[str]) -> str:
        if there.search(match["rest"]):
            return match.group()
        return f"{match['lead']}{match['program']} {options}{match['rest']}"

    return put


def _repeated(match: re.Match[str]) -> str:
    """`watch -n 5 command` as a loop, which needs no screen."""
    options = re.match(r"(?:\s+(?:-n\s*|--interval[=\s])\d+(?:\.\d+)?|\s+-[a-zA-Z-]+)*", match["rest"])
    assert options is not None
    command = match["rest"][options.end() :].strip()
    if not command:
        return match.group()
    if quoted := re.fullmatch(r"'([^']*)'|\"([^\"$`\\]*)\"", command):
        command = quoted[1] or quoted[2]
    pause = re.search(r"(?:-n\s*|--interval[=\s])(\d+)", options.group())
    seconds = min(max(int(pause[1]) if pause else 2, 1), _LONGEST_PAUSE)
    return f"{match['lead']}while :; do {command}; echo; sleep {seconds}; done"


# (program, how it is bounded, what is told)
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str], str], ...] = tuple(
    (re.compile(_AT_COMMAND + rf"(?P<program>{program})(?=\s|$)" + _REST), change, told)
    for program, change, told in (
        (r"top", _with("-b -n 1", r"-\w*b\w*"), "No screen here: top prints its table once (-b -n 1)."),
        (r"iotop", _with("-b -n 2", r"-\w*b\w*|--batch"), "No screen here: iotop prints its table twice (-b -n 2)."),
        (r"mtr", _with("-r -c 5", r"-\w*[rc]\w*|--report\S*"), "No screen here: mtr prints a report of five rounds."),
        (
            r"(?:docker(?:\s+(?:container|compose))?|podman|docker-compose)\s+stats",
            _with("--no-stream", r"--no-stream"),
            "One reading of every container (--no-stream).",
        ),
        (
            r"(?:go\s+tool\s+)?pprof",
            _with(
                "-top",
                r"-(?:top|text|list|tree|traces|peek|raw|proto|dot|svg|png|pdf|gif|ps|web|weblist|http|disasm|tags)",
            ),
            "No prompt here: pprof prints its table (-top).",
        ),
        (r"watch", _repeated, "No screen here: the command is repeated, one result below the other."),
    )
)


def bounded(text: str) -> tuple[str, list[str]]:
    """`text` with bounded forms, and what was done in sentences."""
    told = []
    for pattern, change, sentence in _FORMS:
        changed = pattern.sub(change, text)
        if changed != text:
            text = changed
            told.append(sentence)
    return text, told
