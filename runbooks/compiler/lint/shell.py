"""Shell commands: what the shell does with them before anything runs, and small tools that are used wrongly."""

import re
from collections.abc import Iterator

from runbooks.compiler import quoting
from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found, joined, row_of

_POSITIONAL = re.compile(r"(?<!\\)\$[1-9]")
_ADDRESS = re.compile(r"\b(?:curl|wget)\b[^|;&\n]*?\s(https?://[^\s\"'<>|;]*)")
_PGREP = re.compile(r"\b(?P<tool>top|htop|lsof|pidstat|strace)\b[^|;&]*\s-p\s*[\"']?(?:\$\(|`)\s*pgrep\b(?![^)`]*\s-d)")
_MTIME = re.compile(r"\bfind\b[^|;&]*\s-[mac]time\s+\+(\d+)")
_AGE = re.compile(r"\b(\d+)\s*(h|hours?|d|days?)\b", re.IGNORECASE)
_LIST_REMOVED = re.compile(
    r"(?:^|[\s;(])ls\b[^;&]*\|[^;&]*\bxargs\b(?P<options>(?:\s+-\S+(?:\s+\d+)?)*)\s+(?:sudo\s+)?rm\b"
)
_KILL = re.compile(r"(?:^|[\s;|&(])(?:p?kill|killall)\s+-(?:9|KILL|SIGKILL)\b")
_APPENDED = re.compile(
    r"\b(?:ip6?tables)\b[^|;]*?\s(?:-A|--append)\s+(?P<chain>INPUT|FORWARD|DOCKER-USER)\b[^|;]*-j\s+(?:DROP|REJECT)\b"
)
_ITSELF = re.compile(
    r"\bps\s+-?\w*[^|]*\|\s*grep\s+(?:-[iwEF]+\s+)?[\"']?(?P<what>[\w./:-]+)[\"']?\s*\|\s*"
    r"(?:wc\s+-l|awk\s+'\{\s*print\s+\$2\s*\}'\s*\|\s*xargs\s+(?:-\w+\s+)*(?:sudo\s+)?kill)"
)
_RECURSIVE = re.compile(
    r"\brm\s+(?:-\w+\s+)*-\w*[rR]\w*\s+(?:-\w+\s+)*[\"']?\$\{?(?P<name>\w+)\}?[\"']?/(?:\*|\s|$|[\"'])"
)
_OPEN_TO_ALL = re.compile(r"\bchmod\s+(?:-\w+\s+)*(?:0?777|a\+rwx|ugo\+rwx)\b")
_NOT_ROOT = re.compile(
    r"^\s*sudo\s+(?:-\S+\s+)*(?:echo|cat|printf|sed|sort|grep)\b[^|;&]*[^2&\d]>{1,2}\s*(?P<file>/(?:etc|proc|sys|usr|boot|root)/\S+)"
)
_ONTO_ITSELF = re.compile(
    r"^\s*(?:sudo\s+)?(?:cat|sort|grep|sed|awk|jq|yq|head|tail|uniq|cut|tr|envsubst)\b(?P<words>[^;&>]*)(?<![>\d&])>\s*(?P<file>[\w./-]+)\s*$"
)
_JWT = re.compile(
    r"\bcut\s+-d\s*['\"]?\.['\"]?\s+-f\s*[12]\b.*\|\s*base64\s+(?:-d|-D|--decode)\b|\bbase64\s+-d\b.*<<<.*\.\s*-f2"
)


def positional(command: Command) -> Iterator[Found]:
    """`$2a$12$…` inside double quotes: arguments of the shell, which are empty."""
    text = command["text"]
    found = [match.start() for match in _POSITIONAL.finditer(text)]
    if not found or command["kind"] not in ("shell", "http") or re.search(r"\(\)\s*\{|\bset\s+--\s|\bfunction\b", text):
        return
    around = quoting.contexts(text)
    for at in found:
        if around[at] != quoting.DOUBLE:
            continue
        name = text[at : at + 2]
        if re.match(r"\$2[aby]\$", text[at : at + 4]):
            message = "The shell expands $2… and $1… inside double quotes: the hash arrives damaged."
        else:
            message = f"The shell expands {name} inside double quotes, and it is empty here."
        yield (
            row_of(command["line"], text, at),
            "shell.expansion",
            "error",
            message,
            "Escape the dollar sign, or use single quotes.",
        )
        return


def address(command: Command) -> Iterator[Found]:
    """An address without quotes: the shell takes `&` for the end of the command and `?` for a pattern."""
    for match in _ADDRESS.finditer(command["text"]):
        at, url = match.start(1), match[1]
        line = row_of(command["line"], command["text"], at)
        following = command["text"][match.end() :]
        if re.search(r"&\w+=", url + following[:1]) or re.match(r"&\w+=", following):
            message = "The shell ends the command at the & of this address, and runs it in the background."
            yield line, "shell.unquoted-address", "error", message, "Put the address in single quotes."
        elif "?" in url:
            message = "The shell takes the ? of this address for a pattern; zsh refuses it."
            yield line, "shell.unquoted-address", "info", message, "Put the address in single quotes."


