"""What workers do for checks."""

from checks import credentials, scheduler, targets, verdicts
from checks.models import Target
from erpops.celery import app


@app.task(name="checks.tasks.run_check")
def run_check(check_id: int, fence: int) -> None:
    """Measure one check, if `fence` is still the current claim of it."""
    check = scheduler.begin(check_id, fence)
    if check is None:
        return
    outcome = targets.measure(target=check.target, probe=check.probe, options=check.options, timeout_s=check.timeout_s)
    if check.target.credential:
        credentials.handed_out(Target.objects.filter(pk=check.target_id))
    verdicts.record(check=check, outcome=outcome)
