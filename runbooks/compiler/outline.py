"""The section tree to runbooks, references and checklists: what each heading is."""

import re

from runbooks.compiler import checklists, metadata, phases, references, roles, titles
from runbooks.compiler.blocks import Block
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Runbook
from runbooks.compiler.sections import Section


def build(root: Section, title: str, context: Context) -> list[Runbook]:
    """All runbooks of the document; references, checklists and loose prose go to ``context``."""
    runbooks: list[Runbook] = []
    tops = root.children
    for block in root.blocks:
        _loose(block, root, context)
    for top in tops:
        process(top, None, [title] if len(tops) == 1 else [], runbooks, context)
    if not runbooks and not _only_references(root, context):
        whole = tops[0] if len(tops) == 1 else root
        context.prose = [] if whole is root else context.prose
        runbooks.append(make_runbook(whole, None, [], context, fallback_title=title))
    return runbooks


def build_one(root: Section, category: str | None, trail: list[str], context: Context) -> Runbook:
    """The one runbook of a slice: its first heading and all below it, under the headings of `trail`."""
    for block in root.blocks:
        _loose(block, root, context)
    first, *others = root.children
    runbook = make_runbook(first, category, trail, context)
    for other in others:
        _prose_only(other, context)
    return runbook


def _only_references(root: Section, context: Context) -> bool:
    return bool(context.references or context.checklists) or not any(s.blocks for s in root.walk())


# -- walking ---------------------------------------------------------------------------------------


def process(
    section: Section, category: str | None, trail: list[str], runbooks: list[Runbook], context: Context
) -> None:
    """Make a runbook, a reference, a checklist or a container of ``section``."""
    reference = titles.reference_of(section.title)
    below = roles.explicit_below(section)
    if titles.is_toc(section.title):
        _prose_only(section, context)
    elif roles.is_explicit(section) and not below:
        runbooks.append(make_runbook(section, category, trail, context))
    elif (
        reference
        and section.level > 1
        and not below
        and not roles.is_explicit(section)
        and not _several(section, reference)
    ):
        context.references.append(references.build(section, _kind(reference), context))
    elif roles.checklists_only(section) and not below:
        _checklist_section(section, context)
    elif titles.is_background(section.title) and not below and not roles.acts(section) and section.level > 1:
        _prose_only(section, context)
    elif below or _is_container(section) or (reference and _several(section, reference)):
        _container(section, category, trail, runbooks, context)
    elif roles.acts(section) or any(roles.acts(s) for s in section.walk()):
        runbooks.append(make_runbook(section, category, trail, context))
    elif runbooks or section.level > 1:
        _prose_only(section, context)
    else:
        _container(section, category, trail, runbooks, context)


def _several(section: Section, reference: str) -> bool:
    """Command sets and code tables under one heading are looked up one by one."""
    children = [c for c in section.children if c.kind == "heading"]
    return (
        reference in ("other", "error_codes")
        and len(children) > 1
        and all(titles.reference_of(c.title) for c in children)
    )


def _kind(reference: str) -> str:
    return "alert_rules" if reference == "related_alerts" else reference


def _is_container(section: Section) -> bool:
    """A heading whose sub-headings are procedures of their own: some number their steps from one."""
    children = [c for c in section.children if c.kind == "heading"]
    if roles.acts(section) or not children:
        return False
    own = [c for c in children if not titles.reference_of(c.title) and not roles.checklists_only(c)]
    if any(roles.numbered(c) or titles.scheduled(c.title.text) for c in own):
        return True
    if any(_is_container(c) for c in own):
        return True
    return len(own) < len(children) and not any(roles.acts(c) for c in own)


def _container(
    section: Section, category: str | None, trail: list[str], runbooks: list[Runbook], context: Context
) -> None:
    if section.line > 1 or section.kind == "heading":
        context.prose.append(context.text(section.line, section.end_line or section.line))
    for block in section.blocks:
        _loose(block, section, context)
    inner = category if category is not None or section.level <= 1 else section.title.text
    pending: list[Section] = []
    for child in section.children:
        if titles.phase_of(child.title) == "symptoms" and roles.explicit_below(section):
            pending.append(child)
            continue
        before = len(runbooks)
        process(child, inner, [*trail, section.title.text], runbooks, context)
        if len(runbooks) > before:
            for waiting in pending:
                _take_symptoms(waiting, runbooks[before], context)
            pending = []
    for left in pending:
        _prose_only(left, context)


