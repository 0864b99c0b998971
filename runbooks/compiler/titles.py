"""What a heading or bold lead says: phase, reference, checklist, step, option, condition, time box."""

import re
from dataclasses import dataclass

_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400}
_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:[-–]\s*(\d+(?:\.\d+)?)\s*)?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b", re.IGNORECASE
)
_BOX = re.compile(r"\(([^()]*)\)\s*:?\s*$")
_BOXED = re.compile(
    r"(?:[\w ]+[-–—:,]\s*)?(?:within|under|max\.?|about|up to|approx\.?|for|first|next)?\s*[~<≤]?\s*"
    r"(?:\d+(?:\.\d+)?\s*[-–]\s*)?\d+(?:\.\d+)?\s*(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?: max\.?)?",
    re.IGNORECASE,
)
RUNBOOK = re.compile(r"^(?:runbook|playbook|sop|procedure|incident|alert)\s*(?:#?\d+)?\s*[:–—-]\s+(.+)$", re.IGNORECASE)
STEP = re.compile(r"^step\s+(\d+(?:\.\d+)*[a-z]?)\s*(?:[:.)–—-]\s*|\s+|$)(.*)$", re.IGNORECASE)
NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2})*)[.)]?\s+(\S.*)$")
OPTION = re.compile(r"^(?:option|alternative|approach|method|variant)\s+([A-Z]|\d)\s*(?:[:.)–—-]\s*|$)(.*)$", re.IGNORECASE)
ISSUE = re.compile(r"^(?:issue|problem|scenario|case|symptom|error)\s*#?\d+\s*[:.–—-]\s*(.+)$", re.IGNORECASE)
_QUALIFIER = re.compile(r"\((?:only )?(?:if|when|as)\s+[^()]*\)\s*$|\boptional(?:ly)?\b|\bif (?:needed|necessary|required|safe|applicable|appropriate|possible|any|desired)\.?$", re.IGNORECASE)
_ALERT_NAME = re.compile(r"^[A-Z][A-Za-z0-9]*(?:_?[A-Z][A-Za-z0-9]*)+$")
_ALERT_ENDS = re.compile(
    r"(?:Down|High|Low|Failed|Failing|Failure|Failures|Errors?|Missing|Full|Slow|Exhausted|Lag|Unavailable|Crash\w*|Rate|"
    r"Latency|Unhealthy|Unreachable|NotReady|Pressure|Stuck|Expired|Expiring|Mismatch|Exceeded|Stopped|Restart\w*|Critical|"
    r"Warning|Usage|Saturation|Behind|Backlog|Drift|Burn\w*|Looping|Filling\w*|Absent|Inconsistent|Degraded|Outage|Timeout)$"
)

