"""Celery carries ids from the web and the engine to workers. Nothing is remembered here: rows are."""

import os

from celery import Celery
from django.conf import settings
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
    task_default_queue="checks",
    imports=("checks.tasks", "runbooks.tasks"),
    timezone="UTC",
)
