"""Places in a shell text where a value would be read as code, whoever has quoted it."""

import re
from functools import lru_cache

from runbooks.compiler import quoting

ADVICE = "Rewrite the command so that the value is an argument of its own."
_CODE_OPTION = re.compile(
    r"(?:^|[\s/])(?:(?:sh|bash|zsh|dash|ksh|ash|su|runuser|script)\s(?:.*\s)?-\w*c|"
    r"(?:python[\d.]*|perl|ruby|node|php|lua|osascript)\s(?:.*\s)?-\w*[cer]|mongo(?:sh)?\s.*--eval|"
    r"(?:redis|valkey)-cli\s(?:.*\s)?eval)(?:[\s=]|$)",
    re.DOTALL | re.IGNORECASE,
)
_FILTER = re.compile(r"(?:^|[\s/])(?:awk|gawk|mawk|sed|gsed|jq|yq)\s", re.DOTALL)
_RUNS_ITS_WORDS = re.compile(
    r"(?:^|[\s/])(?:eval|ssh|watch|trap|at|batch|parallel|source)\s|^\s*\.\s|\s-(?:exec|execdir|ok|okdir)\s+['\"]?$"
)
_SSH_TARGET = re.compile(
    r"\s*(?:sudo\s+)?ssh(?:\s+-[46AaCfGgKkMNnqsTtVvXxYy]+|\s+-[BbcDEeFIiJLlmOopQRSWw]\s*\S+)*\s+[\w.-]*@?"
)
_BEGIN = r"\s*(?:(?:if|then|else|elif|while|until|do|!|\{)\s+)*(?:\w+=\S*\s+)*"
_STARTERS = r"sudo|doas|env|nohup|nice|ionice|time|timeout|setsid|stdbuf|exec|command|builtin|xargs|unbuffer|strace"
# An option of theirs that has a value of its own, so that what follows it is no program.
_VALUED = r"-[ugnpsCkhIPLdDTRr]"
_PROGRAM = re.compile(
    rf"{_BEGIN}(?:(?:{_STARTERS})(?:\s+(?:{_VALUED}\s+[^\s-]\S*|-\S+|\w+=\S*|\d[\d.]*[smhd]?))*\s+)*(?:\S*/)?['\"]?"
)
_AFTER_VALUED = re.compile(rf"\s{_VALUED}\s+['\"]?$")
_NAMES = re.compile(
    rf"{_BEGIN}(?:(?:builtin|command)\s+)?(?:(?:let|unset|read|readarray|mapfile|getopts|enable)\s|"
    r"(?:declare|typeset|local|readonly)\s(?:.*\s)?-\w*[in]|(?:printf|test|\[)\s(?:.*\s)?-v\s+['\"]?$|"
    r"(?:declare|typeset|local|readonly|export)\s(?!.*\s?\w+\+?=(?:['\"][^'\"]*|\S*)$))",
    re.DOTALL,
)
_INTEGER_TEST = re.compile(r"\s-(?:eq|ne|lt|le|gt|ge|v|R)\s")
_EXPANSION = re.compile(r"\$\{([^}]*)$")
_HARMLESS_EXPANSION = re.compile(r"!?\w+(?:\[[^\]]*\])?(?::?[-=+?]|[#%/])")
_SUBSCRIPT = re.compile(r"(?:^|[\s({])\w+\[[^\]\s]*$")
_SHELL = r"(?:ba|z|da|k|a|fi)?sh"
_INTERPRETER = rf"{_SHELL}|python[\d.]*|perl|ruby|node|php|lua|Rscript|osascript|tclsh|mongo(?:sh)?"
_CARRIER = rf"{_STARTERS}|docker|podman|nerdctl|kubectl|oc|docker-compose|su|runuser|nsenter|chroot|busybox"
_PRINTERS = re.compile(rf"{_BEGIN}(?:echo|printf|print|cat|tee)\s")
_HERE_STRING = re.compile(r"<<<\s*['\"]?[^'\"]*$")


def refusal(text: str, start: int, end: int, context: str) -> str | None:
    """How a value at `start`–`end` would become code, to follow "stands "; None if it does not."""
    if context == quoting.QUOTED_HEREDOC:
        return f"inside a quoted heredoc, where no value can be put. {ADVICE}"
    if context == quoting.ARITHMETIC or _is_arithmetic(text, start, end):
        return f"inside shell arithmetic, which evaluates what it is given. {ADVICE}"
    before = simple_command(text, start)
    if context == quoting.OPEN_HEREDOC:
        read = _is_read_as_code(text, start, end, context, before)
        return f"inside what another program reads as code. {ADVICE}" if read else None
    if _PROGRAM.fullmatch(before) and not _AFTER_VALUED.search(before):
        return "for the program itself. Write the program into the runbook."
    if _NAMES.match(before):
        return f"for a name, which the shell evaluates. {ADVICE}"
    if _RUNS_ITS_WORDS.search(before) and not (context == quoting.BARE and _SSH_TARGET.fullmatch(before)):
        return f"inside a command that another shell reads again. {ADVICE}"
    if _in_code(before, context) or _is_read_as_code(text, start, end, context, before):
        return f"inside code for another program. {ADVICE}"
    return None


