"""What a value may look like in places that read more into it than its letters."""

import re

from runbooks import code_places
from runbooks.compiler import quoting

SQL_CLIENTS = r"psql|mysql|mariadb|sqlite3|cqlsh|clickhouse-client|sqlcmd"
_MAKE = re.compile(r"(?:^|[\s/])g?make\s")
_WORD_READERS = r"xargs|(?:redis|valkey)-cli"
_PLAIN = re.compile(r"(?!-)[\w.@:+/=,-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CURL = re.compile(r"(?:^|[\s/])curl\s")
_HEADER = re.compile(
    r"\s(?:-\w*[HAebuX]|--(?:header|user-agent|referer|cookie|user|request|proxy-header))[\s=]*['\"]?[^'\"]*$"
)
_UPLOAD = re.compile(r"\s(?:-\w*[dFHT]|--(?:data|form|json|header|upload)[\w-]*)[\s=]*['\"]?$")
_FORM_FIELD = re.compile(r"\s(?:-\w*F|--form)[\s=]+['\"]?[^\s'\"=]*=$")
_JSON_SCALAR = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?(?:[eE][-+]?\d{1,3})?|true|false|null", re.ASCII)
_JSON_BEFORE, _JSON_AFTER = re.compile(r"\\?\"\s*:\s*$"), re.compile(r"\s*[,}\]]")


def fault(text: str, start: int, end: int, context: str, value: str) -> str | None:
    """What is wrong with `value` at its place, as the rest of a sentence that begins with its name; None if nothing."""
    before = code_places.simple_command(text, start)
    if context == quoting.OPEN_HEREDOC and re.search(r"[\r\n]", value):
        return "has more than one line, which would add lines to the text below. Type one line."
    if _MAKE.search(before) and not re.fullmatch(r"[\w.@:/+-]+", value, re.ASCII):
        return "goes to make, which expands $ and spaces: use letters, digits and . @ : / + - _ only."
    if _is_read_as_words(text, start, end, context, before) and not _PLAIN.fullmatch(value):
        return "goes to a program that splits it into words: use letters, digits and . @ : / + = , - _ only."
    if _CURL.search(before) and (found := _in_request(before, context, value)):
        return found
    if context and _JSON_BEFORE.search(text[:start]) and _JSON_AFTER.match(text[end:]):
        return None if _JSON_SCALAR.fullmatch(value) else "stands for a JSON value: type a number, true, false or null."
    return None


def is_sql(text: str, start: int, end: int, context: str) -> bool:
    """Whether what stands there is part of SQL that a client on the command line executes."""
    before = code_places.simple_command(text, start)
    if not code_places.starts(before, SQL_CLIENTS):
        into_client = any(code_places.starts(one, SQL_CLIENTS) for one in code_places.piped_into(text, start))
        return into_client and code_places.is_printed(before, context)
    if code_places.is_input(before, context) or (context and code_places.starts(before, "sqlite3")):
        return True
    return bool(re.search(r"\s(?:-\w*[ceqQ]|--(?:command|execute|query))[\s=\\]", before))


def sql_fault(before: str, context: str, value: str) -> str | None:
    """Like `fault`, for SQL: the value must have a shape that leaves no room for SQL."""
    # Inside single quotes of the shell's, a quote is no quote of SQL's.
    said = before.partition("\n")[2] if context == quoting.OPEN_HEREDOC else before
    in_string = said.count("'") % 2 == 1 and context != quoting.SINGLE
    allowed = r"[\w.@:+/ -]{1,200}" if in_string else r"[\w.]{1,200}"
    if re.fullmatch(allowed, value, re.ASCII) and "--" not in value:
        return None
    marks = ", spaces and . @ : + / - _" if in_string else ", dots and _"
    return f"goes into SQL: use letters, digits{marks} only."


def _is_read_as_words(text: str, start: int, end: int, context: str, before: str) -> bool:
    if code_places.is_input(before, context) and code_places.starts(before, _WORD_READERS):
        return True
    later = code_places.piped_into(text, start)
    return code_places.is_printed(before, context) and any(code_places.starts(one, _WORD_READERS) for one in later)


def _in_request(before: str, context: str, value: str) -> str | None:
    if _HEADER.search(before) and _CONTROL.search(value):
        return "goes into a header, which is one line of text. Type it without line ends and control characters."
    if _UPLOAD.search(before) and (value[:1] in "@<" or ("urlencode" in before and "@" in value)):
        return "would name a file whose contents are sent (@). Type the value itself."
    if _FORM_FIELD.search(before) and value[:1] in "@<":
        return "would name a file whose contents are sent (@ or <). Type the value itself."
    return None
