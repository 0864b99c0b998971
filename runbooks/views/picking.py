"""Picking a parameter's value: from what the environment's targets hold now, or from a row of earlier output."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import Http404, HttpResponse, QueryDict
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from erpops import access
from erpops.htmx import HtmxRequest
from incidents.views.answers import sheet
from runbooks import addresses, executions, output, output_tables, page_queries, pickers, secret_values, variables, walk
from runbooks.access import get_run_for
from runbooks.models import CommandRun
from runbooks.output_tables import Record, Table
from runbooks.refusals import Refused
from runbooks.resolved import pieces
from runbooks.views import walking
from runbooks.views.walking import REFUSALS, Walk, act_on

_TEMPLATE = "runbooks/room/pick_sheet.html"
# How far into an output rows are looked for: lines.
_LINES = 600


@dataclass(frozen=True)
class Source:
    """Something to pick from, with the address that opens it."""

    label: str
    url: str
    current: bool


@dataclass
class Pick:
    """One opened picker: for the parameter `name`, from the list `listed` or from the output of `run`."""

    opened: Walk
    name: str
    listed: str = ""
    run: CommandRun | None = None
    problem: str = ""
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def item(self) -> dict[str, Any]:
        """The parameter as the runbook has it."""
        return self.wanted[self.name]

    @cached_property
    def text(self) -> str:
        """The commands of the walk that ask for it, their values filled in."""
        execution = self.opened.execution
        values = {answer.name: answer.value for answer in self.opened.step.parameters if not answer.is_secret}
        values |= {n: str(v) for n, v in execution.values.items() if not secret_values.is_secret(n)}
        found = [c for c in walk.all_commands(execution.version.compiled) if _asks(c, self.name)]
        here = [c for c in found if c in executions.commands_of(self.opened.step.run)] or found
        return "\n".join("".join(p.text for p in pieces(c["text"], c["parameters"], values)) for c in here)

    @cached_property
    def lists(self) -> tuple[str, ...]:
        """The lists that fit, those that the environment can give first."""
        fitting = pickers.lists_for(self.item, self.text)
        here = [name for name in fitting if name == pickers.SECRETS or pickers.LISTS[name].target in self.given.places]
        return tuple(here) or fitting[:1]

    @cached_property
    def given(self) -> variables.Variables:
        return variables.of(self.opened.execution.environment)

    @cached_property
    def runs(self) -> list[CommandRun]:
        """The latest attempts of the walk that printed something, the newest first."""
        return page_queries.printed(self.opened.execution)

    @cached_property
    def listing(self) -> pickers.Listing | None:
        """What the targets say now; asked once."""
        if self.run is not None or not self.listed:
            return None
        if self.listed == pickers.SECRETS:
            return pickers.references(self.given.secrets)
        values = {answer.name: answer.value for answer in self.opened.step.parameters}
        wanted = pickers.wanted_by(self.text, values)
        return pickers.ask(self.listed, self.item, self.given.places, wanted, self.given.secrets)

    @cached_property
    def tables(self) -> list[Table]:
        """The rows of the output; what was masked in it cannot be picked."""
        if self.run is None:
            return []
        lines = output.lines(run=self.run, last=_LINES)
        return output_tables.tables((line.number, line.text) for line in lines if line.stream == "out")

    def sources(self) -> list[Source]:
        """Everything that it can be picked from."""
        found = [
            Source(self._label(name), self.url(listed=name), name == self.listed and self.run is None)
            for name in self.lists
        ]
        return found + [
            Source(f"Output of {_place(run)}", self.url(run=run), self.run is not None and run.pk == self.run.pk)
            for run in self.runs
        ]

    def _label(self, name: str) -> str:
        return "Secrets of the environment" if name == pickers.SECRETS else pickers.LISTS[name].label.capitalize()

    def url(self, *, listed: str = "", run: CommandRun | None = None) -> str:
        """The address of this picker at another source."""
        asked: dict[str, str | int] = {"name": self.name}
        asked |= {"list": listed} if listed else {}
        asked |= {"run": run.pk} if run else {}
        where = addresses.of_walk(self.opened.execution, "step_pick", position=self.opened.position)
        return f"{where}?{urlencode(asked)}"


@require_http_methods(["GET", "POST"])
@access.needs("run_commands")
def pick(request: HtmxRequest, execution: int, position: int, number: int | None = None) -> HttpResponse:
    """The rows to pick a parameter's value from, and the picking. Reading a target needs the right to run commands."""
    opened = act_on(request, number, execution, position)
    sent = request.POST if request.method == "POST" else request.GET
    asked = _asked(opened, sent, request)
    if request.method == "GET":
        return _shown(request, asked, sent)
    try:
        value, origin = _picked(asked, sent)
        executions.set_values(execution=opened.execution, values={asked.name: value}, by=request.user, origin=origin)
    except REFUSALS as error:
        asked.problem = str(error)
        return _shown(request, asked, sent, status=409)
    response = walking.whole(request, walking.again(opened))
    response.headers["HX-Trigger"] = "sheet:close"
    return response


