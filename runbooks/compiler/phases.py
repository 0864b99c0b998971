"""One section of a runbook to a phase: its items, its steps and what is left as prose."""

import re

from runbooks.compiler import inline, references, steps, titles, told, trees
from runbooks.compiler.blocks import Block, walk
from runbooks.compiler.checklists import is_task_list, take_checklist
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Phase, Step
from runbooks.compiler.sections import Section
from runbooks.compiler.steps import Draft

ITEM_PHASES = frozenset(["verification", "prevention", "escalation", "post_deployment", "pre_deployment"])
_RUNS = frozenset(["shell", "script", "sql", "promql", "logql", "lucene", "env", "comment"])


def start(phase: str, heading: str, line: int, time_box_s: int | None = None) -> Phase:
    return {
        "phase": phase,
        "heading": heading,
        "line": line,
        "time_box_s": time_box_s,
        "items": [],
        "steps": [],
        "prose": [],
    }


def build(section: Section, phase: str, context: Context) -> Phase:
    """The phase of a section with everything below it."""
    out = start(phase, section.title.text, section.line, section.title.time_box_s)
    take_body(section, out, context)
    return out


def take_body(section: Section, out: Phase, context: Context) -> None:
    """Read the direct blocks, then the sub-sections, into ``out``."""
    take_blocks(section.blocks, section, out, context)
    group: str | None = None
    for child in section.children:
        group = _take_child(child, group, out, context)


def take_blocks(blocks: list[Block], section: Section, out: Phase, context: Context) -> None:
    """Blocks that stand directly in a phase, in document order."""
    numbered = any(b.kind == "numbered" for b in blocks)
    fences = [b for b in blocks if b.kind == "fence"]
    only_fence = len(fences) == 1 and not numbered and not section.children
    lead = ""
    for block in blocks:
        if block.kind == "numbered":
            for item in block.children:
                number = str(item.number or len(out["steps"]) + 1)
                out["steps"].append(steps.finish(steps.from_item(item, number), context))
        elif block.kind == "fence":
            _take_fence(block, lead or section.title.text, only_fence, out, context)
        elif block.kind == "bullets":
            _take_bullets(block, section, numbered, out, context)
        elif block.kind == "table":
            reference = references.start(references.table_kind(block), block.line, section.title.text)
            reference["rows"] = references.table_rows(block)
            context.references.append(reference)
        elif block.kind != "rule":
            _take_prose(block, out, context)
            lead = inline.plain(block.text.split("\n")[-1]).rstrip(":") if block.kind == "paragraph" else ""
            lead = lead if len(lead) <= steps.TITLE_MAX else ""


def _take_prose(block: Block, out: Phase, context: Context) -> None:
    """A paragraph; one with a command in code ticks is a step, for hazards hide there too."""
    text = context.text(block.line, block.end_line)
    if out["phase"] not in ITEM_PHASES and told.tells(text["text"]):
        title, _ = steps.split_title(block.text)
        draft = Draft(title, block.line, str(len(out["steps"]) + 1), blocks=[block])
        out["steps"].append(steps.finish(draft, context))
    else:
        out["prose"].append(text)


def _take_fence(block: Block, title: str, only_fence: bool, out: Phase, context: Context) -> None:
    compiled = context.fence(block)
    if trees.is_tree(compiled):
        made = trees.steps_of(compiled)
        before = [(n, t) for n, t in trees.lines_of(compiled) if not made or n < made[0]["line"]]
        out["prose"] += [{"line": n, "text": t} for n, t in before]
        out["steps"] += made
        return
    if steps.has_step_comments(compiled):
        drafts = steps.from_step_comments(compiled)
    elif only_fence and compiled.kind in ("shell", "sql") and steps.leading_comments(compiled) > 1:
        drafts = steps.from_leading_comments(compiled)
    else:
        _take_plain_fence(block, title, out, context)
        return
    made = [steps.finish(d, context) for d in drafts]
    out["steps"] += made
    context.place(block.line, made[0]["line"] if made else None)


def _take_plain_fence(block: Block, title: str, out: Phase, context: Context) -> None:
    """A fence without steps of its own: it joins a step that is waiting for one, or is one."""
    compiled = context.fence(block)
    if compiled.kind not in _RUNS and not compiled.commands:
        target = out["steps"][-1] if out["steps"] else None
        if target is None:
            target = _manual(title, block.line, out)
        steps.take_fence(compiled, target)
        context.place(block.line, target["line"])
        return
    draft = Draft(title or "Run this", block.line, str(len(out["steps"]) + 1), blocks=[block])
    out["steps"].append(steps.finish(draft, context))