def simple_command(text: str, at: int) -> str:
    """The text of the simple command up to ``at``: from the last separator outside of quotes.

    A here-document belongs to the command that opens it.
    """
    contexts = _contexts(text)
    if contexts[at : at + 1] == [quoting.OPEN_HEREDOC]:
        opened = text.rfind("<<", 0, _body_start(text, at))
        return simple_command(text, opened) + text[opened:at]
    start = 0
    for index in range(at):
        opens = text[index] in "(`" and text[index - 1 : index] != "="
        separates = text[index] in "|;&\n" or (opens and contexts[index] == quoting.BARE)
        if separates and contexts[index] == quoting.BARE and text[index - 1 : index] != "\\":
            start = index + 1
    return text[start:at]


def is_printed(before: str, context: str) -> bool:
    """Whether what stands after ``before`` goes to the next program of the pipe, or in as a here-document."""
    return bool(_PRINTERS.match(before)) or is_input(before, context)


def is_input(before: str, context: str) -> bool:
    """Whether what stands after ``before`` is what its program reads."""
    return context == quoting.OPEN_HEREDOC or bool(_HERE_STRING.search(before))


def piped_into(text: str, at: int) -> list[str]:
    """The commands that follow in the pipe of the command at ``at``."""
    contexts = _contexts(text)
    if contexts[at : at + 1] == [quoting.OPEN_HEREDOC]:
        # The pipe stands on the line that opens the here-document.
        at = text.rfind("<<", 0, _body_start(text, at))
    found: list[str] = []
    begin, depth = -1, 0
    for index in range(at, len(text)):
        letter = text[index]
        if contexts[index] != quoting.BARE or text[index - 1 : index] == "\\":
            continue
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and "|" not in (text[index - 1 : index], text[index + 1 : index + 2]):
            found += [text[begin:index]] * (begin >= 0)
            begin = index + 1
        elif letter in "|;\n" or depth < 0 or (letter == "&" and text[index - 1 : index] not in "|>"):
            return found + [text[begin:index]] * (begin >= 0)
    return found + [text[begin:]] * (begin >= 0)


@lru_cache(maxsize=4)
def _contexts(text: str) -> list[str]:
    """Asked several times for each place of one text."""
    return quoting.contexts(text)


def _body_start(text: str, at: int) -> int:
    """Where the here-document begins that ``at`` is in."""
    return max((start for start, end, _ in quoting.heredocs(text) if start <= at < end), default=at)


def starts(command: str, programs: str) -> bool:
    """Whether a command starts one of ``programs`` (a pattern), itself or through what carries it elsewhere."""
    return _started(command, programs) is not None


def _started(command: str, programs: str) -> str | None:
    """What follows the program in a command that starts one of ``programs``."""
    direct = re.match(rf"{_BEGIN}(?:\S*/)?(?:{programs})(?=\s|$)", command)
    if direct:
        return command[direct.end() :]
    carried = re.match(rf"{_BEGIN}(?:{_CARRIER})\s.*?(?<=[\s/])(?:{programs})(?=\s|$)", command, re.DOTALL)
    return command[carried.end() :] if carried else None


def _is_arithmetic(text: str, start: int, end: int) -> bool:
    head = text[:start]
    expansion = _EXPANSION.search(head)
    if expansion and not _HARMLESS_EXPANSION.match(expansion[1]):
        return True
    opened = head.rfind("[[ ")
    if opened >= 0 and "]]" not in head[opened:]:
        closed = text.find("]]", end)
        if _INTEGER_TEST.search(text[opened : closed if closed >= 0 else len(text)]):
            return True
    if re.search(r"\$\[[^\]]*$", head):
        return True
    return bool(_SUBSCRIPT.search(head) and re.match(r"[^\]\s]*\]\+?=", text[end:]))


def _in_code(before: str, context: str) -> bool:
    """True if what follows ``before`` is a program for an interpreter; SQL has checks of its own."""
    if _CODE_OPTION.search(before):
        return True
    match = _FILTER.search(before)
    return match is not None and (bool(context) or not re.search(r"['\"]", before[match.end() :]))


def _is_read_as_code(text: str, start: int, end: int, context: str, before: str) -> bool:
    """True if an interpreter reads the value: as its here-document, or from what prints it into a pipe."""
    if is_input(before, context) and _reads_code(before.split("<<", 1)[0]):
        return True
    later = piped_into(text, end if context != quoting.OPEN_HEREDOC else start)
    if any(starts(command, _SHELL) and _reads_code(command) for command in later):
        return True
    return is_printed(before, context) and any(map(_reads_code, later))


def _reads_code(command: str) -> bool:
    """Whether a command takes its program from what it reads: an interpreter without a script of its own."""
    if starts(command, "ssh|parallel|at|batch|crontab|eval|source"):
        return True
    rest = _started(command, _INTERPRETER)
    if rest is None:
        return False
    words = re.sub(r"\s[-+][oO]\s+\S+|\d*[<>]&?\s*\S+", " ", rest).split()
    if any(re.fullmatch(r"-\w*s", word) for word in words):
        return True
    # Its program stands on the command line, or in a file or module that it names.
    own = r"[^-]|-\w*c" if starts(command, _SHELL) else r"[^-]|-\w*[mce]"
    return not any(re.match(own, word) for word in words)
