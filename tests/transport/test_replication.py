"""durability="replicated" against a replica that stands still."""

from __future__ import annotations

import pytest

from sessioncache import Appended, AsyncSessionCache, NotReplicated
from tests.engines import Engine
from tests.engines.caches import make_async_cache


async def _confirmed(cache: AsyncSessionCache, operation_id: str) -> Appended:
    """Append until a replica has it: one operation, however often it is asked for."""
    for _ in range(200):
        try:
            return await cache.transcripts.append("chat", {"n": 1}, operation_id=operation_id)
        except NotReplicated:
            continue
    raise AssertionError("no replica came back")


@pytest.mark.engines("sentinel")
async def test_a_repeat_confirms_no_more_than_the_first_run(engine: Engine, namespace: str) -> None:
    """A write that no replica had is not confirmed by repeating it over another connection, until a replica has it."""
    group = engine.sentinel
    assert group is not None
    options = {"durability": "replicated", "replication_timeout_ms": 100}
    async with make_async_cache(engine, namespace, **options) as cache:
        await _confirmed(cache, "first")
        primary = group.master()
        replicas = [node for node in group.nodes if node is not primary]
        for node in replicas:
            node.pause()
        try:
            with pytest.raises(NotReplicated):
                await cache.transcripts.append("chat", {"n": 1}, operation_id="op")
            async with make_async_cache(engine, namespace) as plain:
                assert await plain.transcripts.count("chat") == 2
            async with make_async_cache(engine, namespace, **options) as another:
                with pytest.raises(NotReplicated):
                    await another.transcripts.append("chat", {"n": 1}, operation_id="op")
        finally:
            for node in replicas:
                node.resume()
        again = await _confirmed(cache, "op")

        assert again.repeated
        assert await cache.transcripts.count("chat") == 2
