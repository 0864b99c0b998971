"""Finding runbooks: PostgreSQL's full-text search over what is published, and codes of errors."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db.models import F, Q, QuerySet, Value

from runbooks import walk
from runbooks.models import ErrorCode, Runbook, Version

CONFIG = "simple"
_LONGEST = 200_000


@dataclass(frozen=True)
class Code:
    """An error code with what a document says of it."""

    code: str
    facts: dict[str, str]
    path: str


def vector_of(version: Version) -> Any:
    """What a version is found by, as an expression: title and alerts first, then symptoms, commands, the rest."""
    compiled = version.compiled
    parts = {
        "A": [compiled["title"], *compiled["alerts"]],
        "B": compiled["symptoms"],
        "C": [command["text"] for command in walk.all_commands(compiled)],
        "D": [version.text],
    }
    vector: Any = None
    for weight, texts in parts.items():
        part = SearchVector(Value(_words("\n".join(texts))), weight=weight, config=CONFIG)
        vector = part if vector is None else vector + part
    return vector


def find(runbooks: QuerySet[Runbook], text: str) -> QuerySet[Runbook]:
    """Those that hold every word of `text`, as a word, its beginning, or anywhere in the text; best first."""
    words = _words(text).split()[:8]
    if not words:
        return runbooks
    query = SearchQuery(" & ".join(f"'{word}':*" for word in words), config=CONFIG, search_type="raw")
    anywhere = Q()
    for word in text.split()[:8]:
        anywhere &= Q(title__icontains=word) | Q(alerts__icontains=word) | Q(current__text__icontains=word)
    return (
        runbooks.filter(Q(search=query) | anywhere)
        .annotate(rank=SearchRank(F("search"), query))
        .order_by(F("rank").desc(nulls_last=True), "title")
    )


def codes(text: str) -> list[Code]:
    """Error codes that begin like one of the words."""
    words = [word for word in text.split()[:8] if len(word) > 2]
    if not words:
        return []
    wanted = Q()
    for word in words:
        wanted |= Q(code__istartswith=word)
    return [Code(row.code, row.facts, row.path) for row in ErrorCode.objects.filter(wanted)[:10]]


def _words(text: str) -> str:
    """Words as people type them: what joins parts of a name parts them, and capitals inside a name do too."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.sub(r"[^\w]+|_", " ", f"{text} {parted}"[:_LONGEST]).strip()
