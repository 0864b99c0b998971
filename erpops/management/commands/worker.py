"""A worker process."""

import os
import signal
import threading
import time
from argparse import ArgumentParser
from contextlib import suppress
from itertools import count
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from erpops import beats, pids
from erpops.celery import app

BEAT_S = 5.0
# How long a command may take to start, or a check to end, when there is no time left.
HANDING_OVER_S = 4.0
# What a worker has installed changes seldom.
FACTS_EVERY = 12


class Command(BaseCommand):
    help = "Run commands and checks for the queues that this machine can serve."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queues", default=",".join(settings.WORKER_QUEUES))
        parser.add_argument("--concurrency", type=int, default=4)

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [queue for queue in options["queues"].split(",") if queue]

        stopping = threading.Event()

        def start_beating(**_: Any) -> None:
            given = (queues, options["concurrency"], stopping)
            threading.Thread(target=_beat, args=given, daemon=True, name="beat").start()

        def begin_to_stop(**_: Any) -> None:
            stopping.set()
            threading.Thread(target=_leave_in_time, daemon=True, name="leave").start()

        worker_ready.connect(start_beating, weak=False)
        worker_shutting_down.connect(begin_to_stop, weak=False)
        app.worker_main(
            [
                "worker",
                "--loglevel=INFO",
                f"--queues={','.join(queues)}",
                f"--concurrency={options['concurrency']}",
                "--pool=prefork",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
        )


def _beat(queues: list[str], lanes: int, stopping: threading.Event) -> None:
    """Tell PostgreSQL that this worker lives and what it has; a database that is away is tried again.

    One that begins to stop takes nothing more, so it says at once that it does not count any more.
    """
    for turn in count():
        try:
            told = {**beats.facts_of(queues), "lanes": lanes} if turn % FACTS_EVERY == 0 else None
            beats.beat(role="worker", queues=queues, info=told)
            for chore in beats.chores.values():
                chore()
        except DatabaseError:
            connection.close()
        if stopping.wait(BEAT_S):
            break
    with suppress(DatabaseError):
        beats.leave()


def _leave_in_time() -> None:
    """End the process when its patience is over. Commands go on under their supervisors, which record their ends."""
    time.sleep(settings.STOP_GRACE_S)
    deadline = time.monotonic() + HANDING_OVER_S
    while lanes := pids.children(os.getpid()):
        late = time.monotonic() >= deadline
        for lane in lanes:
            # One that has just claimed a command has no process for it yet.
            if late or pids.children(lane):
                with suppress(ProcessLookupError):
                    os.kill(lane, signal.SIGKILL)
        time.sleep(0.1)
    os._exit(0)
