"""What looks like a secret, without anybody having said that it is one.

Few false alarms matter as much as few misses: who reads an incident's output needs its words.
"""

import re
from typing import Any

import re2

# How much of a pattern that has only begun is kept back, in bytes: more than any real key or token has.
LONGEST = 16_384

_WORD = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|"
    r"auth[_-]?key|credentials?"
)
_TOKENS = (
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    r"\bgithub_pat_\w{30,}",
    r"\bglpat-[\w-]{20,}",
    r"\bxox[abeoprs]-[\w-]{10,}",
    r"\bxapp-[\w-]{20,}",
    r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}",
    r"\b[sr]k_(?:live|test)_\w{16,}",
    r"\bsk-(?:proj-|ant-)?[\w-]{32,}",
    r"\bAIza[\w-]{35}",
    r"\bnpm_[A-Za-z0-9]{36}",
    r"\bpypi-[\w-]{40,}",
    r"\bhv[sb]\.[\w-]{20,}",
    r"\bSG\.[\w-]{16,}\.[\w-]{30,}",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",
)
# The named group is what is masked: what stands round it tells the reader what it was.
_PEM = r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?P<pem>(?:[^-]|-[^-])+)"
_URL = r"://[^\s/:@'\"<>]*:(?P<url>[^\s/@'\"<>]+)@"
_HEADER = r"(?i:\b(?:proxy-)?authorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:[a-z]+[ \t]+)?)(?P<header>[\w.~+/=:-]{8,})"
_BEARER = r"(?i:\bbearer[ \t]+)(?P<bearer>[\w.~+/=-]{20,})"
_ASSIGNED = (
    rf"(?i:\b(?P<key>[\w.-]*(?:{_WORD}))[\"']?)(?P<sign>[ \t]{{0,8}}[=:][ \t]{{0,8}})"
    r"(?P<assigned>\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"',;&]+)"
)
_OPTION = rf"(?i:[ \t]--?[\w-]*(?:{_WORD})[ \t]+)(?P<option>[^\s\"'-][^\s\"']{{3,}})"
_ALL = "|".join([f"(?P<token>{'|'.join(_TOKENS)})", _PEM, _URL, _HEADER, _BEARER, _ASSIGNED, _OPTION])
# What may grow into one of them when more comes, to be asked of an end only.
_GROWING = (
    rf"(?:(?i:(?:{_WORD}))[\"']?[ \t]*(?:[=:][ \t]*(?:\"[^\"\n]*|'[^'\n]*|[^\s\"']*))?|"
    rf"(?i:[ \t]--?[\w-]*(?:{_WORD})[ \t]+)[^\s\"']*|(?i:bearer)[ \t]*[\w.~+/=-]*|"
    r"(?i:authorization)[\"']?[ \t]*(?:[=:][ \t]*[\"']?(?:[A-Za-z]*[ \t]+)?[\w.~+/=:-]*)?|"
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:[^-]|-[^-])*-?|"
    r"://[^\s/@'\"<>]*|-----BEGIN[A-Z0-9 ]*-{0,5}|(?:AKIA|ASIA)[0-9A-Z]*|hooks\.slack[\w./]*|"
    r"(?:gh[pousr]_|github_|glpat-|xox[a-z]?|xapp-|[sr]k[_-]|AIza|npm_|pypi-|hv[sb]\.|SG\.|eyJ)[\w.-]*)\z"
)
_STARTS = (
    "password passwd passphrase pwd secret token api_key api-key apikey access_key access-key accesskey private_key "
    "private-key privatekey secret_key secret-key auth_key auth-key credentials authorization bearer :// -----begin "
    "akia asia ghp_ gho_ ghu_ ghs_ ghr_ github_ glpat- xox xapp- hooks.slack sk_ rk_ sk- aiza npm_ pypi- hvs. hvb. sg. "
    "eyj"
).split()
_PASSWORDS = (b"password", b"passwd", b"passphrase", b"pass", b"pwd")
_BEGINNINGS = frozenset(word[:size].encode() for word in _STARTS for size in range(1, len(word) + 1))
_LONGEST_START = max(map(len, _STARTS))
_NOT_SECRET = re.compile(
    rb"[\"']?(?:[$<{\[(*%\xe2].*|/.*|~.*|\.{1,3}|(?:[x*.-]|\xe2\x80\xa2)+|(?:true|false|yes|no|on|off|none|null|nil|undefined|empty|missing|unset|"
    rb"set|required|optional|invalid|valid|expired|wrong|incorrect|ok|failed|changed|redacted|hidden|masked|unknown|"
    rb"disabled|enabled|authentication|auth|error|not|[\w.]+\(.*|is|was|the|for|and|or|has|must|with|from|in|to|of|on)\W*)[\"']?",
    re.IGNORECASE | re.DOTALL,
)


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.max_mem = 16 << 20
    return re2.compile(pattern.encode(), options)


# The fast one says where something is, the other one, asked about that alone, what in it is the secret.
_pattern, _growing = _compiled(_ALL), _compiled(_GROWING)
_parts = re.compile(_ALL.encode())


def spans(data: bytes, *, final: bool = False) -> tuple[list[tuple[int, int]], int]:
    """(start, end) of what to mask in `data`, in order; and from where on it may be more when more comes.

    `final` says that nothing will come.
    """
    found = []
    grows_from = len(data)
    for place in _pattern.finditer(data):
        start, end = place.span()
        if end == len(data):
            grows_from = start
        match = _parts.match(data, start, end)
        if match is not None and _is_secret(match, data[end : end + 1] or b"\n" * final):
            found.append(match.span(str(match.lastgroup)))
    return found, min(grows_from, _begun_at(data))


def _is_secret(match: re.Match[bytes], after: bytes) -> bool:
    name = match.lastgroup
    value = match[str(name)].strip(b"\"'")
    if name in ("token", "pem"):
        return True
    if _NOT_SECRET.fullmatch(value):
        return False
    if name != "assigned":
        return name == "url" or _mixed(value)
    if not match["key"].lower().endswith(_PASSWORDS):
        return len(value) >= 8 and (_mixed(value) or len(value) >= 24)
    is_word = b":" in match["sign"] and match["assigned"][:1] not in (b'"', b"'") and value.isalpha()
    return len(value) >= 3 and (not is_word or after in (b"\r", b"\n"))


def _mixed(value: bytes) -> bool:
    """Letters and digits, as generated values have and words have not."""
    return any(48 <= byte < 58 for byte in value) and any(byte > 58 for byte in value)


def _begun_at(data: bytes) -> int:
    """Where something begins at the end of `data` that the patterns could not know yet; its length if nothing does."""
    start = max(0, len(data) - LONGEST)
    match = _growing.search(data, start)
    if match is not None:
        return int(match.start())
    end = data[-_LONGEST_START:].lower()
    return len(data) - next((size for size in range(len(end), 0, -1) if end[-size:] in _BEGINNINGS), 0)
