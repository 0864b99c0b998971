"""Reads ``programs.toml`` and answers what one invocation of a listed program does.

An installation may have a table of its own, whose lines win: see ``use``.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from runbooks.compiler.contract import Risk
from runbooks.compiler.flags import ORDER as FLAG_ORDER
from runbooks.compiler.verdict import RANK, Verdict

_TABLE = Path(__file__).with_name("programs.toml")


@dataclass(frozen=True, slots=True)
class Clause:
    """``words`` (one risk or flags) hold if ``condition`` does: always, if or unless one of ``options``."""

    words: tuple[str, ...]
    condition: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A program with subcommands. ``takes``: options before the subcommand that carry a value."""

    name: str
    takes: frozenset[str]
    subs: dict[str, str]
    exact: bool = False
    second_word: bool = False
    verbs: int = 0
    verb_risks: tuple[tuple[Risk, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    alone: dict[str, str]
    families: dict[str, Family]
    redis: dict[str, str]


class BadTable(ValueError):
    """A table of an installation that cannot be used; the message names the file and what is wrong."""


def use(path: Path | None) -> None:
    """Read ``path`` beside the table that comes with erpops; its lines win. None goes back to ours alone.

    Raises BadTable. Must be called before anything is compiled; what is compiled already stays as it is.
    """
    _own.clear()
    _own.update(_read_own(path) if path is not None else {})
    table.cache_clear()


_own: dict[str, Any] = {}


def _read_own(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadTable(f"{path}: {error}") from error
    unknown = data.keys() - {"alone", "family"}
    if unknown:
        raise BadTable(f"{path}: write [alone] or [family.NAME.sub], not [{sorted(unknown)[0]}].")
    rules = list(data.get("alone", {}).items())
    for name, family in data.get("family", {}).items():
        rules += [(f"{name} {sub}", rule) for sub, rule in family.get("sub", {}).items()]
    for name, rule in rules:
        _check_rule(path, name, rule)
    return data


def _check_rule(path: Path, name: str, rule: object) -> None:
    words = {word for clause in clauses(rule) for word in clause.words} if isinstance(rule, str) and rule else None
    allowed = {*RANK, *FLAG_ORDER, "plain", "bounded"}
    if words is None or not words <= allowed:
        wrong = sorted(words - allowed)[0] if words else rule
        raise BadTable(f"{path}: {name} = {rule!r}: {wrong} is neither a risk ({', '.join(RANK)}) nor a flag.")


@cache
def table() -> Table:
    with _TABLE.open("rb") as file:
        data = tomllib.load(file)
    data["alone"] |= _own.get("alone", {})
    for name, entry in _own.get("family", {}).items():
        ours = data["family"].setdefault(name, {"sub": {}})
        ours["sub"] |= entry.get("sub", {})
    families: dict[str, Family] = {}
    for name, entry in data["family"].items():
        family = _family(name, entry)
        for alias in (name, *entry.get("aliases", ())):
            families[alias] = family
    return Table(data["alone"], families, data["redis"])


def _family(name: str, entry: dict[str, Any]) -> Family:
    risks: tuple[Risk, ...] = ("destroy", "disrupt", "change", "read")
    verbs = tuple((risk, frozenset(entry[risk])) for risk in risks if risk in entry)
    return Family(
        name,
        frozenset(entry.get("takes", ())),
        entry["sub"],
        exact=entry.get("exact", False),
        second_word=entry.get("second_word", False),
        verbs=entry.get("verbs", 0),
        verb_risks=verbs,
    )


@cache
def clauses(rule: str) -> tuple[Clause, ...]:
    """``"read; endless if -f --follow"`` as clauses."""
    out = []
    for part in rule.split(";"):
        match = re.fullmatch(r"\s*(.+?)(?:\s+(if|unless)\s+(.+?))?\s*", part)
        assert match is not None, f"an empty clause in {rule!r}"
        words = tuple(match.group(1).split())
        out.append(Clause(words, match.group(2) or "always", tuple((match.group(3) or "").split())))
    return tuple(out)


def known(name: str) -> bool:
    """True if the table has this program."""
    return name in table().alone or name in table().families


def has_option(args: Sequence[str], option: str, *, exact: bool = False) -> bool:
    """True if ``option`` is among ``args``: alone, with ``=value``, or in a cluster such as ``-it``."""
    if option == "ARGS":
        return any(not a.startswith("-") for a in args)
    if option == "INTERVAL":
        return sum(a.isdecimal() for a in args) == 1
    if "=" in option:
        name, _, value = option.partition("=")
        return option in args or any(a == name and b == value for a, b in pairwise(args))
    cluster = not exact and len(option) == 2 and option[0] == "-" and option[1].isalpha()
    for arg in args:
        if arg == option or (option.startswith("--") and arg.startswith(option + "=")):
            return True
        if cluster and re.fullmatch(r"-[A-Za-z]{2,5}", arg) and option[1] in arg:
            return True
    return False


def apply(rule: str, args: Sequence[str], why: str, *, exact: bool = False) -> Verdict:
    """The verdict of one table rule for these arguments."""
    verdict = Verdict("read", why)
    for clause in clauses(rule):
        given = any(has_option(args, o, exact=exact) for o in clause.options)
        if clause.condition == "always" or given == (clause.condition == "if"):
            because = why if clause.condition == "always" else f"{why} ({clause.condition} {' '.join(clause.options)})"
            for word in clause.words:
                if word in RANK:
                    verdict.risk, verdict.rule = cast(Risk, word), because
                    if clause.condition != "always":
                        verdict.flags.clear()
                else:
                    verdict.flag(word, because)
    return verdict


def judge(name: str, args: Sequence[str]) -> Verdict:
    """What ``name`` with ``args`` does by the table; an unknown program is ``disrupt``."""
    if name in table().families:
        return _judge_family(table().families[name], list(args))
    rule = table().alone.get(name)
    if rule is None:
        return Verdict("disrupt", f"unknown program {name}")
    return apply(rule, args, name)


def subcommand(family: Family, args: Sequence[str]) -> tuple[list[str], list[str]]:
    """(leading words that are not options, everything after the first of them)."""
    words: list[str] = []
    rest: list[str] = []
    index = 0
    while index < len(args):
        arg = args[index]
        if arg.startswith("-"):
            if words:
                rest.append(arg)
            if arg in family.takes and index + 1 < len(args):
                index += 1
                rest += [args[index]] if words else []
        else:
            if words:
                rest.append(arg)
            words.append(arg)
        index += 1
    return words, rest


def _judge_family(family: Family, args: list[str]) -> Verdict:
    words, rest = subcommand(family, args)
    if family.second_word:
        words = words[1:]
    if family.name == "manage.py" and not words:
        return Verdict("read", family.name)
    for length in (3, 2, 1):
        key = " ".join(words[:length])
        if len(words) >= length and key in family.subs:
            return apply(family.subs[key], rest, f"{family.name} {key}", exact=family.exact)
    if not words:
        if any(a in ("--version", "-v", "-V", "--help", "-h", "version") for a in args):
            return Verdict("read", f"{family.name} {args[0]}")
        return apply(family.subs.get("", "disrupt"), args, family.name)
    if family.verbs:
        return _by_verb(family, words)
    return Verdict("disrupt", f"{family.name} {words[0]} is not in the table")


def _by_verb(family: Family, words: list[str]) -> Verdict:
    """Cloud tools name their acts: the worst verb among the first words decides."""
    candidates = words[1 : 1 + family.verbs] or words
    for risk, verbs in family.verb_risks:
        for word in candidates:
            if word in verbs or any(word.startswith(verb + "-") for verb in verbs):
                return Verdict(risk, f"{family.name} … {word}")
    return Verdict("disrupt", f"{family.name} {' '.join(words[:2])} is not in the table")
