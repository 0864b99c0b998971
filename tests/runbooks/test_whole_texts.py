"""What a text means to a person who walks it: option groups, checklists with commands, links."""

from typing import Any

import pytest

from runbooks import crossings, executions, library, runner, walk
from runbooks.compiler import compile_text
from runbooks.models import Execution, Runbook, Version
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, walk_of

pytestmark = pytest.mark.django_db

DEPLOYMENT = """# Shop procedures

## Shop release

### Before deployment

- [ ] Tests pass
  ```bash
  make -n test
  ```
- [ ] Everybody knows
  - [ ] The team
  - [ ] The shop

### Steps

**Option A: Blue-green**

```bash
kubectl get service shop
```

**Option B: Canary**

```bash
kubectl get deployment shop
```

### Rollback

If it fails, see [Emergency Rollback](#emergency-rollback) and [the site](https://shop.example/status).

## Emergency Rollback

1. Go back

   ```bash
   kubectl rollout undo deployment/shop
   ```
"""


def published(text: str = DEPLOYMENT, path: str = "shop.md") -> dict[str, Runbook]:
    report = library.import_text(text=text, path=path, publish=True)
    return {version.runbook.title: version.runbook for version in report.versions}


def walked(title: str) -> Walk:
    """A walk of one of the published runbooks."""
    version = Version.objects.get(runbook=published()[title])
    other = walk_of(dict(version.compiled))
    Execution.objects.filter(pk=other.execution.pk).update(version=version)
    return Walk(Execution.objects.get(pk=other.execution.pk), other.user, other.incident)


def steps(place: Walk) -> dict[str, int]:
    """Positions by title."""
    compiled = place.execution.version.compiled
    return {walk.plain(walk.step_of(compiled, run)["title"]): run.position for run in place.execution.steps.all()}


def test_a_checklist_is_a_step_and_its_items_bring_their_commands() -> None:
    place = walked("Shop release")
    position = steps(place)["Before deployment"]
    step = executions.compiled_step(place.step(position))
    assert [(item["text"], item["depth"]) for item in step["items"]] == [
        ("Tests pass", 0),
        ("Everybody knows", 0),
        ("The team", 1),
        ("The shop", 1),
    ]
    assert [command["text"] for command in executions.commands_of(place.step(position))] == ["make -n test"]


def test_a_phase_that_only_says_something_is_a_step_to_read() -> None:
    place = walked("Shop release")
    assert "Rollback" in steps(place)


def test_taking_one_option_leaves_the_others_out() -> None:
    place = walked("Shop release")
    at = steps(place)
    options = [position for title, position in at.items() if title.startswith("Option")]
    executions.mark_done(step_run=place.step(options[0]), note="", by=place.user)
    other = place.step(options[1])
    assert (other.status, other.reason) == ("skipped", walk.OTHER_OPTION)
    with pytest.raises(Refused, match="was taken instead"):
        executions.mark_done(step_run=other, note="", by=place.user)
    with pytest.raises(Refused, match="was taken instead"):
        runner.request(step_run=place.step(options[1]), command=0, by=place.user)
    assert place.step(options[1]).runs.count() == 0


def test_after_an_option_was_given_up_the_next_may_be_taken() -> None:
    place = walked("Shop release")
    options = [position for title, position in steps(place).items() if title.startswith("Option")]
    executions.skip(step_run=place.step(options[0]), reason="too risky now", by=place.user)
    executions.mark_done(step_run=place.step(options[1]), note="", by=place.user)
    assert place.step(options[1]).status == "passed"


def test_links_lead_to_steps_and_runbooks_and_what_is_missing_is_said() -> None:
    place = walked("Shop release")
    resolve = crossings.of(place.execution)
    there = Runbook.objects.get(title="Emergency Rollback")
    text = (
        "[Emergency Rollback](#emergency-rollback), [wiki](../WIKI.md), [list](#before-deployment), [out](https://a.b/)"
    )
    found = resolve(text)
    assert f"[Emergency Rollback](/r/{there.slug}/)" in found
    assert "wiki (not in the library: ../WIKI.md)" in found
    assert f"/step/{steps(place)['Before deployment']}/)" in found
    assert "[out](https://a.b/)" in found


def test_a_runbook_that_is_named_in_quotes_becomes_a_link() -> None:
    place = walked("Shop release")
    there = Runbook.objects.get(title="Emergency Rollback")
    assert crossings.of(place.execution)('see "Emergency Rollback" above') == (
        f"see [Emergency Rollback](/r/{there.slug}/) above"
    )
    assert crossings.of(place.execution)('see "Nothing like it"') == 'see "Nothing like it"'


def test_no_line_of_a_checklist_is_walked_twice() -> None:
    document: dict[str, Any] = dict(compile_text(DEPLOYMENT, path="shop.md"))
    place = walked("Shop release")
    lines = [
        item["line"]
        for phase in place.execution.version.compiled["phases"]
        for step in [phase, *phase["steps"]]
        for item in step.get("items", [])
    ]
    assert len(lines) == len(set(lines))
    assert document["unaccounted_lines"] == []