# (phase, pattern over the whole lower-case title without its time box); the first hit wins
_PHASES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (phase, re.compile(pattern))
    for phase, pattern in (
        ("symptoms", r"(?:common |key |possible |typical )?(?:symptoms?|signs|indicators|what you see)(?: (?:&|and) \w+)?"),
        ("pre_deployment", r"pre[- ]?(?:deployment|deploy|release|flight|requisites?|upgrade|rollout)\b.*|before (?:you )?(?:begin|start|deploy\w*).*|prerequisites"),
        ("post_deployment", r"post[- ]?(?:deployment|deploy|release|upgrade|rollout)\b.*|after (?:the )?deploy\w*.*"),
        ("post_incident", r"post[- ]?(?:incident|mortem|recovery|resolution)\b.*|after (?:the )?incident.*|follow[- ]?ups?(?: actions?)?|lessons learned"),
        ("rollback", r"(?:deployment |emergency )?roll[- ]?back(?: (?:steps|procedures?|plan|process|instructions))?|reverting|how to roll ?back"),
        ("deployment", r"deploy(?:ment|ing)?(?: (?:steps|process|procedure))?"),
        ("immediate", r"(?:immediate|first|initial|quick|emergency)(?: response| steps?| actions?| mitigation| checks?| fix(?:es)?| triage| assessment)+s?|first[- ]aid|immediately|triage|stop the bleeding|quick (?:fix(?:es)?|mitigation)"),
        ("diagnosis", r"(?:initial |further |quick )?(?:diagnos(?:is|tics?|e|ing)|investigat(?:ion|e|ing)|troubleshoot(?:ing)?|debug(?:ging)?|analysis|assess(?:ment)?|root[- ]cause(?: analysis)?)(?: (?:steps?|guide|procedure|commands|checks|actions|&|and) ?\w*)*|how to (?:investigate|debug|diagnose|troubleshoot)|(?:possible|common|potential|likely) causes?"),
        ("resolution", r"(?:possible |quick |full |long[- ]term |short[- ]term |common |permanent )*(?:resol(?:ution|ve|utions)|mitigat(?:ion|e|ions)|remediat(?:ion|e)|fix(?:es|ing)?|solutions?|recovery|workarounds?|corrective actions?|repair|actions?)(?: (?:steps?|actions?|procedures?|options?|strategies|&|and) ?\w*)*|how to (?:fix|resolve|mitigate|recover).*|what to do"),
        ("verification", r"(?:verif(?:ication|y|ying)|validat(?:ion|e)|confirm(?:ation)?|success criteria|health verification|post[- ]checks?)(?: (?:steps?|of \w+|the \w+|resolution|checklist|recovery|fix|procedure)?\s?\w*)*"),
        ("escalation", r"escalat(?:ion|e|ing)(?: (?:procedures?|criteria|steps?|policy|process))?|when to escalate|who to (?:contact|call)"),
        ("prevention", r"prevent(?:ion|ative|ive|ing)?(?: (?:measures?|actions?|steps?|recurrence|maintenance tasks?))*|long[- ]term (?:fix|prevention|actions?)|future prevention"),
        ("communication", r"communicat(?:ion|e|ions)(?: (?:plan|steps?|template|templates))?|notif(?:y|ication|ications)|stakeholder (?:communication|updates?)|status updates?"),
        ("procedure", r"(?:detailed |standard |the )?(?:procedures?|steps?|instructions?|process|how[- ]?to|tasks?|runbook|playbook|workflow|actions to take|walkthrough)(?: (?:steps?|details?))?"),
    )
)  # fmt: skip
_BACKGROUND = re.compile(
    r"(?:overview|introduction|about|purpose|scope|meaning|impact|background|summary|description|context|definitions?|"
    r"glossary|notes?|details|audience|architecture|full context|what (?:is|does) .*|alert (?:details|description|meaning)|"
    r"business impact|severity|why .*|assumptions|history|changelog|revision history)"
)
_TOC = re.compile(r"(?:table of )?contents|toc|index|on this page")
_REFERENCES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("other", r"accessing .*"),
        ("escalation_matrix", r"escalation (?:matrix|table|levels?)"),
        ("escalation_path", r"escalation (?:path|chain|order|timeline)"),
        ("contacts", r"(?:\w+ )?(?:contacts?|contact (?:information|list|details|info))(?: .*)?|on[- ]?call(?: (?:contacts?|rotation|schedule))?|who to call|escalation contacts"),
        ("error_codes", r".*\b(?:error|status|exit|return) codes?\b.*"),
        ("alert_index", r"quick reference(?: .*)?|alert(?:s)? (?:index|overview|reference|list|summary|mapping)|runbook index|list of (?:alerts|runbooks)"),
        ("alert_rules", r"(?:.* )?alert(?:ing)? (?:configuration|rules?|definitions?)(?: .*)?|prometheus rules?"),
        ("thresholds", r".*\bthresholds?\b.*|slos?|service level.*"),
        ("log_queries", r".*\b(?:log|logs|loki|kibana|elasticsearch|splunk) quer(?:y|ies)\b.*"),
        ("metrics", r"(?!.*dashboard).*\bmetrics?(?: to (?:monitor|watch))?$|(?:useful |key |common )?(?:prometheus |promql )quer(?:y|ies)"),
        ("dashboards", r".*\bdashboards?$|dashboards? .*|monitoring (?:links|urls)"),
        ("related_documents", r"(?:related|further|additional|external|useful)?\s*(?:documentation|documents?|docs|links?|reading|resources|references?|runbooks|see also)|see also|references?|appendix.*"),
        ("related_alerts", r"related alerts?"),
        ("other", r"(?:quick |useful |common |helpful |handy |basic )+(?:commands?|diagnostics|checks)|.*\b(?:commands|endpoints|diagnostics|cheat ?sheet)$|accessing .*|(?:\w+ )?stack|tools|access"),
    )
)  # fmt: skip
_CHECKLIST = re.compile(r".*\bcheck[- ]?list\b.*")
_SCHEDULED = re.compile(r"\b(daily|hourly|weekly|monthly|quarterly|nightly|yearly|annual(?:ly)?)\b", re.IGNORECASE)
_INCIDENT = re.compile(
    r"troubleshoot|issue|emergenc|incident|outage|error|fail|down\b|leak|corrupt|alert|exhaust|high |slow|crash|lock|problem|"
    r"unavailab|not (?:working|responding|ready)|won't|cannot|stuck|attack|unauthori|too many|out of|disk space|latency|storm|full\b",
    re.IGNORECASE,
)
_OPERATION = re.compile(
    r"optimi[sz]|backup|restore|deploy|roll ?back|upgrade|maintenance|migrat|rotat|scal(?:e|ing) |provision|install|configur|setup|"
    r"onboard|recovery testing|manual health|renew|create|add(?:ing)? |remov|how to|regenerate|procedures? for|release|cleanup|post-incident",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Title:
    """A plain title; ``core`` is lower case without time box, number and punctuation."""

    text: str
    core: str
    time_box_s: int | None


def read(plain: str) -> Title:
    """Take a title apart."""
    text = plain.strip().rstrip(":").strip()
    box = _BOX.search(text)
    core = _BOX.sub("", text) if box else text
    core = re.sub(r"^(?:phase\s+)?\d+(?:\.\d+)*[.):]?\s+|^step\s+\d+\s*[:.-]\s*", "", core, flags=re.IGNORECASE)
    core = re.sub(r"[^\w\s&'/-]", " ", core).strip().lower()
    boxed = box is not None and _BOXED.fullmatch(box.group(1).strip())
    return Title(text, " ".join(core.split()), duration(box.group(1)) if box and boxed else None)


def duration(text: str) -> int | None:
    """The first duration of a text in seconds; the longer end of a range."""
    match = _DURATION.search(text)
    if not match:
        return None
    unit = match.group(3).lower()
    unit = unit.rstrip("s") if len(unit) > 1 else unit
    return int(float(match.group(2) or match.group(1)) * _SECONDS[unit])


def phase_of(title: Title) -> str | None:
    """The phase that a title names outright, or ``symptoms``."""
    return next((phase for phase, pattern in _PHASES if pattern.fullmatch(title.core)), None)


def is_background(title: Title) -> bool:
    return bool(_BACKGROUND.fullmatch(title.core))


def is_toc(title: Title) -> bool:
    return bool(_TOC.fullmatch(title.core))


def is_checklist(title: Title) -> bool:
    return bool(_CHECKLIST.fullmatch(title.core))


def reference_of(title: Title) -> str | None:
    """The kind of reference that a title announces."""
    return next((kind for kind, pattern in _REFERENCES if pattern.fullmatch(title.core)), None)


def alert_name(text: str) -> str | None:
    """The title itself if it is written like the name of an alert."""
    name = text.strip().strip("`")
    humps = len(re.findall(r"[A-Z][a-z0-9]+", name))
    if _ALERT_NAME.match(name) and (humps >= 3 or (humps == 2 and _ALERT_ENDS.search(name))):
        return name
    return None


def condition_of(title: str) -> str | None:
    """“If disk is full” from a title that begins with it; “if > 150” from one that holds a comparison."""
    text = title.strip().rstrip(":").strip()
    match = re.match(r"^((?:if|when)\s.+)$", text, re.IGNORECASE)
    if match and not re.match(r"^when to\b", text, re.IGNORECASE):
        return re.split(r"\s+[-–—]\s+|,\s+(?![^()]*\))|:\s+", match.group(1), maxsplit=1)[0]
    inner = re.search(r"\b(if\s+(?:[<>≥≤]=?\s*\S+|(?!needed|necessary|required|safe|applicable|any|possible)[^()]*?[<>]\s*\d[^()]*))$", text, re.IGNORECASE)
    return inner.group(1) if inner else None


def is_optional(title: str) -> bool:
    """A trailing qualifier such as “(if safe)”, “if needed”, “(optional)”."""
    text = title.strip().rstrip(":").strip()
    return bool(_QUALIFIER.search(text)) and not re.match(r"^if\b", text, re.IGNORECASE)


def scheduled(text: str) -> str | None:
    match = _SCHEDULED.search(text)
    return match.group(1).lower() if match else None


def is_incident(text: str) -> bool:
    return bool(_INCIDENT.search(text + " "))


def is_operation(text: str) -> bool:
    return bool(_OPERATION.search(text + " "))


def bare(line: str) -> str:
    """A line of a plain list without its bullet, branch or tick."""
    return re.sub(r"^[\s├└│┌─✓•*+-]+", "", line).strip()
