"""PromQL, LogQL and Lucene: recognised by shape, cut into single queries."""

import re

import promql_parser

_AGGREGATES = "sum|avg|min|max|count|stddev|stdvar|topk|bottomk|quantile|group|count_values"
_FUNCTIONS = (
    f"{_AGGREGATES}|rate|irate|increase|delta|idelta|deriv|predict_linear|histogram_quantile|absent|absent_over_time|"
    "avg_over_time|max_over_time|min_over_time|sum_over_time|count_over_time|quantile_over_time|last_over_time|changes|"
    "resets|label_replace|label_join|clamp_max|clamp_min|vector|scalar|time|timestamp|sort|sort_desc|round|ceil|floor|abs"
)
_SELECTOR = r"\{\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*(?:\"[^\"]*\"|`[^`]*`)"
_PROMQL = re.compile(
    rf"^\s*(?:\(*\s*)*(?:\d+(?:\.\d+)?\s*[-+*/]\s*\(*)?\s*(?:(?:{_FUNCTIONS})\s*(?:(?:by|without)\s*\([^)]*\)\s*)?\(|[a-zA-Z_:][\w:]*\s*{_SELECTOR}"
    r"|[a-zA-Z_:][\w:]*\s*\[\d+[smhdwy]\])"
)
_PROM_BODY = re.compile(
    r"\[\d+[smhdwy](?::\d*[smhdwy]?)?\]|\{[^}]*=~?\s*\"|\bby\s*\(|_total\b|_bucket\b|_seconds\b|_bytes\b|\boffset\s+\d+[smhd]"
)
_LOGQL = re.compile(rf"^\s*(?:(?:{_FUNCTIONS}|bytes_rate)\s*(?:by\s*\([^)]*\)\s*)?\(\s*)*{_SELECTOR}[^}}]*\}}")
_LUCENE_TERM = (
    r"(?:NOT\s+)?\(?[@\w.*-]+:\s*(?:\"[^\"]*\"|\[[^\]]+ TO [^\]]+\]|[<>]=?\s*[\w.]+"
    r"|\([^)]*\)|(?!//)[^\s:\"][^\s\"]*)\)?"
)
_LUCENE = re.compile(rf"^\s*{_LUCENE_TERM}(?:\s+(?:AND|OR|NOT|and|or|not)\s+{_LUCENE_TERM})*\s*$")
_LUCENE_SURE = re.compile(r"\b(?:AND|OR)\b|@timestamp|\[[^\]]+ TO [^\]]+\]|:[<>]")
_METRIC = re.compile(r"^\s*\(?\s*[a-zA-Z_:][\w:]*\s*(?:$|[{\[]|[-+*/<>=!]|(?:and|or|unless|offset|by)\b)")
_RANGE_VARIABLE = re.compile(r"\[\$\{?\w+\}?\]")
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w .-]*>")
_NOT_RANGE = re.compile(r"[)\]]\s+by\s*\(")


def kind_of(text: str) -> str | None:
    """``promql``, ``logql`` or ``lucene`` if the text is one such query, else None."""
    body = text.strip()
    if not body or len(body) > 4000:
        return None
    if _LOGQL.match(body):
        return "logql"
    if _PROMQL.match(body) and (
        _PROM_BODY.search(body)
        or (body.count("(") == body.count(")") and "{" not in body and "$" not in body and _looks_numeric(body))
    ):
        return "promql"
    first = body.split("\n", 1)[0]
    if _LUCENE_SURE.search(first) and _LUCENE.match(first):
        return "lucene"
    return None


def _looks_numeric(body: str) -> bool:
    return bool(re.search(r"[<>=]=?\s*[\d.]+|\(\w+_\w+[){]", body))


def split(source: str, comment: str = "#") -> list[tuple[int, int, str]]:
    """(first row, last row, text) of each query; comment lines are left to the caller."""
    out: list[tuple[int, int, str]] = []
    rows = source.split("\n")
    row = 0
    while row < len(rows):
        line = rows[row].strip()
        if not line or line.startswith((comment, "//")):
            row += 1
            continue
        first, depth = row, _depth(line)
        while row + 1 < len(rows) and (depth > 0 or _goes_on(rows[row], rows[row + 1])):
            row += 1
            depth += _depth(rows[row])
            if not rows[row].strip() and depth > 0:
                break
        out.append((first, row, "\n".join(rows[first : row + 1]).rstrip()))
        row += 1
    return out


def _depth(line: str) -> int:
    bare = re.sub(r"\"[^\"]*\"|`[^`]*`", "", line)
    return sum(bare.count(c) for c in "({[") - sum(bare.count(c) for c in ")}]")


def _goes_on(line: str, following: str) -> bool:
    joint = re.compile(r"^\s*(?:\||and\b|or\b|unless\b|AND\b|OR\b|[-+*/><]|==|by\s*\(|on\s*\(|group_left)")
    return bool(
        following.strip() and (joint.match(following) or line.rstrip().endswith(("|", "+", "*", "/", ",", "AND", "OR")))
    )


def problem(kind: str, text: str) -> tuple[str, str] | None:
    """(rule, message) if the query server will refuse the text."""
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|`[^`]*`", '""', text)
    for left, right in ("()", "[]", "{}"):
        if bare.count(left) != bare.count(right) and kind != "lucene":
            return f"{kind}.syntax", f"The query has {bare.count(left)} “{left}” but {bare.count(right)} “{right}”."
    if kind == "promql" and _grouped_function(bare):
        return "promql.syntax", "“by (…)” may follow an aggregation such as sum(…) only; Prometheus refuses this query."
    if kind == "promql" and (refused := _refused(text)):
        return "promql.syntax", f"Prometheus refuses this query: {refused}."
    if kind == "logql" and re.match(r"^\s*\{[^}]*\}[^|]*\[\d+[smhd]\]\s*$", bare):
        return "logql.syntax", "A range such as [5m] needs a function around it, for example count_over_time(…)."
    return None


def is_expression(line: str) -> bool:
    """True if Prometheus takes this line and it names a metric: “node_load1 > 4”, “up”-like single words excepted."""
    return bool(_METRIC.match(line)) and "_" in line and not _refused(line)


def _refused(text: str) -> str:
    """What Prometheus' grammar says against a query, in a few words; empty if it takes it.

    Variables of dashboards and placeholders stand for what will be put there.
    """
    filled = _RANGE_VARIABLE.sub("[5m]", text)
    filled = _PLACEHOLDER.sub("x", filled)
    # What is left of a template cannot be judged before it is filled.
    if "$" in filled or "{{" in filled or len(filled) > 4000:
        return ""
    try:
        promql_parser.parse(re.sub(r"(?m)\s#[^\n\"]*$", "", filled).strip())
    except ValueError as error:
        return str(error).strip().rstrip(".").split("\n")[0][:120]
    return ""


def _grouped_function(bare: str) -> bool:
    """True if a ``by`` clause follows a call that is no aggregation."""
    for match in re.finditer(r"\)\s*by\s*\(", bare[:4000]):
        depth, index = 1, match.start() - 1
        while index >= 0 and depth:
            depth += {")": 1, "(": -1}.get(bare[index], 0)
            index -= 1
        name = re.search(r"(\w*)\s*$", bare[: index + 1])
        if name and name.group(1) and not re.fullmatch(_AGGREGATES, name.group(1)):
            return True
    return False