def list_of_processes(command: Command) -> Iterator[Found]:
    if match := _PGREP.search(command["text"]):
        message = f"pgrep prints a number a line; {match['tool']} -p wants commas, and fails with two processes."
        yield command["line"], "shell.pgrep-list", "warning", message, "Write pgrep -d, NAME."


def age(command: Command) -> Iterator[Found]:
    """`-mtime +1` is more than two days, not more than one."""
    match = _MTIME.search(command["text"])
    if match is None:
        return
    days = int(match[1])
    notes = [note["text"] for note in command["notes"]] + [each["text"] for each in command["expected"]]
    for said in [command["label"] or "", *notes]:
        for number, unit in _AGE.findall(said):
            hours = int(number) * (1 if unit.lower().startswith("h") else 24)
            if days and hours == days * 24 and hours <= 48:
                message = (
                    f"find -mtime +{days} means older than {(days + 1) * 24} hours, and the text says {number} {unit}."
                )
                use = f"Write -mmin +{hours * 60}, or -mtime +{days - 1}."
                yield command["line"], "find.age", "warning", message, use
                return


def removed_from_list(command: Command) -> Iterator[Found]:
    if match := _LIST_REMOVED.search(joined(command["text"])):
        if re.search(r"-d|-0|-I", match["options"]):
            return
        message = "With no file left rm fails, and a name with a space in it removes something else."
        yield command["line"], "shell.ls-xargs", "info", message, "Use find with -delete, or xargs -r -d '\\n' rm."


def killed(command: Command) -> Iterator[Found]:
    if _KILL.search(command["text"]):
        message = "kill -9 lets no process finish or clean up."
        yield command["line"], "shell.kill-9", "info", message, "Send TERM first, and KILL only to what is still there."


def appended(command: Command) -> Iterator[Found]:
    if match := _APPENDED.search(command["text"]):
        message = f"This puts the rule behind those that already accept, where {match['chain']} may never reach it."
        yield command["line"], "shell.iptables-order", "warning", message, "Insert it with -I."


def itself(command: Command) -> Iterator[Found]:
    if (match := _ITSELF.search(command["text"])) and "grep -v" not in command["text"]:
        message = f"The list holds this grep too, because {match['what']} stands in its own command line."
        yield command["line"], "shell.finds-itself", "warning", message, "Use pgrep, or pkill."


def removed_below(command: Command) -> Iterator[Found]:
    match = _RECURSIVE.search(command["text"])
    if match and any(each["notation"] == "env" and each["name"] == match["name"] for each in command["parameters"]):
        message = f"If {match['name']} is empty, this removes from the root of the disk."
        yield (
            command["line"],
            "shell.rm-variable",
            "warning",
            message,
            f"Write ${{{match['name']}:?}}, which stops when it is empty.",
        )


def open_to_all(command: Command) -> Iterator[Found]:
    if _OPEN_TO_ALL.search(command["text"]):
        message = "Everybody on the machine may write there afterwards."
        yield command["line"], "shell.open-to-all", "warning", message, "Give the rights to the one who needs them."


def not_root(command: Command) -> Iterator[Found]:
    if match := _NOT_ROOT.search(command["text"]):
        message = f"sudo does not reach behind the >: {match['file']} is opened without it."
        yield command["line"], "shell.sudo-redirect", "error", message, "Write … | sudo tee FILE."


def onto_itself(command: Command) -> Iterator[Found]:
    match = _ONTO_ITSELF.match(joined(command["text"]))
    if match and match["file"] in match["words"].split() and "tee" not in match["words"]:
        message = f"The shell empties {match['file']} before anything reads it."
        yield command["line"], "shell.reads-and-writes", "error", message, "Write to another file and move it."


def token_part(command: Command) -> Iterator[Found]:
    if _JWT.search(command["text"]):
        message = "A part of a token is base64url without padding: base64 -d stops or drops its end."
        yield (
            command["line"],
            "shell.token-base64",
            "warning",
            message,
            "Use jq -R 'split(\".\")[1] | @base64d', or a tool for tokens.",
        )


CHECKS = (
    (("$",), positional),
    (("http",), address),
    (("pgrep",), list_of_processes),
    (("time +",), age),
    (("xargs",), removed_from_list),
    (("kill",), killed),
    (("tables",), appended),
    (("grep",), itself),
    (("rm ",), removed_below),
    (("chmod",), open_to_all),
    (("sudo",), not_root),
    ((">",), onto_itself),
    (("base64",), token_part),
)
