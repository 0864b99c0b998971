"""curl and wget: the method decides, then the path; a query sent by POST still only reads."""

import re
from collections.abc import Sequence

from runbooks.compiler.verdict import Verdict

_TAKES = frozenset(
    "-X --request -d --data --data-raw --data-binary --data-urlencode --data-ascii --json -H --header -o "
    "--output -u --user -w --write-out -m --max-time --connect-timeout -A --user-agent -e --referer -b "
    "--cookie -c --cookie-jar --cacert --cac -E --cert --key -F --form -T --upload-file -x --proxy --retry "
    "--retry-delay --resolve --unix-socket -O- --url --limit-rate -r --range --interface --post-data "
    "--post-file --body-data --method --timeout --tries".split()
)
_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--data-ascii", "--json", "-F", "--form")
_QUERIES = re.compile(
    r"/(?:query|query_range|query_exemplars|series|labels|_search|_count|_msearch|_explain|_validate|_field_caps|"
    r"_mget|_sql|search|graphql/query)(?:[/?'\"]|$)"
)
_DISRUPTS = re.compile(r"/(?:restart|shutdown|quit|stop|reboot|drain|-/quit)(?:[/?]|$)")
_DESTROYS = re.compile(r"/(?:delete|purge|flush|truncate|_delete_by_query|wipe|drop|prune|kill)(?:[/?]|$)")


def method_of(name: str, args: Sequence[str]) -> str:
    """GET, HEAD, POST, PUT, PATCH, DELETE, as the options say."""
    named = _named_method(args)
    if named:
        return named
    if name == "wget":
        return "POST" if any(a.startswith(("--post-data", "--post-file")) for a in args) else "GET"
    for method, options in (("GET", ("-G", "--get")), ("HEAD", ("-I", "--head")), ("PUT", ("-T", "--upload-file"))):
        if any(a in options for a in args):
            return method
    if any(a in _DATA or a.startswith(("--data", "--json=", "--form")) for a in args):
        return "POST"
    return "GET"


def _named_method(args: Sequence[str]) -> str | None:
    """The method that ``-X``, alone or in a cluster such as ``-sX``, or its long forms name."""
    for index, arg in enumerate(args):
        if re.fullmatch(r"-[a-zA-Z]*X|--request|--method", arg) and index + 1 < len(args):
            return args[index + 1].upper()
        match = re.match(r"(?:-[a-zA-Z]*?X|--request=|--method=)([A-Za-z]+)$", arg)
        if match:
            return match.group(1).upper()
    return None


def urls_of(args: Sequence[str]) -> list[str]:
    """Arguments that are addresses, not values of options."""
    found = []
    skip = False
    for arg in args:
        if skip:
            skip = False
        elif arg == "--url":
            continue
        elif arg in _TAKES:
            skip = True
        elif not arg.startswith("-"):
            found.append(arg)
    return found


def judge_http(name: str, args: Sequence[str]) -> Verdict:
    """Risk and flags of one HTTP call."""
    method, addresses = method_of(name, args), " ".join(urls_of(args))
    verdict = Verdict("read", f"HTTP {method}")
    if method == "DELETE":
        verdict.raise_to("destroy", "HTTP DELETE")
    elif method not in ("GET", "HEAD", "OPTIONS") and not _QUERIES.search(addresses):
        verdict.raise_to("change", f"HTTP {method}")
        if _DESTROYS.search(addresses):
            verdict.raise_to("destroy", f"HTTP {method} to an address that deletes")
        elif _DISRUPTS.search(addresses):
            verdict.raise_to("disrupt", f"HTTP {method} to an address that stops or restarts")
    if re.search(r"/debug/pprof/(?:profile|trace)", addresses):
        verdict.flag("long", "a profile takes 30 s or more")
    for option in ("-o", "--output", "-O", "--output-document"):
        if option in args[:-1]:
            target = args[list(args).index(option) + 1]
            if target.startswith(("/etc/", "/usr/", "/bin/", "/lib/", "/boot/")):
                verdict.raise_to("destroy", f"overwrites {target}")
                verdict.flag("root", f"writes to {target}")
    return verdict
