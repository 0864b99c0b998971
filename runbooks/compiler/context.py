"""What the passes of one compilation share: source lines, fences already read, and what they found."""

from dataclasses import dataclass, field

from runbooks.compiler.blocks import Block
from runbooks.compiler.commands import compile_fence
from runbooks.compiler.compiled import Compiled
from runbooks.compiler.contract import Checklist, Fence, Reference, Text


@dataclass(slots=True)
class Context:
    """One document in the making. ``runbook`` and ``step`` are the lines of what is being built."""

    lines: list[str]
    references: list[Reference] = field(default_factory=list)
    checklists: list[Checklist] = field(default_factory=list)
    prose: list[Text] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    fences: dict[int, Fence] = field(default_factory=dict)
    compiled: dict[int, Compiled] = field(default_factory=dict)
    runbook: int | None = None
    step: int | None = None

    def fence(self, block: Block) -> Compiled:
        """Read a fence once; where it stands is where it is first used."""
        done = self.compiled.get(block.line)
        if done is None:
            done = compile_fence(block, self.line_before(block.line))
            self.compiled[block.line] = done
            self.problems += done.problems
            if not block.closed:
                self.problems.append((block.line, "markdown.fence", "This fence is never closed; it runs to its end."))
            self.fences[block.line] = {
                "line": block.line,
                "end_line": block.end_line,
                "tag": block.tag,
                "kind": done.kind,
                "runbook": self.runbook,
                "step": self.step,
            }
        return done

    def place(self, block_line: int, step: int | None) -> None:
        """Note the step that a fence came to stand in."""
        entry = self.fences.get(block_line)
        if entry is not None:
            entry["runbook"], entry["step"] = self.runbook, step

    def line_before(self, line: int) -> str:
        """The nearest line with text above ``line`` (at most two up)."""
        for index in (line - 2, line - 3):
            if 0 <= index < len(self.lines) and self.lines[index].strip():
                return self.lines[index].strip().strip("*_ ")
        return ""

    def text(self, line: int, end_line: int) -> Text:
        """Source lines verbatim, without the indentation that they share."""
        rows = self.lines[line - 1 : end_line]
        while rows and not rows[-1].strip():
            rows = rows[:-1]
        indent = min((len(r) - len(r.lstrip()) for r in rows if r.strip()), default=0)
        return {"line": line, "text": "\n".join(r[indent:] for r in rows)}
