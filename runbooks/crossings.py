"""Links of a runbook's text: to its own steps, to other runbooks, to places that the library does not have."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.db.models import Q
from django.urls import reverse

from runbooks import addresses, walk
from runbooks.models import Execution, Runbook

_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)")
_NAMED = re.compile(r"\b([Ss]ee(?: also)?|[Gg]o to|[Ff]ollow)\s+(?:the\s+)?[\"“]([^\"”\n]{3,80})[\"”]")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
Resolve = Callable[[str], str]


@dataclass(frozen=True)
class _Place:
    """A runbook that a link may mean: the file and the heading that it came from."""

    file: str
    heading: str
    title: str
    category: str
    slug: str


def of(execution: Execution) -> Resolve:
    """A function that rewrites the links of a Markdown text for the pages of `execution`."""
    runbook = execution.version.runbook
    known: list[_Place] = []

    def resolve(text: str) -> str:
        if not (_LINK.search(text) or _NAMED.search(text)):
            return text
        if not known:
            known.extend(_places(runbook))
        own = _Own(execution, runbook, known)
        return _NAMED.sub(own.named, _LINK.sub(own.link, text))

    return resolve


def referred(execution: Execution, texts: Iterable[str]) -> list[str]:
    """The slugs of the other runbooks that the texts lead to, in order."""
    resolve, own = of(execution), execution.version.runbook.slug
    place = re.compile(rf"\]\({re.escape(reverse('runbooks'))}([\w-]+)/\)")
    found = [slug for text in texts for slug in place.findall(resolve(text))]
    return [slug for slug in dict.fromkeys(found) if slug != own]


class _Own:
    """What the marks of one execution's text lead to."""

    def __init__(self, execution: Execution, runbook: Runbook, known: list[_Place]) -> None:
        self.execution, self.known = execution, known
        self.file = _file(runbook.origin)
        self.steps = {anchor: position for position, anchor in _anchors(execution)}

    def link(self, match: re.Match[str]) -> str:
        """An absolute address stays; a relative one is looked up, or said to be missing."""
        text, target = match[1], match[2]
        if _SCHEME.match(target) or target.startswith("//"):
            return match.group()
        path, _, anchor = target.partition("#")
        found = self._lookup(path, anchor)
        return f"[{text}]({found})" if found else f"{text} (not in the library: {_literal(target)})"

    def named(self, match: re.Match[str]) -> str:
        """“See "Restore from Backup"” where a runbook, or a group of them, is called like that."""
        wanted = anchor_of(match[2])
        near = [place for place in self.known if place.file == self.file]
        exact = next(filter(None, (_called(places, wanted) for places in (near, self.known))), None)
        if exact is not None:
            return f"{match[1]} [{match[2]}]({reverse('runbook', args=[exact.slug])})"
        group = [place for place in near or self.known if anchor_of(place.category) == wanted]
        if not group:
            return match.group()
        listed = ", ".join(f"[{_literal(p.title)}]({reverse('runbook', args=[p.slug])})" for p in group)
        return f"{match[1]} “{match[2]}” ({listed})"

    def _lookup(self, path: str, anchor: str) -> str:
        if not path and anchor in self.steps:
            return addresses.of_walk(self.execution, "walk_step", position=self.steps[anchor])
        file = PurePosixPath(path).name if path else self.file
        there = [place for place in self.known if place.file == file]
        if anchor:
            there = [p for p in there if anchor in {p.heading, anchor_of(p.title), anchor_of(p.category)}]
        return reverse("runbook", args=[there[0].slug]) if there else ""


def _called(places: Iterable[_Place], wanted: str) -> _Place | None:
    """The one whose title is `wanted`, else the first whose title begins with it."""
    named = [(anchor_of(place.title), place) for place in places]
    exact = [place for name, place in named if name == wanted]
    return next(iter(exact or [place for name, place in named if name.startswith(wanted)]), None)


def anchor_of(text: str) -> str:
    """The anchor that Markdown hosts give to a heading."""
    return re.sub(r"[^\w\- ]", "", walk.plain(text).lower()).replace(" ", "-")


def _anchors(execution: Execution) -> list[tuple[int, str]]:
    compiled = execution.version.compiled
    found = []
    for position, (phase, step) in enumerate(walk.places(compiled)):
        own = compiled["phases"][phase]
        if step == 0 and own["heading"]:
            found.append((position, anchor_of(own["heading"])))
        if own["steps"]:
            found.append((position, anchor_of(own["steps"][step]["title"])))
    return found


def _places(near: Runbook) -> list[_Place]:
    """Published runbooks, those of the same document first."""
    rows = Runbook.objects.filter(Q(archived=False), current__isnull=False)
    values = rows.values_list("origin", "title", "slug", "current__compiled__category")
    found = [
        _Place(_file(origin), origin.partition("#")[2], title, category or "", slug)
        for origin, title, slug, category in values
    ]
    return sorted(found, key=lambda place: (place.file != _file(near.origin), place.title))


def _file(origin: str) -> str:
    return PurePosixPath(origin.partition(":")[2].partition("#")[0]).name


def _literal(text: str) -> str:
    return re.sub(r"([\[\]()*_`<>])", r"\\\1", text)
