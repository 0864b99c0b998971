"""Celery carries ids from the web and the engine to workers. Nothing is remembered here: rows are."""

import os
from typing import Any

from celery import Celery
from celery.signals import task_prerun
from django.conf import settings
from django.db import connections
from kombu.transport import redis

# Giving back messages while a broken connection is closed ends the worker for good (it has no address any more by
# then). Messages are hints: what this one had not begun is announced again by the engine.
redis.Channel.do_restore = False

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpops.settings")

app = Celery("erpops")
app.conf.update(
    broker_url=settings.REDIS_URL,
    result_backend=None,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_max_tasks_per_child=500,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 7200,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "health_check_interval": 10,
        "socket_keepalive": True,
        # Without this a sender waits 6 s for a broker that is away, and the engine pages people meanwhile.
        "max_retries": 0,
        "interval_start": 0,
    },
    task_publish_retry=False,
    # Celery would close the database's connection before and after each task; `_fresh_connection` looks at it instead.
    CELERY_DB_REUSE_MAX=2**31,
    task_default_queue="checks",
    imports=("checks.tasks", "runbooks.tasks"),
    timezone="UTC",
)


@task_prerun.connect
def _fresh_connection(**_: Any) -> None:
    """A connection that broke since the last task is opened anew at its first use."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