def _loose(block: Block, section: Section, context: Context) -> None:
    """A block outside of every runbook."""
    if block.kind == "table":
        reference = references.start(references.table_kind(block), block.line, section.title.text)
        reference["rows"] = references.table_rows(block)
        context.references.append(reference)
    elif checklists.is_task_list(block):
        checklists.take_checklist(block, section.title.text, section.line, context)
    elif block.kind == "fence":
        reference = references.start("other", block.line, section.title.text)
        references.take_block(block, reference, context)
        context.references.append(reference)
    elif block.kind != "rule":
        context.prose.append(context.text(block.line, block.end_line))


def _prose_only(section: Section, context: Context) -> None:
    context.prose.append(context.text(section.line, section.end_line or section.line))
    for block in section.blocks:
        _loose(block, section, context)
    for child in section.children:
        _prose_only(child, context)


def _checklist_section(section: Section, context: Context) -> None:
    for part in section.walk():
        if part is not section:
            context.prose.append(context.text(part.line, part.end_line or part.line))
        for block in part.blocks:
            if block.kind in ("bullets", "numbered"):
                checklists.take_checklist(block, section.title.text, section.line, context)
            else:
                _loose(block, section, context)


# -- one runbook -----------------------------------------------------------------------------------


def make_runbook(
    section: Section, category: str | None, trail: list[str], context: Context, fallback_title: str = ""
) -> Runbook:
    """The runbook of a section: metadata, symptoms, phases."""
    marker = titles.RUNBOOK.match(section.title.text)
    issue = titles.ISSUE.match(section.title.text)
    title = marker.group(1) if marker else issue.group(1) if issue else section.title.text or fallback_title
    fields = metadata.Fields()
    body = [b for b in section.blocks if not metadata.read_block(b, fields)]
    runbook: Runbook = {
        "title": title,
        "line": section.line,
        "kind": "operation",
        "category": fields.category or category,
        "alerts": fields.alerts,
        "severity": fields.severity,
        "response_time_s": fields.response_time_s,
        "thresholds": fields.thresholds,
        "schedule": None,
        "symptoms": [],
        "phases": [],
        "prose": [],
        "evidence": fields.evidence,
    }
    outer, context.runbook = context.runbook, section.line
    named = titles.alert_name(title)
    if named and not fields.alerts:
        fields.alerts.append(named)
    _body(section, body, runbook, fields, context)
    context.runbook = outer
    _schedule(section, fields, runbook)
    _listed_thresholds(runbook)
    runbook["kind"] = _runbook_kind(runbook, section, category, trail)
    return runbook


def _listed_thresholds(runbook: Runbook) -> None:
    """“CPU usage < 70%” lines of a plain text block are thresholds."""
    for phase in runbook["phases"]:
        for step in phase["steps"]:
            for block in step["blocks"]:
                if block["kind"] == "text":
                    runbook["thresholds"] += [
                        titles.bare(row) for row in block["text"].split("\n") if metadata.COMPARED.search(row)
                    ]


def _schedule(section: Section, fields: metadata.Fields, runbook: Runbook) -> None:
    if fields.schedule_text is None and titles.scheduled(section.title.text):
        fields.schedule_text = section.title.text
    runbook["schedule"] = fields.schedule


def _body(section: Section, body: list[Block], runbook: Runbook, fields: metadata.Fields, context: Context) -> None:
    own = titles.phase_of(section.title)
    main = phases.start(
        own if own and own != "symptoms" else "procedure", section.title.text, section.line, section.title.time_box_s
    )
    view = Section(section.title, section.line, section.level, section.kind, section.raw, section.end_line, body)
    view.children = [c for c in section.children if c.kind == "heading" or not titles.phase_of(c.title)]
    phases.take_blocks(body, view, main, context)
    runbook["phases"].append(main)
    current = main
    for child in _hoisted(section.children):
        current = _take_part(child, current, runbook, fields, context)
    for phase in list(runbook["phases"]):
        if not phase["steps"] and not phase["items"] and phase is main:
            runbook["prose"] += phase["prose"]
            runbook["phases"].remove(phase)


def _hoisted(children: list[Section]) -> list[Section]:
    """“Related documentation” at the end of a phase belongs to the runbook, not to the phase."""
    out: list[Section] = []
    for child in children:
        related = [
            c for c in child.children if c.kind == "lead" and (titles.reference_of(c.title) or "").startswith("related")
        ]
        child.children = [c for c in child.children if c not in related]
        out += [child, *related]
    return out


