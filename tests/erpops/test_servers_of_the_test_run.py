import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_the_database_is_a_real_postgresql_with_the_extensions() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension")
        installed = {name for (name,) in cursor.fetchall()}
    assert {"pg_trgm", "unaccent", "pg_stat_statements"} <= installed


def test_valkey_is_real_and_empty(valkey: redis.Redis) -> None:
    assert valkey.dbsize() == 0
    assert settings.REDIS_URL.startswith("redis://")
