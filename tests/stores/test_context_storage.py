"""Contract 000 over a cache, in both colours on every engine, and what the contract itself does not say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessioncache import AsyncSessionCache, SessionCache
from sessioncache.stores import AsyncContextStorage, ContextStorage
from sessioncache.testing.conformance import AsyncContextStorageConformance, ContextStorageConformance
from tests.engines import Engine
from tests.engines.caches import make_sync_cache


class TestAsync(AsyncContextStorageConformance):
    """The async store."""

    @pytest.fixture
    async def store(self, cache: AsyncSessionCache) -> AsyncContextStorage:
        return AsyncContextStorage(cache)

    @pytest.fixture
    async def other_store(self, other_cache: AsyncSessionCache) -> AsyncContextStorage:
        return AsyncContextStorage(other_cache)


class TestSync(ContextStorageConformance):
    """The sync store."""

    @pytest.fixture
    def store(self, sync_cache: SessionCache) -> ContextStorage:
        return ContextStorage(sync_cache)

    @pytest.fixture
    def other_store(self, engine: Engine, namespace: str) -> Iterator[ContextStorage]:
        with make_sync_cache(engine, namespace) as opened:
            yield ContextStorage(opened)