def _manual(title: str, line: int, out: Phase) -> Step:
    step = trees.empty_step("1", title or "Read this", line)
    out["steps"].append(step)
    return step


def _take_bullets(block: Block, section: Section, numbered: bool, out: Phase, context: Context) -> None:
    if is_task_list(block):
        take_checklist(block, section.title.text, section.line, context)
    with_fence = any(b.kind == "fence" for b in walk(block.children))
    as_items = out["phase"] in ITEM_PHASES or numbered or is_task_list(block) or not _is_procedure(block, out)
    if as_items and not (with_fence and not is_task_list(block)):
        _take_items(block, out, context)
        return
    for item in block.children:
        draft = steps.from_item(item, str(len(out["steps"]) + 1))
        out["steps"].append(steps.finish(draft, context))


def _is_procedure(block: Block, out: Phase) -> bool:
    """Bullets of an acting phase without numbered steps are its acts."""
    return out["phase"] in (
        "immediate",
        "diagnosis",
        "resolution",
        "procedure",
        "rollback",
        "deployment",
        "communication",
        "post_incident",
    ) and bool(block.children)


def _take_items(block: Block, out: Phase, context: Context) -> None:
    for item in block.children:
        first = item.children[0] if item.children else None
        if first is None or first.kind != "paragraph":
            continue
        task = re.match(r"\[[ xX]\]\s+", first.text)
        out["items"].append(
            {"line": item.line, "text": first.text[task.end() :] if task else first.text, "checkbox": bool(task)}
        )
        for nested in item.children[1:]:
            if nested.kind in ("bullets", "numbered"):
                _take_items(nested, out, context)
            elif nested.kind == "paragraph":
                out["prose"].append(context.text(nested.line, nested.end_line))


def _take_child(child: Section, group: str | None, out: Phase, context: Context) -> str | None:
    """A sub-section: step, option, or a part whose own steps belong here. Returns the open option group."""
    text = child.title.text
    step = titles.STEP.match(text) or (titles.NUMBERED.match(text) if child.kind == "heading" else None)
    option = titles.OPTION.match(text)
    if step or option:
        number = step.group(1) if step else f"{group or '1'}{option.group(1)}" if option else ""
        title = (step.group(2) or text) if step else text
        group_name = f"{group or '1'}@{out['line']}" if option else None
        _take_step_section(child, Draft(title, child.line, number, group_name), out, context)
        return step.group(1) if step else group
    own_steps = any(b.kind == "numbered" for s in child.walk() for b in s.blocks)
    fences = [b for b in child.blocks if b.kind == "fence"]
    if fences and not own_steps and not child.children and out["phase"] not in ITEM_PHASES:
        many = len(fences) == 1 and steps.has_step_comments(context.fence(fences[0]))
        if not many:
            draft = Draft(text, child.line, str(len(out["steps"]) + 1), blocks=child.blocks)
            out["steps"].append(steps.finish(draft, context))
            return None
    out["prose"].append(context.text(child.line, child.end_line or child.line))
    take_body(child, out, context)
    return None


def _take_step_section(child: Section, draft: Draft, out: Phase, context: Context) -> None:
    """“Step N” as heading or lead; nested options become steps of one option group."""
    draft.blocks = [b for b in child.blocks if b.kind != "rule"]
    for block in draft.blocks:
        if is_task_list(block):
            take_checklist(block, child.title.text, child.line, context)
    step = steps.finish(draft, context)
    out["steps"].append(step)
    for nested in child.children:
        option = titles.OPTION.match(nested.title.text)
        if option:
            inner = Draft(
                nested.title.text, nested.line, f"{draft.number}{option.group(1)}", f"{draft.number}@{child.line}"
            )
            _take_step_section(nested, inner, out, context)
        else:
            step["prose"].append(context.text(nested.line, nested.end_line or nested.line))
            inner_step = steps.finish(Draft(draft.title, nested.line, blocks=nested.blocks), context)
            step["commands"] += inner_step["commands"]
            step["blocks"] += inner_step["blocks"]
            step["prose"] += inner_step["prose"]
            step["links"] += inner_step["links"]
    step["manual"] = not step["commands"]
