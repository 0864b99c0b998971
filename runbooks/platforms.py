"""What a runbook's commands are written for, Kubernetes or Docker, and what an environment runs on."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import connection

from checks.choices import TargetKind
from checks.models import Target
from incidents.models import Environment
from runbooks import walk

KUBERNETES, DOCKER = "Kubernetes", "Docker"
_PROGRAMS = {
    **dict.fromkeys(("kubectl", "oc", "helm", "k9s", "kustomize"), KUBERNETES),
    **dict.fromkeys(("docker", "docker-compose", "podman", "podman-compose", "nerdctl"), DOCKER),
}
_TARGETS: dict[str, str] = {TargetKind.KUBERNETES: KUBERNETES, TargetKind.DOCKER: DOCKER}
# What an environment is called, where it has no target that tells.
_NAMES = {"k8s": KUBERNETES, "kubernetes": KUBERNETES, "docker": DOCKER, "compose": DOCKER}
_WRITTEN_FOR = """
SELECT v.runbook_id, coalesce(array_agg(DISTINCT p.program) FILTER (WHERE p.program IS NOT NULL), '{}'),
       v.compiled -> 'severity'
FROM runbooks_runbook r JOIN runbooks_version v ON v.id = r.current_id
LEFT JOIN LATERAL (
    SELECT jsonb_path_query(v.compiled, '$.phases[*].**.programs[*]') #>> '{}' AS program
) p ON p.program = ANY(%s)
WHERE r.id = ANY(%s)
GROUP BY v.id
"""


def of_compiled(compiled: Mapping[str, Any]) -> frozenset[str]:
    """What the commands of a compiled runbook are written for; nothing if any place will do."""
    return _of_programs(program for command in walk.all_commands(compiled) for program in command.get("programs", ()))


def of_environments(places: Collection[Environment]) -> dict[int, frozenset[str]]:
    """What each runs on, by its targets, else by its name; nothing where nobody has said."""
    found: dict[int, set[str]] = {place.pk: set() for place in places}
    rows = Target.objects.filter(environment__in=list(found), enabled=True, kind__in=list(_TARGETS))
    for key, kind in rows.values_list("environment_id", "kind"):
        found[key].add(_TARGETS[kind])
    for place in places:
        if not found[place.pk]:
            called = f"{place.name} {place.label}".lower()
            found[place.pk] = {platform for word, platform in _NAMES.items() if word in called}
    return {pk: frozenset(platforms) for pk, platforms in found.items()}


def of_runbooks(runbooks: Collection[int]) -> dict[int, tuple[frozenset[str], list[str]]]:
    """By runbook: what the published version is written for, and its words for severity; one query."""
    if not runbooks:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN_FOR, [list(_PROGRAMS), list(runbooks)])
        rows = cursor.fetchall()
    return {pk: (_of_programs(programs), _listed(severity)) for pk, programs, severity in rows}


def _of_programs(programs: Iterable[str]) -> frozenset[str]:
    return frozenset(_PROGRAMS[program] for program in programs if program in _PROGRAMS)


def _listed(value: Any) -> list[str]:
    # The driver hands jsonb over as Django sets it up: as text.
    found = json.loads(value) if isinstance(value, str) else value
    return [str(word) for word in found or []]
