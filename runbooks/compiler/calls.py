"""Whether some words are the call of a program, and not a sentence or a name."""

import re

from runbooks.compiler import programs

# Programs whose names are English words: their arguments must look like arguments.
_ENGLISH = frozenset(
    "find test date time watch sort who last kill cut join split make service wait at host install file import type "
    "set read move help look node command source history exec man more less view top which let ls echo w id free "
    "env uniq head tail print patch apply expand fold paste yes true false link mail write wall talk mount screen "
    "script alias trap".split()
)
_WRAPPERS = frozenset("sudo doas time watch nohup timeout env exec command nice".split())
# Programs that no table lists but that everybody types.
_ALWAYS = frozenset("ssh curl wget psql redis-cli valkey-cli mysql bash sh python python3 sudo".split())
SENTENCE = frozenset(
    "a an the and or is are was were be to of for on in with that which should can could will would must may has have "
    "had does do did not if when then shows show returns fails failed cannot it this as by from out so but because "
    "uses used runs via".split()
)
_SPEAKS = frozenset("echo printf man test say logger help which type export grep".split())
_ARGUMENT = re.compile(r"^[-./~$\"'<{|&>\d]|[=/|*]|\.\w")
_PATH = re.compile(r"(?:\./|\.\./|~/|/|\$\{?\w+\}?/)[\w./@{}$<>-]*[\w}>]")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_OPTION = re.compile(r"(?:^|\s)--?[A-Za-z][\w-]*")
_SIGN = re.compile(
    r"(?:^|\s)--?[A-Za-z][\w-]*(?=[\s=]|$)|\s<[A-Za-z][\w .-]*>(?:\s|$)|\s[\"']?\$\{?\w|\s/[\w.-]+/|\s'[^']+'(?:\s|$)"
)
_NAME = re.compile(r"[a-z][a-z0-9_.-]*(?:\.sh)?")


def is_program_call(words: list[str]) -> bool:
    """True if these words look like a call of a known program and not like an English sentence."""
    while words and _ASSIGNED.match(words[0]):
        words = words[1:]
    if not words:
        return False
    name, rest = words[0], words[1:]
    if name.startswith(("./", "/", "../", "~/", "$")):
        return _is_script(name)
    if rest and rest[0].lower() in SENTENCE and name not in _SPEAKS:
        return False
    if name in _WRAPPERS and rest and is_program_call(rest):
        return True
    if name in _ALWAYS:
        return bool(rest)
    return programs.known(name) and _fits(name, rest)


def _fits(name: str, rest: list[str]) -> bool:
    """True if the arguments of a program whose name is an English word are no sentence."""
    if name == "make":
        return len(rest) < 3 and "sure" not in rest
    return name not in _ENGLISH or not rest or any(_ARGUMENT.search(word) for word in rest)


def _is_script(name: str) -> bool:
    """``./deploy.sh``, ``/usr/bin/x``, ``$HOME/bin/x``; not a mere directory or file of settings."""
    if not _PATH.fullmatch(name):
        return False
    return name.startswith(("./", "../")) or "/bin/" in name or "/sbin/" in name or name.endswith((".sh", ".py"))


def is_tool_name(word: str) -> bool:
    """True for ``shop-admin``, ``shopctl``, ``shopcli``: words that no sentence begins with."""
    return bool(re.fullmatch(r"[a-z]\w*[-_][\w-]+|[a-z][\w-]*(?:ctl|cli)", word))


def is_unlisted_call(text: str) -> bool:
    """True for a line that a program nobody listed is called by: a name, and an option, placeholder or variable."""
    words = text.split()
    if len(words) < 2 or not _NAME.fullmatch(words[0]) or words[1].lower() in SENTENCE:
        return False
    return not text.rstrip().endswith((".", ":", "!", "?", ";", "{", ",")) and bool(_SIGN.search(text))


def could_be_call(text: str) -> bool:
    """True if a line may be the call of a program that no table lists: a name, and arguments that no sentence has."""
    words = text.split()
    if not words or text.rstrip().endswith((".", ":", "!", "?")):
        return False
    if is_program_call(words):
        return True
    plain = bool(_NAME.fullmatch(words[0])) and (len(words) == 1 or words[1].lower() not in SENTENCE)
    return plain and len(words) > 1 and bool(_OPTION.search(text) or _ARGUMENT.search(words[1]))
