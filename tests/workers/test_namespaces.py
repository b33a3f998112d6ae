"""Namespaces belong to agents: workers take them as they are, and wait for those that are not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedServer
from tests.workers.conftest import LIMIT_S, WorkerProcess, fill, swept, until

pytestmark = pytest.mark.timeout(300)

Start = Callable[..., WorkerProcess]


async def test_one_process_serves_namespaces_of_different_shard_counts(
    start: Start, server: EmbeddedServer, namespace: str
) -> None:
    """Each namespace has the shards that its agents gave it, also one that came after the worker, which makes none."""
    names = [f"{namespace}-{count}" for count in (1, 3, 7)]
    worker = start(SESSIONCACHE_NAMESPACES=",".join(names))
    await worker.started()
    await until(worker.is_ready, "it is ready with nothing to look after")
    assert await asyncio.to_thread(server.command, "KEYS", "sc:*") == []
    for name in names:
        async with AsyncSessionCache.from_url(server.url, namespace=name, shards=int(name[-1])) as cache:
            await cache.retention.save(RetentionPolicy(ttl_ms=100))
            await fill(cache, 20)
            await until(lambda cache=cache: swept(cache), f"{name} is swept")  # type: ignore[misc] # mypy: lambda
    found = [line["shards"] for line in worker.lines if line["event"] == "namespace found"]
    assert found == [1, 3, 7]


async def test_a_namespace_of_a_newer_release_is_left_alone(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer, namespace: str
) -> None:
    """What this release cannot read it does not touch, and says so; the others are served."""
    newer = f"{namespace}-newer"
    async with AsyncSessionCache.from_url(server.url, namespace=newer, shards=2):
        server.command("HSET", f"sc:{{{newer}}}:config", "schema", "99")
    await cache.retention.save(RetentionPolicy(ttl_ms=100))
    await fill(cache, 5)
    worker = start(SESSIONCACHE_NAMESPACES=f"{namespace},{newer}")
    await worker.started()
    await until(lambda: swept(cache), "the other is swept")
    ready, checks = await worker.checks()
    assert not ready
    assert "schema 99" in checks["namespaces"]
    assert "upgrade" in checks["namespaces"]
    assert await worker.end() == 0


async def test_with_namespaces_of_a_newer_release_alone_it_ends(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer, namespace: str
) -> None:
    """A worker that could serve nothing ends with the reason, and exit code 2."""
    await fill(cache, 1)
    server.command("HSET", f"sc:{{{namespace}}}:config", "schema", "99")
    worker = start()
    assert await asyncio.to_thread(worker.process.wait, LIMIT_S) == 2
    assert "upgrade" in worker.log.splitlines()[-1]
    assert "Traceback" not in worker.log