def _asked(opened: Walk, sent: QueryDict, request: HtmxRequest) -> Pick:
    wanted = executions.parameters_of(opened.execution)
    run = _run(request, opened, sent.get("run", ""))
    name = sent.get("name", "")
    if run is not None and not name:
        # Opened from an output: what is still missing is asked for first.
        open_ones = [answer.name for answer in opened.step.parameters if not answer.value]
        name = next(iter([*open_ones, *(a.name for a in opened.step.parameters), *wanted]), "")
    if name not in wanted:
        raise Http404("No command of this runbook asks for that.")
    asked = Pick(opened, name, run=run, wanted=wanted)
    if run is None:
        asked.listed = sent.get("list", "") if sent.get("list", "") in asked.lists else next(iter(asked.lists), "")
        if not asked.listed and asked.runs:
            asked.run = asked.runs[0]
    return asked


def _run(request: HtmxRequest, opened: Walk, sent: str) -> CommandRun | None:
    if not sent.isdecimal() or len(sent) > 18:
        return None
    run = get_run_for(request.user, int(sent))
    if run.step_run.execution_id != opened.execution.pk:
        raise Http404("That output belongs to another walk.")
    return run


def _asks(command: dict[str, Any], name: str) -> bool:
    return any(parameter["name"] == name for parameter in command["parameters"])


def _shown(request: HtmxRequest, asked: Pick, sent: QueryDict, *, status: int = 200) -> HttpResponse:
    listing, narrowed = asked.listing, sent.get("q", "").strip()[:80]
    rows = [row for row in listing.rows if _holds(narrowed, row.value, *row.cells)] if listing else []
    context = walking.context(asked.opened) | {
        "pick": asked,
        "listing": listing,
        "rows": rows,
        "tables": [Table(table.columns, _narrowed(table.rows, narrowed)) for table in asked.tables],
        "narrowed": narrowed,
        "place_of_run": _place(asked.run) if asked.run else "",
        "names": [name for name in asked.wanted if not secret_values.is_secret(name)],
        "sheet_title": f"A value for {asked.name}",
    }
    response = sheet(request, _TEMPLATE, context, status=status)
    if status != 200:
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#sheet-body", "innerHTML"
    return response


def _narrowed(rows: tuple[Record, ...], narrowed: str) -> tuple[Record, ...]:
    return tuple(row for row in rows if _holds(narrowed, *row.cells))


def _holds(narrowed: str, *cells: str) -> bool:
    return narrowed.lower() in " ".join(cells).lower()


def _picked(asked: Pick, sent: QueryDict) -> tuple[str, dict[str, Any]]:
    """The value and where it was taken from; refused if it is not there (any more)."""
    at = {"step": asked.opened.position}
    if asked.run is not None:
        value = _cell(asked.tables, sent.get("cell", ""))
        return value, {"from": "output", "detail": _place(asked.run), "run": asked.run.pk, **at}
    listing, value = asked.listing, sent.get("value", "")
    if listing is None or listing.problem:
        raise Refused(listing.problem if listing else "There is no list to pick from: type the value.")
    if value not in {row.value for row in listing.rows}:
        raise Refused(f"“{value[:80]}” is not among the {listing.label} any more: pick again.")
    if asked.listed == pickers.SECRETS:
        return secret_values.reference(value), {"from": "secret", "detail": f"“{value}”", **at}
    return value, {"from": "live", "detail": f"the {listing.label}", **at}


def _cell(found: list[Table], sent: str) -> str:
    line, _, column = sent.partition(":")
    rows = {str(row.line): row for table in found for row in table.rows}
    row = rows.get(line)
    if row is None or not column.isdecimal() or int(column[:4]) >= len(row.cells) or not row.cells[int(column)]:
        raise Refused("That cell is not in the output: pick again.")
    if secret_values.SHOWN in row.cells[int(column)]:
        raise Refused("What is masked cannot be picked: type the value.")
    return row.cells[int(column)]


def _place(run: CommandRun) -> str:
    return f"step {run.step_run.position + 1}, command {run.command + 1}"
