"""Reading the arguments of a command as the programs in Go do, and refusing every option that is not known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.standins.ending import Ended, NotUnderstood


@dataclass
class Given:
    """The arguments of one call: `words` without options, `after` those behind `--`, options by their long name."""

    words: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)

    def on(self, name: str) -> bool:
        """Whether a switch was given and not turned off with `=false`."""
        return self.text(name, "false").lower() in ("true", "1", "t")

    def has(self, name: str) -> bool:
        """Whether an option was given at all."""
        return name in self.options

    def text(self, name: str, default: str = "") -> str:
        """The last value of an option."""
        return self.options.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """All values of an option, in order."""
        return self.options.get(name, [])

    def number(self, name: str, default: int) -> int:
        """The value of an option as a whole number."""
        said = self.text(name, str(default))
        try:
            return int(said)
        except ValueError:
            raise Ended(1, f'invalid argument "{said}" for "--{name}" flag: invalid syntax') from None


@dataclass(frozen=True)
class Known:
    """The options of a subcommand. Written as `-a/--all -f/--filter= --dry-run=?`.

    `=` takes a value, `=?` takes one only after an equals sign and is `true` without.
    """

    long: Mapping[str, str]
    short: Mapping[str, str]

    @classmethod
    def of(cls, *specs: str) -> "Known":
        """Both tables from their notation; the kind of an option is ``, `=` or `=?`."""
        long, short = {}, {}
        for one in " ".join(specs).split():
            names = one.rstrip("=?")
            kind = one[len(names) :]
            *letters, name = names.split("/")
            long[name.lstrip("-")] = kind
            short.update({letter[1:]: name.lstrip("-") for letter in letters})
        return cls(long, short)


@dataclass(frozen=True)
class Subcommand:
    """What a subcommand understands and what carries it out: `run(connection, given)` gives the exit status.

    `stops`: what follows the first plain word belongs to another program, whatever it looks like.
    """

    run: Callable[[Any, Given], int]
    options: str = ""
    least: int = 0
    most: int | None = None
    stops: bool = False


def read(words: Sequence[str], known: Known, *, stops: bool = False) -> Given:
    """Sort `words` into plain ones and options. Raises NotUnderstood for an option that is not known."""
    given = Given()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            given.after = rest
            break
        if word.startswith("--"):
            _long(word, rest, known, given)
        elif word.startswith("-") and word != "-":
            _short(word, rest, known, given)
        else:
            given.words.append(word)
            if stops:
                given.words += rest
                break
    return given


def _long(word: str, rest: list[str], known: Known, given: Given) -> None:
    name, equals, value = word[2:].partition("=")
    if name not in known.long:
        raise NotUnderstood(f"the option --{name}")
    if not equals:
        value = _value(f"--{name}", rest) if known.long[name] == "=" else "true"
    given.options.setdefault(name, []).append(value)


def _short(word: str, rest: list[str], known: Known, given: Given) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = known.short.get(letter)
        if name is None:
            raise NotUnderstood(f"the option -{letter}")
        value = "true"
        if known.long[name] == "=":
            value = letters.removeprefix("=") if letters else _value(f"-{letter}", rest)
            letters = ""
        elif letters.startswith("="):
            value, letters = letters[1:], ""
        given.options.setdefault(name, []).append(value)


def _value(option: str, rest: list[str]) -> str:
    if not rest:
        raise Ended(1, f"flag needs an argument: {option}")
    return rest.pop(0)


def choose(
    table: Mapping[str, Subcommand], words: Sequence[str], before: str = ""
) -> tuple[str, Subcommand, list[str]]:
    """The subcommand that `words` begin with, of two words or of one, and the rest."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in table:
            return name, table[name], list(words[length:])
    said = " ".join(words[:1]) or "a call without a subcommand"
    raise NotUnderstood(f"the subcommand {before}{said}" if words else said)


def check_count(program: str, name: str, subcommand: Subcommand, given: Given) -> None:
    """Refuse too few and too many plain words, as the real program does."""
    count = len(given.words) + len(given.after)
    if count < subcommand.least:
        plural = "s" if subcommand.least > 1 else ""
        raise Ended(1, f"{program}: '{program} {name}' requires at least {subcommand.least} argument{plural}")
    if subcommand.most is not None and count > subcommand.most:
        raise Ended(1, f"{program}: '{program} {name}' accepts at most {subcommand.most} arguments")
