"""Doorbells over Redis: "look again at this topic". Losing one costs a poll, never an effect."""

import logging
import os
import threading
import time
from contextlib import suppress
from functools import lru_cache

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)

CHANNEL = "erpops:nudge"
_QUIET_S = 3.0
_quiet = threading.local()


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


# A pool that was forked while another thread held its lock would hold it for ever.
os.register_at_fork(after_in_child=_client.cache_clear)


def connect() -> None:
    """Connect to the broker ahead of the first doorbell of this process; one that is away is not waited for."""
    if settings.REDIS_URL:
        with suppress(redis.RedisError):
            _client().ping()


def nudge(topic: str) -> None:
    """Ring `topic` after the running transaction commits (at once if there is none)."""
    transaction.on_commit(lambda: ring(topic), robust=True)


def ring(topic: str) -> None:
    """Ring now. A broker that is away is logged once in a while and left alone for a moment."""
    if not settings.REDIS_URL or time.monotonic() < getattr(_quiet, "until", 0.0):
        return
    try:
        _client().publish(CHANNEL, topic)
    except redis.RedisError as error:
        _quiet.until = time.monotonic() + _QUIET_S
        logger.warning("No doorbell for %s: %s", topic, error)
