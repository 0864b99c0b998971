"""Presence: who watches a topic, from their streams; silent when it cannot be known."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User

from erpops import presence
from erpops.presence import Entry, PresenceFeed
from erpops.sse import feeds

TOPIC = "incident:1"


@pytest.fixture(autouse=True)
def _not_silent(valkey: redis.Redis) -> Iterator[None]:
    presence._quiet.until = 0.0
    yield
    presence._quiet.until = 0.0


def entry(user_id: int = 1, place: str = "page", stream: str = "s1") -> Entry:
    return Entry(TOPIC, stream, user_id, place)


def test_who_came_is_there_until_they_go() -> None:
    rina, omar = entry(1), entry(2, "run/3/step/7", "s2")
    presence.renew([rina, omar])
    assert set(presence.who(TOPIC)) == {rina, omar}
    assert presence.who("incident:2") == []
    presence.renew([rina], gone=True)
    assert presence.who(TOPIC) == [omar]


def test_who_stops_renewing_is_gone_after_a_quarter_of_a_minute(valkey: redis.Redis) -> None:
    presence.renew([entry(1)])
    key, member = f"erpops:here:{TOPIC}", entry(1).member
    until = float(str(valkey.zscore(key, member)))
    now: Any = valkey.time()
    assert 0 < until - now[0] * 1000 <= presence.STAYS_MS + 1000
    # As if that time had passed.
    valkey.zadd(key, {member: until - presence.STAYS_MS - 1000})
    assert presence.who(TOPIC) == []
    version = PresenceFeed().newest(TOPIC)
    presence.renew([entry(2, stream="s2")])
    assert [each.user_id for each in presence.who(TOPIC)] == [2]
    assert PresenceFeed().newest(TOPIC) > version


def test_coming_and_going_is_news_and_staying_is_not() -> None:
    feed = PresenceFeed()
    presence.renew([entry()])
    [news] = feed.after(TOPIC, 0)
    presence.renew([entry()])
    assert feed.after(TOPIC, news.seq) == []
    presence.renew([entry()], gone=True)
    [news] = feed.after(TOPIC, news.seq)
    assert f'"topic":"here:{TOPIC}"'.encode() in news.wire


def test_versions_grow_even_after_a_flush(valkey: redis.Redis) -> None:
    feed = PresenceFeed()
    presence.renew([entry()])
    before = feed.newest(TOPIC)
    valkey.flushall()
    time.sleep(0.002)
    presence.renew([entry()])
    assert feed.newest(TOPIC) > before


def test_without_valkey_nobody_is_said_to_be_there(settings: Any) -> None:
    presence.renew([entry()])
    presence._client.cache_clear()
    try:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        assert presence.who(TOPIC) == []
        presence.renew([entry()])
        assert PresenceFeed().after(TOPIC, 0) == []
    finally:
        presence._client.cache_clear()


def test_only_who_may_watch_a_topic_learns_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Feed:
        def allowed(self, user: Any, key: str) -> bool:
            asked.append(key)
            return key == "1"

        def newest(self, key: str) -> int:
            return 0

        def after(self, key: str, cursor: int) -> list[Any]:
            return []

    monkeypatch.setitem(feeds._items, "incident", Feed())
    feed, user = PresenceFeed(), User()
    assert feed.allowed(user, "incident:1")
    assert not feed.allowed(user, "incident:2")
    assert not feed.allowed(user, "here:incident:1")
    assert not feed.allowed(user, "nothing:1")
    assert asked == ["1", "2"]
