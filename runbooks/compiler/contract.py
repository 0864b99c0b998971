"""The shape of a compiled document, as it is stored, served and printed.

Lines are 1-based lines of the repaired, newline-normalised text. Wherever an entry has ``line`` and
``text``, the text is verbatim and spans as many lines as it holds.
"""

from typing import Any, Literal, NotRequired, TypedDict

Risk = Literal["read", "change", "disrupt", "destroy", "blocked"]
RISKS: tuple[Risk, ...] = ("read", "change", "disrupt", "destroy", "blocked")


class Text(TypedDict):
    """Prose kept where it stands."""

    line: int
    text: str


class Parameter(TypedDict):
    """A value that a command needs; ``default`` is the one the text itself offers."""

    name: str
    notation: str
    type: str
    line: int
    default: NotRequired[str]


class Expected(TypedDict):
    """What a command should print; ``assertion`` is null when only a person can judge it."""

    text: str
    line: int
    assertion: dict[str, Any] | None


class Note(TypedDict):
    """A comment beside commands and what it is: instruction, alternative, condition, query, setting."""

    line: int
    text: str
    kind: str


class Why(TypedDict):
    """Which rule derived a value of this command, and what the executor does about it."""

    about: str
    rule: str
    line: int
    effect: NotRequired[str]


class Command(TypedDict):
    """One logical executable unit, verbatim."""

    line: int
    end_line: int
    kind: str
    text: str
    label: str | None
    programs: list[str]
    risk: Risk
    flags: list[str]
    parameters: list[Parameter]
    expected: list[Expected]
    shares_shell_with: list[int]
    notes: list[Note]
    why: list[Why]
    # Declared by the document (declared.py): why it may be repeated; the line of the command that tells if it is done.
    repeatable: NotRequired[str]
    decided_by: NotRequired[int]


class Block(TypedDict):
    """A fence, or part of one, that is not run."""

    line: int
    end_line: int
    kind: str
    tag: str | None
    text: str
    notes: list[Note]


class Item(TypedDict):
    line: int
    text: str
    checkbox: bool


class Step(TypedDict):
    number: str
    title: str
    line: int
    time_box_s: int | None
    condition: str | None
    optional: bool
    manual: bool
    option_group: str | None
    links: list[str]
    prose: list[Text]
    commands: list[Command]
    blocks: list[Block]


class Phase(TypedDict):
    phase: str
    heading: str
    line: int
    time_box_s: int | None
    items: list[Item]
    steps: list[Step]
    prose: list[Text]


class Schedule(TypedDict):
    text: str
    cron: str | None
    owner: str | None
    duration_s: int | None


class Evidence(TypedDict):
    """The line of text behind a field of the runbook."""

    line: int
    field: str
    text: str


class Runbook(TypedDict):
    title: str
    line: int
    kind: str
    category: str | None
    alerts: list[str]
    severity: list[str]
    response_time_s: int | None
    thresholds: list[str]
    schedule: Schedule | None
    symptoms: list[str]
    phases: list[Phase]
    prose: list[Text]
    evidence: list[Evidence]


class Row(TypedDict):
    line: int
    text: str
    cells: dict[str, str]


class Reference(TypedDict):
    kind: str
    line: int
    title: str
    rows: list[Row]
    commands: list[Command]
    blocks: list[Block]
    prose: list[Text]


class ChecklistItem(TypedDict):
    line: int
    text: str
    checked: bool
    commands: list[Command]
    blocks: list[Block]
    items: list["ChecklistItem"]


class Checklist(TypedDict):
    title: str
    line: int
    runbook: int | None
    items: list[ChecklistItem]


class Fence(TypedDict):
    """Every fence of the document; ``runbook`` and ``step`` are the lines of the ones it stands in."""

    line: int
    end_line: int
    tag: str | None
    kind: str
    runbook: int | None
    step: int | None


class Finding(TypedDict):
    line: int
    rule: str
    level: Literal["error", "warning", "info"]
    message: str
    suggestion: str | None


class Document(TypedDict):
    path: str
    title: str
    lines: int
    encoding_repair: str | None
    runbooks: list[Runbook]
    references: list[Reference]
    checklists: list[Checklist]
    fences: list[Fence]
    findings: list[Finding]
    suppressed: list[Any]
    prose: list[Text]
    unaccounted_lines: list[int]


class Documents(TypedDict):
    documents: list[Document]
