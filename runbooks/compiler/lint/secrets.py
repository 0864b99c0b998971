"""Secrets in the text, on command lines, and in what commands print."""

import re
from collections.abc import Iterator, Sequence

from runbooks.compiler import flags
from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found

_KEYS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?!\s*(?:\.\.\.|…|<))|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|"
    r"\bgithub_pat_\w{40,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bsk_live_\w{16,}|\bAIza[\w-]{35}\b|"
    r"\bnpm_[A-Za-z0-9]{36}\b|\bSG\.[\w-]{20,}\.[\w-]{30,}|hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}|"
    r"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}"
)
_WORDS = (
    "-----BEGIN",
    "AKIA",
    "gh",
    "glpat",
    "xox",
    "sk_live",
    "AIza",
    "npm_",
    "SG.",
    "hooks.slack",
    "eyJ",
    "://",
    "Bearer",
    "Basic ",
)
_IN_URL = re.compile(r"\b[a-z][\w+.-]*://(?P<user>[^\s:/@'\"<>$\[{]+):(?P<value>[^\s@/'\"<>${}\[*]{3,})@[\w.-]+")
_NO_HOST = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|(?:company|domain|yourdomain)\.com|host(?:name)?)(?![\w.])"
)
_IN_HEADER = re.compile(r"\bAuthorization:\s*(?:Bearer|Basic|Token)\s+(?P<value>[\w.=+/-]{12,})", re.IGNORECASE)
_IN_QUERY = re.compile(r"[?&](?:access_token|api_?key|token|secret|password)=(?P<value>[\w.-]{12,})", re.IGNORECASE)
_VALUE = r"(?![\"']?(?:[$<{\[*]|\\\$))[\"']?(?P<value>[^\s\"']+)"
_ON_LINE = tuple(
    re.compile(pattern.replace("VALUE", _VALUE))
    for pattern in (
        r"(?:^|\s)(?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;]*?\s(?:-p(?!ort)(?=\S)|--password=)VALUE",
        r"\b(?:PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH|SSHPASS|VAULT_TOKEN|ANSIBLE_VAULT_PASSWORD)=VALUE",
        r"\b(?:redis|valkey)-cli\b[^|;]*?\s-a\s+VALUE",
        r"\bcurl\b[^|;]*?\s(?:-u|--user)[ =]?[\"']?[\w.@-]+:(?![$<{\[*])(?P<value>[^\s\"']+)",
        r"\bsshpass\s+-p\s*VALUE",
        r"\b(?:mongo|mongosh|mongodump|mongorestore)\b[^|;]*?\s(?:-p\s+|--password[= ])VALUE",
        r"\bldap(?:search|modify|add|delete)\b[^|;]*?\s-w\s+VALUE",
        r"\bdocker\s+login\b[^|;]*?\s(?:-p\s*|--password[= ])VALUE",
        r"\baz\s+login\b[^|;]*?\s(?:-p\s+|--password[= ])VALUE",
        r"\bopenssl\b[^|;]*?\s-pass(?:in|out)?\s+pass:VALUE",
        r"\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+VALUE",
        r"\brabbitmqctl\s+(?:add_user|change_password)\s+\S+\s+VALUE",
        r"\becho\s+(?:-n\s+)?VALUE\s*\|\s*(?:sudo\s+-S|docker\s+login|passwd\s+--stdin|base64\s*\|\s*kubectl)",
        r"\bkubectl\s+create\s+secret\s+generic\b[^|;]*?--from-literal=\w*(?:pass|secret|token|key)\w*=VALUE",
    )
)
# Words that stand for a secret; nobody logs in with them.
_STANDS_FOR = re.compile(
    r"(?:your|my|the|some|new|old|example|sample|fake|dummy|test|change|insert|replace)?[-_.]?\w*"
    r"(?:pass(?:word|wd)?|pw|pwd|secret|token|api[-_]?key|credentials?|example|changeme|placeholder|redacted|hidden)\w*|"
    r"x{3,}|\*+|\.{3}|…|user\w*|test\w*|foo|bar|abc\w*|(?-i:[A-Z][A-Z0-9_]+)|-\S*|/\S+|(.)\1{3,}.*",
    re.IGNORECASE,
)
# What prints secrets beside what the table of programs knows.
_PRINTS = re.compile(
    r"(?:^|[|;&(]\s*|--\s+)(?:sudo\s+)?(?:"
    r"(?:set|declare|export)\s*\|\s*grep|(?:cat|less|more|head|tail|bat)\s+[^|;&]*(?:\.aws/credentials|\.kube/config|kubeconfig|/environ\b"
    r"|\.(?:pgpass|my\.cnf|netrc|npmrc|pypirc|dockercfg|git-credentials)|\.docker/config\.json|wp-config\.php|/shadow\b|id_(?:rsa|ed25519|ecdsa)(?!\.pub)"
    r"|secrets?\.(?:ya?ml|json|env|txt)|credentials(?:\.(?:json|csv|xml))?\b|\.env\.\w+)"
    r"|kubectl\s+config\s+view\b[^|;&]*--raw|gcloud\s+secrets\s+versions\s+access|gcloud\s+auth\s+print-\w+-token"
    r"|az\s+keyvault\s+secret\s+show|az\s+account\s+get-access-token|aws\s+configure\s+(?:get|export-credentials)|op\s+(?:read|item\s+get)"
    r"|pass\s+show|heroku\s+config|systemctl\s+show\b[^|;&]*Environment|systemctl\s+show-environment|ps\s+(?:aux?e|eww?|axe)\w*"
    r"|(?:redis|valkey)-cli\b[^|;&]*CONFIG\s+GET\s+(?:requirepass|masterauth|\*)|(?:strings|xargs\s+-0[^|;&]*)\s+[^|;&]*/proc/\S+/environ|history(?:\s|$)"
    r"|(?:ansible-vault|sops)\s+(?:view|decrypt|-d)|gpg\s+[^|;&]*(?:-d|--decrypt)\b|rails\s+credentials:show|vault\s+(?:read|kv\s+get)\b"
    r")"
)


