"""A worker process."""

import threading
from argparse import ArgumentParser
from itertools import count
from typing import Any

from celery.signals import worker_ready
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from erpops import beats
from erpops.celery import app

BEAT_S = 5.0
# What a worker has installed changes seldom.
FACTS_EVERY = 12


class Command(BaseCommand):
    help = "Run commands and checks for the queues that this machine can serve."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queues", default=",".join(settings.WORKER_QUEUES))
        parser.add_argument("--concurrency", type=int, default=4)

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [queue for queue in options["queues"].split(",") if queue]

        def start_beating(**_: Any) -> None:
            given = (queues, options["concurrency"])
            threading.Thread(target=_beat_for_ever, args=given, daemon=True, name="beat").start()

        worker_ready.connect(start_beating, weak=False)
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


def _beat_for_ever(queues: list[str], lanes: int) -> None:
    """Tell PostgreSQL that this worker lives and what it has; a database that is away is tried again."""
    pause = threading.Event()
    for turn in count():
        try:
            told = {**beats.facts_of(queues), "lanes": lanes} if turn % FACTS_EVERY == 0 else None
            beats.beat(role="worker", queues=queues, info=told)
            for chore in beats.chores.values():
                chore()
        except DatabaseError:
            connection.close()
        pause.wait(BEAT_S)
