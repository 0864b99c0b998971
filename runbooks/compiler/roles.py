"""What a section is, as far as it can be told from itself: a runbook, a container, something to do."""

import re

from runbooks.compiler import metadata, titles
from runbooks.compiler.blocks import Block
from runbooks.compiler.sections import Section

_STRONG = frozenset(
    "symptoms pre_deployment post_deployment rollback deployment immediate diagnosis resolution verification "
    "escalation prevention".split()
)


def own_fields(section: Section) -> metadata.Fields:
    """Metadata among the direct blocks of a section."""
    fields = metadata.Fields()
    for block in section.blocks:
        metadata.read_block(block, fields)
    return fields


def is_explicit(section: Section) -> bool:
    """True if a section says that it is a runbook: by marker, alert, schedule, phases or steps."""
    if section.kind == "lead":
        return False
    if titles.RUNBOOK.match(section.title.text):
        return True
    if checklists_only(section) or titles.reference_of(section.title) or titles.is_background(section.title):
        return False
    phase = titles.phase_of(section.title)
    if any(e["field"] in metadata.ACTIVE for e in own_fields(section).evidence):
        return not (phase and section.level > 2)
    if phase and phase != "procedure" and section.level > 1:
        return False
    if titles.alert_name(section.title.text) or (section.level > 1 and _scheduled_work(section)):
        return True
    return any(_strong(child) or titles.STEP.match(child.title.text) for child in section.children)


def _scheduled_work(section: Section) -> bool:
    """“Daily review”: a title with a rhythm over something to do."""
    return bool(titles.scheduled(section.title.text)) and any(s.blocks for s in section.walk())


def _strong(child: Section) -> bool:
    """A phase by title, unless it merely groups several numbered procedures."""
    if titles.phase_of(child.title) not in _STRONG:
        return False
    groups = [c for c in child.children if c.kind == "heading" and any(b.kind == "numbered" for b in c.blocks)]
    return len(groups) < 2


def explicit_below(section: Section) -> bool:
    return any(is_explicit(child) or explicit_below(child) for child in section.children if child.kind == "heading")


def acts(section: Section) -> bool:
    """True if a section itself holds something to do: a numbered list or a fence that is not just text."""
    for block in section.blocks:
        if block.kind == "fence" or (block.kind == "numbered" and not is_toc(block)):
            return True
    return any(acts(child) for child in section.children if child.kind == "lead")


def is_toc(block: Block) -> bool:
    texts = [i.children[0].text if i.children else "" for i in block.children]
    return bool(texts) and all(re.match(r"^\[.*\]\(#.*\)\s*$", t.strip()) for t in texts)


def numbered(section: Section) -> bool:
    return any(b.kind == "numbered" and not is_toc(b) for b in section.blocks)


def checklists_only(section: Section) -> bool:
    return titles.is_checklist(section.title) and titles.phase_of(section.title) is None
