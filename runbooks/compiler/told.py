"""Commands in a sentence: which code spans it tells to run, and which are names or only told of."""

import re

from runbooks.compiler import expected, inline, programs, queries, sql
from runbooks.compiler.calls import SENTENCE, is_program_call, is_unlisted_call
from runbooks.compiler.commands import compile_as
from runbooks.compiler.contract import Command

_TELLS = re.compile(
    r"(?:^|[\s(*_])(?:run|re-?run|execute|type|enter|invoke|issue|call|try|do|launch|start with|via|use|using|with)"
    r"(?:\s+the)?(?:\s+(?:following|command|script|commands))?\s*:?\s*[\"'(*_]*$",
    re.IGNORECASE,
)
_RUNS = re.compile(
    r"(?:^|[\s(*_])(?:run|re-?run|execute|type|invoke|launch)\s+(?:the\s+)?(?:command|script)?\s*:?\s*[\"'(*_]*$",
    re.IGNORECASE,
)
_ACTS = re.compile(r"(?:^|[,;:.(]|\b(?:then|or|and))\s*[\"'(*_]*$", re.IGNORECASE)
_FORBIDS = re.compile(
    r"\b(?:do not|don['’]t|never|avoid|must not|should not|shouldn['’]t|cannot|can['’]t|instead of|rather than|without"
    r"|not to)\b[^.;:`]*$",
    re.IGNORECASE,
)
_REPORTS = re.compile(
    r"\b(?:runs|ran|executes|executed|calls|called|uses|used|invokes|invoked|issues|issued|by|what|when|while|whether"
    r"|because|after|before|since|behind it is|is raised|equivalent to|like|than)\s+(?:the\s+|an?\s+)?[\"'(*_]*$",
    re.IGNORECASE,
)
_BY_MEANS = re.compile(r"\b(?:by|after|before) (?:running|using|executing)\s+[\"'(*_]*$", re.IGNORECASE)
_ASKS = re.compile(
    r"\b(?:query|queries|graph|plot|evaluate|run|execute|check|look at|inspect|prometheus|promql|grafana|loki|kibana)"
    r"\b[^.`]*$",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"^[\"')*_]*\s+(?:job|jobs|pipeline|workflow|playbook|task|stage|target|button|column|table|field"
    r"|flag|option|branch"
    r"|service|unit|pod|container|host|node|file|folder|directory|metric|alert|label|query|dashboard"
    r"|panel|page|user|role"
    r"|action|runbook|command|means|would|must|should|is|are|was|has|have)\b",
    re.IGNORECASE,
)
_EXPECTED = re.compile(
    r"[\s,;:.)*_→-]*(?:(?:and|it|this|which|that|the output)\s+)*((?:should|must"
    r"|expect\w*)\b\s*:?\s*(?:[^.\n]|\.(?=\w))+)",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"^[\w./-]+\.(?:sh|py|rb|pl)(?:\s.*)?$")
_ENDS = re.compile(r"[*_ \t]*(?:$|\n|[(.:;,–—-])")
_LOWER = re.compile(r"[a-z][\w.-]*")
# Programs that act at once when their bare name is typed.
_BARE_ACTS = frozenset(["reboot", "poweroff", "halt"])


def commands_of(text: str, line: int) -> list[Command]:
    """The commands that a text of prose tells to run. ``line`` is the document line that it begins on."""
    found: list[Command] = []
    for span in inline.spans(text):
        before = text[max(0, span.start - 120) : span.start]
        after = text[span.end : span.end + 40]
        alone = not before.rpartition("\n")[2].strip(" *-+>") and bool(_ENDS.match(after))
        kind = "shell" if alone and _stands_alone(span.text) else _kind(span.text, before, after)
        if kind:
            made = compile_as(kind, span.text, line + span.row).commands
            _expect(made, text[span.end : span.end + 160], line + span.row)
            found += made
    return found


def _expect(made: list[Command], after: str, line: int) -> None:
    """“…; it should return `PONG`” behind a command."""
    match = _EXPECTED.match(after)
    if match and made:
        said = inline.plain(match[1])
        made[-1]["expected"].append({"text": said, "line": line, "assertion": expected.assertion(said)})


def tells(text: str) -> bool:
    """True if a text tells to run something."""
    return bool(commands_of(text, 1))


def _kind(span: str, before: str, after: str) -> str | None:
    """``shell``, ``sql`` or a query language if the sentence tells to run the span."""
    before = re.split(r"(?<=[.!?])\s", " ".join(before.split("\n")))[-1]
    means = _BY_MEANS.search(before)
    if _FORBIDS.search(before) or (_REPORTS.search(before) and not means):
        return None
    words = span.split()
    if not words or words[0] == "man":
        return None
    if sql.starts(span) and len(words) > 1:
        return "sql"
    query = queries.kind_of(span)
    if query:
        return query if _ASKS.search(before) or not before.strip() else None
    if _is_call(span, words, before, after) or (means and len(words) > 1 and _LOWER.fullmatch(words[0])):
        return "shell"
    return None


def _stands_alone(span: str) -> bool:
    """A bullet that is nothing but a call of two words or more, of whatever program."""
    words = span.split()
    return len(words) > 1 and bool(_LOWER.fullmatch(words[0])) and words[1] not in SENTENCE and words[0] != "man"


def _is_call(span: str, words: list[str], before: str, after: str) -> bool:
    """A call with arguments speaks for itself; a bare name and an unknown program need to be told."""
    if len(words) > 1 and (is_program_call(words) or words[0].startswith("./")):
        return not _NOUN.match(after) or bool(_TELLS.search(before))
    if before.rstrip().endswith(":") and is_unlisted_call(span):
        return True
    if words[0].startswith("./") or (_SCRIPT.match(span) and _RUNS.search(before)):
        return True
    if _NOUN.match(after) or not (_RUNS.search(before) or _TELLS.search(before) or words[0] in _BARE_ACTS):
        return False
    if words[0] in _BARE_ACTS and len(words) == 1:
        return bool(_TELLS.search(before) or _ACTS.search(before))
    if len(words) == 1:
        return _acts_bare(span, before)
    return bool(_RUNS.search(before)) and bool(_LOWER.fullmatch(words[0]))


def _acts_bare(name: str, before: str) -> bool:
    """`uptime`, `htop`: a program that is run without arguments, told so."""
    if not programs.known(name):
        return False
    if _RUNS.search(before):
        return True
    return programs.judge(name, []).risk != "blocked" and name in programs.table().alone and bool(_TELLS.search(before))
