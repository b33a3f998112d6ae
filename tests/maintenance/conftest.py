"""A cache of two shards on the engine of the test, and looking past it at what lies there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from sessioncache import AsyncSessionCache
from tests.engines import Engine, clients


def make_cache(engine: Engine, namespace: str, **options: Any) -> AsyncSessionCache:
    """A cache on an engine, whatever it is."""
    if engine.fake_server is not None:
        from fakeredis import FakeAsyncRedis

        return AsyncSessionCache.from_client(FakeAsyncRedis(server=engine.fake_server), namespace=namespace, **options)
    return AsyncSessionCache.from_url(engine.url, namespace=namespace, **options)


@pytest.fixture
async def cache(engine: Engine, namespace: str) -> AsyncIterator[AsyncSessionCache]:
    """One shard, so that a test knows where everything is."""
    async with make_cache(engine, namespace, shards=1) as opened:
        yield opened


class Surgeon:
    """Damages what lies in one shard, as no client of the product could."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def at(self, key: str) -> Iterator[Redis]:
        """A plain client of the node that has the key."""
        opened = [client for _port, client in clients(self._engine)]
        try:
            for client in opened:
                if len(opened) == 1 or self._has(client, key):
                    yield client
                    return
        finally:
            for client in opened:
                client.close()

    @staticmethod
    def _has(client: Redis, key: str) -> bool:
        from redis.exceptions import ResponseError

        try:
            client.exists(key)
        except ResponseError:
            return False
        return True


@pytest.fixture
def surgeon(engine: Engine) -> Surgeon:
    """For damaging."""
    return Surgeon(engine)
