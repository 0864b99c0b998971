"""Who looks at what right now: short-lived entries in Valkey, written by live streams.

An entry says that somebody's stream watches a topic, and at which place of the page; it is renewed while the stream
goes on and gone a quarter of a minute after it stopped. Nothing depends on any of it: without Valkey nobody is
said to be anywhere.
"""

import logging
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

from erpops import nudges
from erpops.sse import Frame, changed, feeds

logger = logging.getLogger(__name__)

KIND = "here"
STAYS_MS = 15_000
PLACE = re.compile(r"[a-z0-9][a-z0-9/-]{0,79}")
_QUIET_S = 3.0
_quiet = threading.local()
# Times are the server's. A version is a time as well, so that it grows even after everything was lost.
_RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local changed = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] == 'gone' then
  changed = changed + redis.call('ZREM', KEYS[1], ARGV[1])
else
  changed = changed + redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if changed > 0 then
  local before = tonumber(redis.call('GET', KEYS[2]) or '0')
  redis.call('SET', KEYS[2], string.format('%.0f', math.max(now, before + 1)), 'EX', 86400)
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
return changed
"""


@dataclass(frozen=True)
class Entry:
    """One stream: `topic` is what it watches, `place` where on its page the person is."""

    topic: str
    stream: str
    user_id: int
    place: str

    @property
    def member(self) -> str:
        return f"{self.stream} {self.user_id} {self.place}"


def renew(entries: Iterable[Entry], *, gone: bool = False) -> None:
    """Say that these streams are there, or that they are `gone`; who watches hears of it if that is news."""
    wanted = list(entries)
    if not wanted or _silent():
        return
    how = "gone" if gone else str(STAYS_MS)
    try:
        with _client().pipeline(transaction=False) as pipe:
            for entry in wanted:
                keys = _keys(entry.topic)
                pipe.eval(_RENEW, 2, *keys, entry.member, how, nudges.CHANNEL, f"{KIND}:{entry.topic}")
            pipe.execute()
    except redis.RedisError as error:
        _fall_silent(error)


def who(topic: str) -> list[Entry]:
    """The streams that watch `topic` now; none if nobody knows."""
    if _silent():
        return []
    try:
        with _client().pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.zrange(_keys(topic)[0], 0, -1, withscores=True)
            (seconds, micros), members = pipe.execute()
    except redis.RedisError as error:
        _fall_silent(error)
        return []
    now = seconds * 1000 + micros // 1000
    return [_entry(topic, member.decode()) for member, until in members if until > now]


class PresenceFeed:
    """`here:<topic>`: moves on whenever somebody comes to the topic, moves on it, or goes."""

    def allowed(self, user: Any, key: str) -> bool:
        kind, _, rest = key.partition(":")
        feed = feeds.get(kind)
        return kind != KIND and feed is not None and feed.allowed(user, rest)

    def newest(self, key: str) -> int:
        if _silent():
            return 0
        try:
            return int(_client().get(_keys(key)[1]) or 0)
        except redis.RedisError as error:
            _fall_silent(error)
            return 0

    def after(self, key: str, cursor: int) -> list[Frame]:
        version = self.newest(key)
        return [changed(f"{KIND}:{key}", version)] if version > cursor else []


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def _keys(topic: str) -> tuple[str, str]:
    return f"erpops:{KIND}:{topic}", f"erpops:{KIND}:{topic}:version"


def _entry(topic: str, member: str) -> Entry:
    stream, user_id, place = member.split(" ", 2)
    return Entry(topic, stream, int(user_id), place)


def _silent() -> bool:
    return not settings.REDIS_URL or time.monotonic() < getattr(_quiet, "until", 0.0)


def _fall_silent(error: redis.RedisError) -> None:
    _quiet.until = time.monotonic() + _QUIET_S
    logger.info("Nobody knows who is there: %s", error)
