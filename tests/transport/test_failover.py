"""Failover under load: by Sentinel, and in a cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, SessionCache
from sessioncache.embedded import EmbeddedCluster
from tests.engines import Engine
from tests.engines.caches import make_async_cache, make_sync_cache
from tests.transport.ledger import Ledger

pytestmark = pytest.mark.usefixtures("transport")

PATIENT: dict[str, Any] = {
    "call_timeout_ms": 50_000,
    "retry_wait_max_ms": 100,
    "command_timeout_ms": 1_000,
    "connect_timeout_ms": 500,
    "shards": 4,
}


@pytest.mark.engines("sentinel")
async def test_a_sentinel_failover_under_load(engine: Engine, namespace: str) -> None:
    """Writers of both colours go on at the new primary; nothing is there twice, and the order is kept."""
    assert engine.sentinel is not None
    group = engine.sentinel
    await asyncio.to_thread(group.wait_for_replicas, 1)
    async with make_async_cache(engine, namespace, **PATIENT) as cache:
        ledger = Ledger(cache, sessions=["a", "b"], writers=6)
        lost = group.master()
        sync = make_sync_cache(engine, namespace, **PATIENT)
        await asyncio.to_thread(sync.transcripts.append, "sync", {"n": 0})
        await ledger.during(lambda: asyncio.to_thread(group.failover))
        await asyncio.to_thread(sync.transcripts.append, "sync", {"n": 1})
        last = await asyncio.to_thread(sync.transcripts.list, "sync", last=1)
        assert last.messages == [{"n": 1}]
        sync.close()
        assert group.master() is not lost
        # Replication is asynchronous: what was acknowledged in the last moment may be gone, but nothing comes twice.
        await ledger.check(may_be_lost=True)
        await asyncio.to_thread(group.bring_back, lost)


@pytest.mark.engines("sentinel")
async def test_a_sentinel_switch_that_loses_nothing(engine: Engine, namespace: str) -> None:
    """When the primary hands over in good order, all that was acknowledged is there, once and in order."""
    assert engine.sentinel is not None
    group = engine.sentinel
    await asyncio.to_thread(group.wait_for_replicas, 1)
    former = group.master()

    def hand_over() -> None:
        """The primary holds writers back, waits for its replica, and then goes."""
        former.command("CLIENT", "PAUSE", 30_000, "WRITE")
        replica = next(node for node in group.nodes if node is not former and node.running)
        while _offset(former, "master_repl_offset") != _offset(replica, "slave_repl_offset"):
            continue
        group.failover()

    async with make_async_cache(engine, namespace, **PATIENT) as cache:
        ledger = Ledger(cache, sessions=["a", "b"], writers=6)
        await ledger.during(lambda: asyncio.to_thread(hand_over))
        await ledger.check()
        await asyncio.to_thread(group.bring_back, former)


def _offset(server: Any, name: str) -> int:  # noqa: ANN401 - one of the group's servers
    text = server.command("INFO", "replication").decode()
    return int(text.partition(f"{name}:")[2].split()[0])


async def test_a_killed_primary_of_a_cluster_under_load(namespace: str) -> None:
    """A replica takes over while writers go on; nothing is there twice, and both colours find the new primary."""
    with EmbeddedCluster(nodes=3, replicas=1, appendonly=False) as cluster:
        async with AsyncSessionCache.from_url(cluster.url, namespace=namespace, **PATIENT) as cache:
            ledger = Ledger(cache, sessions=["a", "b", "c", "d", "e"], writers=10)
            with SessionCache.from_url(cluster.url, namespace=namespace, **PATIENT) as sync:
                sync.transcripts.append("before", {"n": 0})
                lost = cluster.owner_of(cluster.slot_of(cache.keys.session("a").record))

                def fail() -> None:
                    lost.kill()
                    cluster.wait_for_failover(lost)

                await ledger.during(lambda: asyncio.to_thread(fail))
                await ledger.check(may_be_lost=True)
                appended = await asyncio.to_thread(sync.transcripts.append, "a", {"writer": -1, "n": 0})
                assert not appended.repeated
