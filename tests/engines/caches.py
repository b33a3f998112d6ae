"""Caches on the engine of a test.

The rule of this module: a cache is made as a user makes it, from a URL; fakeredis alone needs a client.
"""

from __future__ import annotations

from typing import Any

from sessioncache import AsyncSessionCache, SessionCache, Settings
from sessioncache.transport.base import AsyncTransport
from sessioncache.transport.connect_async import connect, wrap_client
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


def lowest_transport(engine: Engine, namespace: str, **options: Any) -> tuple[AsyncTransport, Settings]:
    """The transport that a cache on the engine would send with, for tests that put something in between."""
    given: dict[str, Any] = {"shards": SHARDS, "namespace": namespace} | options
    if engine.fake_server is not None:
        from fakeredis import FakeAsyncRedis

        settings = Settings(**given)
        return wrap_client(FakeAsyncRedis(server=engine.fake_server), settings), settings
    if engine.ca_file is not None:
        given["tls_ca_file"] = engine.ca_file
    settings = Settings(url=engine.url, **given)
    return connect(settings), settings
