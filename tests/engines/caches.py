"""Caches on the engine of a test.

The rule of this module: a cache is made as a user makes it, from a URL; fakeredis alone needs a client.
"""

from __future__ import annotations

from typing import Any

from sessioncache import AsyncSessionCache, SessionCache
from tests.engines.engine import Engine

SHARDS = 4
"""Few, so that tests meet several sessions in one shard."""


def make_async_cache(engine: Engine, namespace: str, **options: Any) -> AsyncSessionCache:
    """An async cache that is not open yet."""
    options = {"shards": SHARDS} | options
    if engine.fake_server is not None:
        from fakeredis import FakeAsyncRedis

        return AsyncSessionCache.from_client(FakeAsyncRedis(server=engine.fake_server), namespace=namespace, **options)
    if engine.ca_file is not None:
        options = {"tls_ca_file": engine.ca_file} | options
    return AsyncSessionCache.from_url(engine.url, namespace=namespace, **options)


def make_sync_cache(engine: Engine, namespace: str, **options: Any) -> SessionCache:
    """A sync cache that is not open yet."""
    options = {"shards": SHARDS} | options
    if engine.fake_server is not None:
        from fakeredis import FakeRedis

        return SessionCache.from_client(FakeRedis(server=engine.fake_server), namespace=namespace, **options)
    if engine.ca_file is not None:
        options = {"tls_ca_file": engine.ca_file} | options
    return SessionCache.from_url(engine.url, namespace=namespace, **options)
