"""What may not stand in a text for stakeholders, and what is still missing in it. Pure functions.

Better to refuse a harmless word than to let a host name out: the author sees which word it is.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD])
_COMMANDS = (
    "kubectl|docker|psql|pg_ctl|pg_dump|systemctl|journalctl|redis-cli|valkey-cli|sudo|ssh|scp|curl|wget|grep|awk|sed|chmod"
    "|chown|helm|terraform|ansible|nginx|iptables|tcpdump|mysql|mongosh"
)
_RULES = [
    ("a secret", r"\b(?:eyJ[\w-]{8,}\.[\w.-]+|AKIA[0-9A-Z]{12,}|gh[pousr]_\w{16,}|xox[abprs]-[\w-]{8,}|sk[-_]\w{16,})"),
    (
        "a secret",
        r"(?i)\b(?:password|passwd|pwd|secret|token|api[_-]?key|bearer)\b\s*(?:[:=]|is\b)?\s*[^\s.,;]*\d[^\s.,;]*",
    ),
    ("a secret", r"(?i)\b(?:password|passwd|pwd|secret|token|api[_-]?key)\s*[:=]\s*\S+"),
    ("a secret", r"\b(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])[\w+/-]{24,}={0,2}"),
    ("an e-mail address", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*"),
    ("a web address", r"(?i)\b(?:[a-z][a-z0-9+.-]*://\S+|www\.\S+)"),
    ("an IP address", r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?:/\d+)?"),
    ("an IP address", r"(?i)(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}(?![\w:])"),
    ("a path", r"(?<![\w/])~?/(?:[\w.-]+/)+[\w.-]*|(?<![\w/])/(?:var|etc|usr|opt|home|tmp|srv)\b"),
    ("a host name", r"(?i)\b(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z]{2,}\b(?::\d+)?"),
    ("a host name", r"(?i)\b(?=[a-z0-9-]*\d)[a-z][a-z0-9]*(?:-[a-z0-9]+)+\b"),
    ("a host name", r"(?i)\b(?:db|web|app|api|host|node|srv|server|pod|vm|pg|redis)\d+\b"),
    ("a host name", r"(?i)\blocalhost\b"),
    ("a port", r"(?<![\d:])\B:\d{2,5}\b|(?i:\bport\s+\d{2,5}\b)"),
    ("a command", rf"(?i)(?<![\w-])(?:{_COMMANDS})(?![\w-])"),
    ("a command", r"`[^`]+`|(?:^|\s)\$\s+\S+|(?:^|\s)--?[a-z][\w-]*=\S+|(?:^|\s)--[a-z][\w-]+"),
    ("a command", r"\b(?:SELECT|DELETE|UPDATE|INSERT|DROP|ALTER|TRUNCATE)\s+(?:\*|\w+)\s+\w+"),
    ("an error's name", r"\b[A-Z]\w*(?:Exception|Error)\b|\b[A-Z]{2,}_[A-Z0-9_]+\b"),
    ("an internal number", r"\bINC-\d+\b"),
]
_COMPILED = [(kind, re.compile(pattern, re.MULTILINE)) for kind, pattern in _RULES]
# Words of erpops's own templates that a rule would catch.
_HARMLESS = {"e.g", "i.e"}


@dataclass(frozen=True)
class Finding:
    """A word and what it looks like."""

    kind: str
    word: str

    @property
    def sentence(self) -> str:
        """For the author."""
        return f"“{self.word}” looks like {self.kind}."


def findings(text: str, *, names: Iterable[str] = (), internals: Iterable[str] = ()) -> list[Finding]:
    """What in `text` must not go out. `names` are people's, `internals` hosts, pods and the like."""
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    found: dict[str, Finding] = {}
    for kind, rule in _COMPILED:
        for match in rule.finditer(plain):
            word = match.group().strip()
            if word.lower() not in _HARMLESS and not any(word in seen for seen in found):
                found[word] = Finding(kind, word)
    for kind, words in (("a person's name", names), ("an internal name", internals)):
        for word in _present(plain, words):
            found.setdefault(word, Finding(kind, word))
    return list(found.values())


def secrets(text: str) -> list[Finding]:
    """Only what is a secret: not even colleagues get it."""
    return [finding for finding in findings(text) if finding.kind == "a secret"]


def _present(text: str, words: Iterable[str]) -> list[str]:
    long_enough = {word.strip().lower(): word.strip() for word in words if len(word.strip()) > 2}.values()
    return sorted(word for word in long_enough if re.search(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", text))


def gaps(text: str) -> list[str]:
    """The `[…]` that nobody filled in; not Markdown's links, tick boxes and escaped brackets."""
    return re.findall(r"(?<!\\)\[[^\[\]\n]{2,120}(?<!\\)\](?!\()", text)