def of_lines(lines: Sequence[str]) -> Iterator[Found]:
    """Keys and passwords anywhere in the text."""
    for number, line in enumerate(lines, 1):
        if not any(word in line for word in _WORDS) and "=" not in line:
            continue
        if (match := _KEYS.search(line)) and not _example(match.group()):
            yield number, "secret.in-text", "error", "A key stands in the text.", "Remove it, and make a new one."
            continue
        for pattern in (_IN_URL, _IN_HEADER, _IN_QUERY) if ":" in line or "?" in line else ():
            found = pattern.search(line)
            made_up = found is None or _STANDS_FOR.fullmatch(found["value"]) or _NO_HOST.search(found.group())
            if found and not made_up and not _example(found["value"]):
                message = "A password or token stands in the text."
                yield number, "secret.in-address", "warning", message, "Put a parameter there, or read it from a file."
                break


def _example(text: str) -> bool:
    """Made-up keys: those that say so, and those of few different characters."""
    tail = text[-16:]
    return "EXAMPLE" in text.upper() or "XXXX" in text.upper() or (len(text) > 12 and len(set(tail)) < 5)


def on_command_line(command: Command) -> Iterator[Found]:
    for pattern in _ON_LINE:
        match = pattern.search(command["text"])
        if match and not _STANDS_FOR.fullmatch(match["value"].rstrip(";")):
            message = "A password on the command line is seen by everybody on the machine and kept in its history."
            yield command["line"], "secret.on-command-line", "warning", message, "Pass it by a file or a variable."
            return


def printed(command: Command) -> Iterator[Found]:
    text = command["text"]
    if "secret" in command["flags"] or command["kind"] not in ("shell", "http"):
        return
    if _PRINTS.search(text) and not re.search(r"\|\s*(?:wc|sha256sum|md5sum)\b|>\s*/dev/null", text):
        yield command["line"], "command.secret", "info", flags.EFFECTS["secret"], "Print only what is needed."


CHECKS = (
    (
        (
            "-p",
            "--password",
            "PASSWORD=",
            "_PWD=",
            "AUTH=",
            "TOKEN=",
            "SSHPASS",
            "-a ",
            "-u",
            "--user",
            "-w ",
            "pass:",
            "-b",
            "rabbitmqctl",
            "echo",
            "literal",
        ),
        on_command_line,
    ),
    (("",), printed),
)
