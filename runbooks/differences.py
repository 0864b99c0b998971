"""What changed between two versions: first in the words of runbooks, then line by line. Pure.

Steps and commands are matched by their words, not by their lines, so that what only moved down is no
change. One edit gives one `Change`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from runbooks.walk import plain, prose_of

RANKS = ("read", "change", "disrupt", "destroy", "blocked")
_ALIKE = 0.55
_FIELDS = {
    "title": "title",
    "kind": "kind",
    "category": "group",
    "severity": "severity",
    "response_time_s": "response time",
    "schedule": "schedule",
}
_OF_STEPS = {
    "condition": "the condition",
    "optional": "whether it is optional",
    "option_group": "the group of options",
    "time_box_s": "the time",
}
_LISTS = {"alerts": "alert", "symptoms": "symptom", "thresholds": "threshold"}


@dataclass(frozen=True)
class Change:
    """One difference. `kind` is added, removed, moved or changed; `what` names the part, `where` its step.

    `line` is where it stands in the newer text, or for what was removed in the older one. `risky` says that it
    lowers a risk or brings in something that destroys.
    """

    kind: str
    what: str
    where: str
    line: int
    sentence: str
    before: str = ""
    after: str = ""
    risky: bool = False


@dataclass(frozen=True)
class Row:
    """One line of a textual difference: `sign` is "+", "-" or " "; numbers are 0 where a side has no such line."""

    sign: str
    old: int
    new: int
    text: str


@dataclass(frozen=True)
class _Placed:
    """A step with the phase that it stands in."""

    phase: str
    step: Mapping[str, Any]

    @property
    def title(self) -> str:
        return plain(self.step["title"])


def semantic(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The changes from one compiled runbook to another, in the order of the newer text; none for the same text."""
    found = [*_facts(old, new), *_phases(old, new)]
    before, after = list(_steps(old)), list(_steps(new))
    pairs = _match(before, after, key=lambda placed: placed.title, words=_words)
    found += _order(before, after, pairs)
    for i, j in pairs:
        found += _step(before[i], after[j])
    return sorted(found, key=lambda change: (change.line, change.what))


def textual(old: str, new: str, *, context: int = 3) -> list[list[Row]]:
    """Hunks of changed lines, each with `context` lines around it."""
    a, b = old.splitlines(), new.splitlines()
    matcher = SequenceMatcher(None, a, b, autojunk=len(a) + len(b) > 4000)
    hunks = []
    for group in matcher.get_grouped_opcodes(context):
        rows: list[Row] = []
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                rows += [Row(" ", i1 + n + 1, j1 + n + 1, line) for n, line in enumerate(a[i1:i2])]
                continue
            rows += [Row("-", i1 + n + 1, 0, line) for n, line in enumerate(a[i1:i2])]
            rows += [Row("+", 0, j1 + n + 1, line) for n, line in enumerate(b[j1:j2])]
        hunks.append(rows)
    return hunks


def needs_second_person(changes: Iterable[Change]) -> bool:
    """Whether somebody else than the author has to look before this is published."""
    return any(change.risky for change in changes)


# -- the runbook as a whole --------------------------------------------------------------------------


def _facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    line = new["line"]
    for field, name in _FIELDS.items():
        if (was := _said(old.get(field))) != (now := _said(new.get(field))):
            yield Change("changed", "runbook", "", line, f"The {name} changed.", was, now)
    for field, name in _LISTS.items():
        was_list, now_list = list(old.get(field) or []), list(new.get(field) or [])
        gone, fresh = _only(was_list, now_list), _only(now_list, was_list)
        if field == "thresholds":
            # A threshold is a line of something else, which tells of its own change.
            continue
        for before, after in zip(gone, fresh, strict=False):
            yield Change("changed", "runbook", "", line, f"The {name} {before} became {after}.", before, after)
        for text in gone[len(fresh) :]:
            yield Change("removed", "runbook", "", line, f"The {name} {text} was removed.", text)
        for text in fresh[len(gone) :]:
            yield Change("added", "runbook", "", line, f"The {name} {text} was added.", "", text)
    yield from _text("", line, old.get("prose", []), new.get("prose", []), "The text before the steps changed.")


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {item}" for key, item in value.items() if item is not None)
    return "" if value is None else str(value)


def _only(these: Sequence[str], those: Sequence[str]) -> list[str]:
    return [item for item in these if item not in those]


