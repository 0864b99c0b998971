"""When checks run: on time, one at a time, once for all the slots that were missed."""

from typing import Any

import pytest
import redis
from django.conf import settings

from checks import scheduler, tasks
from checks.models import Check, Result
from erpops import beats, clock
from erpops.celery import app
from tests.checks.conftest import MakeCheck

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker_lives(db: None) -> None:
    beats.beat(role="worker", queues=["checks"])


def sent(valkey: redis.Redis) -> int:
    return int(valkey.llen("checks"))


def late(check: Check, seconds: float) -> None:
    Check.objects.filter(pk=check.pk).update(next_at=clock.now() - clock.seconds(seconds))


def test_a_due_check_is_sent_once_and_keeps_its_rhythm(
    make_check: MakeCheck, worker_lives: None, valkey: redis.Redis
) -> None:
    check = make_check(interval_s=30)
    late(check, 4)
    slot = Check.objects.get().next_at
    assert slot is not None
    assert scheduler.send_due() == 1
    assert scheduler.send_due() == 0
    assert sent(valkey) == 1
    assert Check.objects.get().next_at == slot + clock.seconds(30)


def test_a_check_in_flight_is_passed_over_until_its_lease_ends(
    make_check: MakeCheck, worker_lives: None, valkey: redis.Redis
) -> None:
    check = make_check(interval_s=10, timeout_s=60)
    late(check, 1)
    assert scheduler.send_due() == 1
    late(check, 1)
    assert scheduler.send_due() == 0
    Check.objects.update(lease_until=clock.now() - clock.seconds(1))
    assert scheduler.send_due() == 1


def test_missed_slots_become_one_and_are_spread(make_check: MakeCheck, worker_lives: None, valkey: redis.Redis) -> None:
    for number in range(20):
        late(make_check(f"check-{number}", interval_s=30), 300)
    assert scheduler.spread_late() == 20
    slots = sorted(Check.objects.values_list("next_at", flat=True))  # type: ignore[type-var]
    assert slots[0] is not None and slots[-1] is not None
    assert clock.now() <= slots[0] and slots[-1] <= clock.now() + clock.seconds(scheduler.SPREAD_S)
    assert len(set(slots)) == 20
    assert scheduler.send_due() < 20
    Check.objects.filter(lease_until=None).update(next_at=clock.now())
    scheduler.send_due()
    assert sent(valkey) == 20


def test_a_new_check_gets_its_first_slot_soon(make_check: MakeCheck) -> None:
    make_check()
    assert scheduler.spread_late() == 1
    assert scheduler.spread_late() == 0
    assert Check.objects.get().next_at is not None


def test_nothing_is_sent_without_a_worker_to_take_it(make_check: MakeCheck, valkey: redis.Redis) -> None:
    check = make_check()
    late(check, 1)
    assert scheduler.send_due() == 0
    assert Check.objects.get().fence == 0


def test_disabled_checks_and_targets_rest(make_check: MakeCheck, worker_lives: None, valkey: redis.Redis) -> None:
    late(make_check("off", enabled=False), 1)
    resting = make_check("resting")
    resting.target.enabled = False
    resting.target.save(update_fields=["enabled"])
    late(resting, 1)
    assert scheduler.send_due() == 0


def test_a_broker_that_is_away_costs_no_time_and_no_check(
    make_check: MakeCheck, worker_lives: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = make_check(timeout_s=5)
    late(check, 1)
    monkeypatch.setattr(scheduler, "_sending", scheduler.Chore(0))
    gone = app.connection_for_write("redis://127.0.0.1:1/0")
    began = scheduler.time.monotonic()
    with gone, monkeypatch.context() as patched:
        patched.setattr(app.amqp, "_producer_pool", None)
        patched.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
        patched.setattr(app, "_pool", None)
        assert scheduler.send_due() == 0
    assert scheduler.time.monotonic() - began < 2
    assert not scheduler._sending.due()
    Check.objects.update(lease_until=clock.now() - clock.seconds(1), next_at=clock.now())
    app.amqp._producer_pool = None
    app._pool = None
    assert scheduler.send_due() == 1


def test_only_the_first_copy_of_the_current_message_runs(
    make_check: MakeCheck, worker_lives: None, valkey: redis.Redis
) -> None:
    check = make_check()
    late(check, 1)
    scheduler.send_due()
    fence = Check.objects.get().fence
    for number in (fence + 7, fence - 1, fence, fence, fence + 1):
        tasks.run_check(check.pk, number)
    assert Result.objects.count() == 1


def test_a_message_that_waited_past_its_lease_runs_nothing(
    make_check: MakeCheck, worker_lives: None, valkey: redis.Redis
) -> None:
    check = make_check()
    late(check, 1)
    scheduler.send_due()
    Check.objects.update(lease_until=clock.now() - clock.seconds(1))
    tasks.run_check(check.pk, Check.objects.get().fence)
    assert not Result.objects.exists()


def test_a_run_frees_the_check_for_its_next_slot(
    make_check: MakeCheck, worker_lives: None, valkey: redis.Redis
) -> None:
    port = settings.REDIS_URL.rpartition("@")[2].partition("/")[0]
    check = make_check(address=port, unit="ms", warning_at=None, critical_at=None)
    late(check, 1)
    scheduler.send_due()
    tasks.run_check(check.pk, Check.objects.get().fence)
    after = Check.objects.get()
    assert (after.verdict, after.lease_until) == ("up", None)
    late(check, 1)
    assert scheduler.send_due() == 1


def test_one_tick_does_all_of_it(make_check: MakeCheck, worker_lives: None, valkey: redis.Redis) -> None:
    check: Any = make_check()
    late(check, 1)
    for chore in (scheduler._spreading, scheduler._sending, scheduler._listening, scheduler._forgetting):
        chore.postpone(-1)
    assert scheduler.tick() == 1
