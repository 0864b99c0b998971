"""What workers do for checks."""

from billiard.exceptions import SoftTimeLimitExceeded

from checks import scheduler, targets, verdicts
from checks.targets import Outcome
from erpops.celery import app


@app.task(name="checks.tasks.run_check")
def run_check(check_id: int, fence: int) -> None:
    """Measure one check, if `fence` is still the current claim of it."""
    check = scheduler.begin(check_id, fence)
    if check is None:
        return
    try:
        outcome = targets.measure(
            target=check.target, probe=check.probe, options=check.options, timeout_s=check.timeout_s
        )
    except SoftTimeLimitExceeded:
        outcome = Outcome(
            None, f"The probe took longer than its limit of {check.timeout_s} s.", check.timeout_s * 1000
        )
    verdicts.record(check=check, outcome=outcome)
