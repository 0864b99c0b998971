"""What workers do for checks."""

from checks import scheduler, targets, verdicts
from erpops.celery import app


@app.task(name="checks.tasks.run_check")
def run_check(check_id: int, fence: int) -> None:
    """Measure one check, if `fence` is still the current claim of it."""
    check = scheduler.begin(check_id, fence)
    if check is None:
        return
    outcome = targets.measure(target=check.target, probe=check.probe, options=check.options, timeout_s=check.timeout_s)
    verdicts.record(check=check, outcome=outcome)