def _phases(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Phases that came, went or were renamed, and what they hold beside their steps."""
    before, after = list(old["phases"]), list(new["phases"])
    pairs = _match(before, after, key=_phase_key, words=lambda phase: phase["phase"])
    kept_old, kept_new = {i for i, _ in pairs}, {j for _, j in pairs}
    for index, phase in enumerate(before):
        if index not in kept_old and not phase["steps"]:
            yield Change("removed", "phase", "", phase["line"], f"The part {_name(phase)} was removed.", _name(phase))
    for index, phase in enumerate(after):
        if index not in kept_new and not phase["steps"]:
            yield Change("added", "phase", "", phase["line"], f"The part {_name(phase)} was added.", "", _name(phase))
    for i, j in pairs:
        was, now = before[i], after[j]
        name = _name(now)
        said = [f"the time of {name} changed"] if was["time_box_s"] != now["time_box_s"] else []
        if _name(was) != name and not said:
            said = [f"the part {_name(was)} is called {name}"]
        if said:
            yield Change("changed", "phase", name, now["line"], _sentence(said), _name(was), name)
        yield from _text(name, now["line"], was["prose"], now["prose"], f"The text of {name} changed.")
        yield from _items(name, was["items"], now["items"])


def _phase_key(phase: Mapping[str, Any]) -> str:
    return f"{phase['phase']} {_name(phase)}"


def _name(phase: Mapping[str, Any]) -> str:
    return plain(phase["heading"]) or str(phase["phase"])


# -- steps -------------------------------------------------------------------------------------------


def _steps(compiled: Mapping[str, Any]) -> Iterator[_Placed]:
    for phase in compiled["phases"]:
        for step in phase["steps"]:
            yield _Placed(_name(phase), step)


def _words(placed: _Placed) -> str:
    step = placed.step
    return "\n".join([placed.title, *(c["text"] for c in step["commands"]), *(t["text"] for t in step["prose"])])


def _order(before: list[_Placed], after: list[_Placed], pairs: list[tuple[int, int]]) -> Iterator[Change]:
    kept_old, kept_new = {i for i, _ in pairs}, {j for _, j in pairs}
    for index, placed in enumerate(before):
        if index not in kept_old:
            said = f"Step {index + 1} was removed."
            yield Change("removed", "step", placed.title, placed.step["line"], said, placed.title)
    for index, placed in enumerate(after):
        if index not in kept_new:
            destroys = any(c["risk"] == "destroy" for c in placed.step["commands"])
            said = f"Step {index + 1} was added."
            yield Change("added", "step", placed.title, placed.step["line"], said, "", placed.title, risky=destroys)
    stayed = _longest_rising([j for _, j in sorted(pairs)])
    for i, j in pairs:
        if j not in stayed or (before[i].phase != after[j].phase and not _renamed(before, after, pairs, i, j)):
            said = f"Step {i + 1} moved to {j + 1}, {after[j].phase}."
            yield Change("moved", "step", after[j].title, after[j].step["line"], said, before[i].phase, after[j].phase)


def _renamed(before: list[_Placed], after: list[_Placed], pairs: list[tuple[int, int]], i: int, j: int) -> bool:
    """All steps of the one phase stand in the other: the phase was renamed, no step moved."""
    mates = [(p, q) for p, q in pairs if before[p].phase == before[i].phase]
    return all(after[q].phase == after[j].phase for _, q in mates)


def _step(was: _Placed, now: _Placed) -> Iterator[Change]:
    old, new, title, line = was.step, now.step, now.title, now.step["line"]
    said = ["the title changed"] if was.title != title else []
    said += [f"{name} changed" for field, name in _OF_STEPS.items() if old[field] != new[field]]
    if said:
        yield Change("changed", "step", title, line, _sentence(said), was.title, title)
    yield from _text(title, line, prose_of(old), prose_of(new), "The text changed.")
    yield from _text(title, line, old["blocks"], new["blocks"], "A block of text changed.")
    yield from _items(title, old.get("items", []), new.get("items", []))
    yield from _commands(title, old["commands"], new["commands"])


def _text(where: str, line: int, old: Iterable[Any], new: Iterable[Any], said: str) -> Iterator[Change]:
    was, now = ("\n".join(item["text"].strip() for item in texts) for texts in (old, new))
    if was != now:
        yield Change("changed", "text", where, line, said, was, now)


def _items(where: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    pairs = _match(old, new, key=lambda item: item["text"], words=lambda item: item["text"])
    kept_old, kept_new = {i for i, _ in pairs}, {j for _, j in pairs}
    for index, item in enumerate(old):
        if index not in kept_old:
            yield Change("removed", "item", where, item["line"], "An item was removed.", item["text"])
    for index, item in enumerate(new):
        if index not in kept_new:
            yield Change("added", "item", where, item["line"], "An item was added.", "", item["text"])
    for i, j in pairs:
        if old[i]["text"] != new[j]["text"]:
            yield Change("changed", "item", where, new[j]["line"], "An item changed.", old[i]["text"], new[j]["text"])
        yield from _commands(where, old[i].get("commands", []), new[j].get("commands", []))


# -- commands ----------------------------------------------------------------------------------------


def _commands(where: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    pairs = _match(old, new, key=lambda command: command["text"], words=lambda command: command["text"])
    kept_old, kept_new = {i for i, _ in pairs}, {j for _, j in pairs}
    for index, command in enumerate(old):
        if index not in kept_old:
            yield Change("removed", "command", where, command["line"], "A command was removed.", command["text"])
    for index, command in enumerate(new):
        if index not in kept_new:
            said = f"A command was added: {command['risk'].upper()}."
            risky = command["risk"] == "destroy"
            yield Change("added", "command", where, command["line"], said, "", command["text"], risky=risky)
    for i, j in pairs:
        yield from _command(where, old[i], new[j])


def _command(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """One change however much of the command differs."""
    said = [] if old["text"] == new["text"] else ["the command changed"]
    if old["risk"] != new["risk"]:
        said.append(f"risk {old['risk'].upper()} → {new['risk'].upper()}")
    if sorted(old["flags"]) != sorted(new["flags"]):
        said.append(f"flags {_said(old['flags']) or 'none'} → {_said(new['flags']) or 'none'}")
    asked_before, asked_now = ([p["name"] for p in c["parameters"]] for c in (old, new))
    said += [f"no longer asks for {name}" for name in _only(asked_before, asked_now)]
    said += [f"asks for {name}" for name in _only(asked_now, asked_before)]
    if _expects(old) != _expects(new):
        said.append("the expected result changed")
    if (old.get("label") or "") != (new.get("label") or ""):
        said.append("its label changed")
    if not said:
        return
    lowered = RANKS.index(new["risk"]) < RANKS.index(old["risk"])
    risky = lowered or (new["risk"] == "destroy" and old["text"] != new["text"])
    before, after = (_shown(command) for command in (old, new))
    yield Change("changed", "command", where, new["line"], _sentence(said), before, after, risky)


def _expects(command: Mapping[str, Any]) -> list[str]:
    return [item["text"].strip() for item in command["expected"]]


def _shown(command: Mapping[str, Any]) -> str:
    label = [f"# {command['label']}"] if command.get("label") else []
    return "\n".join([*label, command["text"], *_expects(command)])


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


# -- matching ----------------------------------------------------------------------------------------


def _match(
    old: Sequence[Any], new: Sequence[Any], *, key: Callable[[Any], str], words: Callable[[Any], str]
) -> list[tuple[int, int]]:
    """Pairs of indexes that mean the same thing: same key first, then the most similar words, then the same gap."""
    pairs: dict[int, int] = {}
    free = list(range(len(new)))
    for i, item in enumerate(old):
        if (j := next((j for j in free if key(new[j]) == key(item)), None)) is not None:
            pairs[i] = j
            free.remove(j)
    rest = [i for i in range(len(old)) if i not in pairs]
    scored = sorted(
        ((SequenceMatcher(None, words(old[i]), words(new[j])).ratio(), i, j) for i in rest for j in free), reverse=True
    )
    for score, i, j in scored:
        if score >= _ALIKE and i not in pairs and j in free:
            pairs[i] = j
            free.remove(j)
    return sorted(pairs.items())


def _longest_rising(numbers: list[int]) -> set[int]:
    """The numbers of a longest rising run: what did not move."""
    runs: list[list[int]] = []
    top: list[int] = []
    for number in numbers:
        longest: list[int] = []
        for run in runs:
            if run[-1] < number and len(run) > len(longest):
                longest = run
        runs.append([*longest, number])
        if len(runs[-1]) > len(top):
            top = runs[-1]
    return set(top)
