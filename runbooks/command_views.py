"""A command of a step, what it should print, and an item of a list, as a page shows them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from runbooks.approval_views import Standing
from runbooks.choices import TERMINAL_RUNS, Risk, RunStatus
from runbooks.models import CommandRun
from runbooks.resolved import Piece, marked
from runbooks.standing import Typical
from runbooks.walk import Decider


@dataclass(frozen=True)
class Expectation:
    """What a command should print. `ok` is None as long as only a person can say; `reason` says what was compared."""

    text: str
    assertion: dict[str, Any] | None = None
    ok: bool | None = None
    reason: str = ""
    # What a person saw where no machine can judge, as `runbooks.observing` keeps it, and what the answer names.
    observed: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True)
class CommandView:
    """One command of a step with its attempts, newest first. `because` says why it cannot run here."""

    index: int
    kind: str
    item: int | None
    label: str
    risk: str
    gate: str
    because: str
    text: str
    pieces: list[Piece]
    warnings: list[str]
    expected: list[Expectation]
    notes: list[str]
    missing: list[str]
    runs: list[CommandRun] = field(default_factory=list)
    # It can be tried again until its expected result holds.
    may_wait: bool = False
    # What the runbook names to find out how it ended.
    decider: Decider | None = None
    # It destroys in production: another lead has to approve it, and where that stands.
    approved_by_another: bool = False
    approval: Standing | None = None
    # What the view adds: the latest attempt's output, and whether the page shows another state of it.
    viewer: Any = None
    changed: bool = True
    # How long it takes as a rule, None if it has not succeeded yet.
    typical: Typical | None = None

    @property
    def html(self) -> SafeString:
        """The resolved text with its values marked."""
        return marked(self.pieces)

    @property
    def place(self) -> str:
        """What distinguishes it from the others of its step."""
        return f"command {self.index + 1}"

    @property
    def earlier(self) -> list[CommandRun]:
        return self.runs[1:]

    @property
    def latest(self) -> CommandRun | None:
        return self.runs[0] if self.runs else None

    @property
    def following(self) -> int:
        """The number of the attempt that would be the next."""
        return self.latest.attempt + 1 if self.latest else 1

    @property
    def live(self) -> bool:
        return self.latest is not None and self.latest.status not in TERMINAL_RUNS

    @property
    def unsettled(self) -> bool:
        """The last attempt has an outcome that nobody knows, so a person has to say."""
        return self.latest is not None and self.latest.status == RunStatus.OUTCOME_UNKNOWN

    @property
    def lingering(self) -> bool:
        """It was told to stop and may still run."""
        return self.latest is not None and self.latest.status == RunStatus.STOP_UNCONFIRMED

    @property
    def ready(self) -> bool:
        return not (self.missing or self.live or self.unsettled or self.lingering or self.gate == Risk.BLOCKED)

    @property
    def must_ask(self) -> bool:
        """An approval has to be asked for before it can run."""
        return self.approved_by_another and (self.approval is None or not self.approval.ready)

    @property
    def waits_for_another(self) -> bool:
        """It was asked for, and nothing but the answer is left to wait for."""
        asked = self.approval
        return self.must_ask and asked is not None and asked.open and asked.own

    @property
    def verb(self) -> str:
        """What its first button says; a command that only reads runs with it."""
        word = "Run again" if self.runs else "Run"
        return word if self.gate == Risk.READ else f"{word}…"


@dataclass(frozen=True)
class ItemView:
    """One item of a list that is ticked off, with what belongs to it."""

    index: int
    group: str
    html: SafeString
    depth: int
    ticked: bool
    blocks: list[Mapping[str, Any]]
    # What a person saw, as `runbooks.observing` keeps it.
    observed: Mapping[str, Any] = field(default_factory=dict)
    commands: list[CommandView] = field(default_factory=list)

    @property
    def about(self) -> str:
        """What an answer to it names."""
        return f"item:{self.index}"

    @property
    def printed(self) -> str:
        """What its commands came to, as a beginning of the answer; empty if none has ended."""
        ended = [command for command in self.commands if command.latest and not command.live]
        said = [item.reason for command in ended for item in command.expected if item.reason]
        return "; ".join(said or [command.latest.get_status_display() for command in ended if command.latest])[:300]