def _take_part(
    child: Section, current: "phases.Phase", runbook: Runbook, fields: metadata.Fields, context: Context
) -> "phases.Phase":
    """One child of a runbook section; returns the phase that following “Step N” children join."""
    phase = titles.phase_of(child.title)
    reference = titles.reference_of(child.title)
    is_step = titles.STEP.match(child.title.text) or titles.OPTION.match(child.title.text) or _numbered_step(child)
    if phase == "symptoms":
        _take_symptoms(child, runbook, context)
    elif is_step and not (phase and _numbered_step(child)):
        holder = Section(child.title, child.line, child.level, "lead", children=[child])
        phases.take_body(holder, current, context)
    elif reference == "related_alerts":
        _take_related(child, runbook, fields, context)
    elif reference and not phase:
        context.references.append(references.build(child, reference, context))
    elif phase:
        built = phases.build(child, phase, context)
        runbook["phases"].append(built)
        return built
    elif roles.checklists_only(child):
        _checklist_section(child, context)
    elif child.kind == "lead" or not any(roles.acts(s) for s in child.walk()):
        _take_other(child, current, runbook, context)
    elif _leaf_with_fence(child):
        phases.take_body(Section(child.title, child.line, child.level, "lead", children=[child]), current, context)
    else:
        built = phases.build(child, "procedure", context)
        runbook["phases"].append(built)
        return built
    return current


def _numbered_step(child: Section) -> bool:
    return child.kind == "heading" and bool(titles.NUMBERED.match(child.title.text))


def _leaf_with_fence(child: Section) -> bool:
    return not child.children and not roles.numbered(child) and any(b.kind == "fence" for b in child.blocks)


def _take_other(child: Section, current: "phases.Phase", runbook: Runbook, context: Context) -> None:
    """A bold lead or a heading without steps: a list of items, steps under a lead, or background."""
    if child.kind == "lead" and roles.acts(child):
        current["prose"].append(context.text(child.line, child.end_line or child.line))
        phases.take_body(child, current, context)
        return
    built = phases.build(child, "other", context)
    if built["items"] or built["steps"]:
        runbook["phases"].append(built)
    else:
        runbook["prose"].append(context.text(child.line, child.end_line or child.line))
        runbook["prose"] += built["prose"]


def _take_symptoms(child: Section, runbook: Runbook, context: Context) -> None:
    runbook["evidence"].append({"line": child.line, "field": "symptoms", "text": context.lines[child.line - 1]})
    for block in child.blocks:
        if block.kind in ("bullets", "numbered"):
            for item in block.children:
                text = item.children[0].text if item.children else ""
                runbook["symptoms"].append(text)
                runbook["evidence"].append(
                    {"line": item.line, "field": "symptom", "text": context.text(item.line, item.end_line)["text"]}
                )
                if metadata.COMPARED.search(text):
                    runbook["thresholds"].append(text)
        elif block.kind == "paragraph":
            runbook["symptoms"].append(" ".join(block.text.split()))
            runbook["evidence"].append(
                {"line": block.line, "field": "symptom", "text": context.text(block.line, block.end_line)["text"]}
            )
        elif block.kind != "rule":
            _loose(block, child, context)
    for nested in child.children:
        _prose_only(nested, context)


def _take_related(child: Section, runbook: Runbook, fields: metadata.Fields, context: Context) -> None:
    runbook["evidence"].append({"line": child.line, "field": "related_alerts", "text": context.lines[child.line - 1]})
    for block in child.blocks:
        for item in block.children if block.kind == "bullets" else []:
            text = item.children[0].text if item.children else ""
            if not metadata.related_alert(text, fields, item.line):
                runbook["evidence"].append({"line": item.line, "field": "note", "text": text})
        if block.kind not in ("bullets", "rule"):
            runbook["prose"].append(context.text(block.line, block.end_line))


def _runbook_kind(runbook: Runbook, section: Section, category: str | None, trail: list[str]) -> str:
    if runbook["schedule"] is not None:
        return "scheduled"
    if runbook["alerts"] or runbook["severity"] or runbook["symptoms"]:
        return "incident"
    if titles.ISSUE.match(section.title.text):
        return "incident"
    around = " ".join([category or "", *trail[1:]])
    failing = re.search(r"fail|error|\bdown\b|stuck|crash|issue|problem", section.title.text, re.IGNORECASE)
    for text in (section.title.text, around):
        calm = text is not around or not re.search(r"emergency|troubleshoot|incident response", text, re.IGNORECASE)
        if titles.is_operation(text) and calm and not failing:
            return "operation"
        if titles.is_incident(text):
            return "incident"
    return "operation"
