"""More tasks than connections: calls wait for a place instead of failing."""

from __future__ import annotations

import asyncio

import pytest

from tests.engines import Engine
from tests.engines.caches import make_async_cache


@pytest.mark.usefixtures("transport")
@pytest.mark.engines("valkey", "sentinel", "cluster")
async def test_calls_wait_for_a_connection(engine: Engine, namespace: str) -> None:
    """A hundred tasks share two connections to a server, or one, and every call succeeds."""
    async with make_async_cache(engine, namespace, connections_max=2) as cache:
        appended = await asyncio.gather(*(cache.transcripts.append("s", {"n": n}) for n in range(100)))

    assert sorted(one.first_seq for one in appended) == list(range(1, 101))
