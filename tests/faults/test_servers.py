"""Servers that restart, crash and are replaced, under agents that write and workers that sweep, trim and repair."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedCluster, EmbeddedSentinel, EmbeddedServer
from tests.faults.conftest import SHARDS, verdict
from tests.faults.judge import Promises
from tests.faults.writers import Writers, answered, fill
from tests.workers.conftest import WorkerProcess, until

pytestmark = pytest.mark.timeout(240)

Start = Callable[..., WorkerProcess]

HOUR_MS = 3_600_000
PATIENT: dict[str, Any] = {
    "shards": SHARDS,
    "call_timeout_ms": 30_000,
    "retry_wait_max_ms": 50,
    "command_timeout_ms": 1_000,
    "connect_timeout_ms": 500,
}
AGENTS = [f"a{n}" for n in range(6)]
DUE = [f"due{n}" for n in range(200)]
KEPT = [f"kept{n}" for n in range(40)]


async def swept(cache: AsyncSessionCache) -> bool:
    """Whether nothing is overdue any more."""
    return (await cache.stats.get()).overdue == 0


async def under_load(
    cache: AsyncSessionCache, promises: Promises, worker: WorkerProcess, fault: Callable[[], Any]
) -> Writers:
    """Sessions come due and agents write; something breaks; everything goes on."""
    await answered(lambda: cache.retention.save(RetentionPolicy(ttl_ms=HOUR_MS)))
    await worker.started()
    await fill(cache, promises, KEPT)
    writers = Writers(cache, promises, sessions=AGENTS)
    async with writers.writing():
        filling = asyncio.create_task(fill(cache, promises, DUE, due=True))
        await writers.goes_on()
        await asyncio.to_thread(fault)
        await writers.goes_on(by=50)
        await filling
        await until(lambda: swept(cache), "all that is due is swept")
        await writers.goes_on()
    assert (writers.refused, writers.others) == (0, [])
    assert worker.process.poll() is None, worker.log
    return writers


@pytest.mark.parametrize("how", ["restarted", "killed"])
async def test_redis_goes_away(
    server: EmbeddedServer, namespace: str, start: Start, promises: Promises, how: str
) -> None:
    """After a restart, and after SIGKILL with append-only data, all that was acknowledged is there; work goes on."""

    def fault() -> None:
        if how == "restarted":
            server.restart()
        else:
            server.kill()
            server.start()

    async with AsyncSessionCache.from_url(server.url, namespace=namespace, **PATIENT) as cache:
        worker = start(server.url)
        writers = await under_load(cache, promises, worker, fault)
        assert writers.unknown == 0
        assert await worker.end() == 0
        await verdict(cache, [server], promises)


async def test_sentinel_fails_over(namespace: str, start: Start, promises: Promises) -> None:
    """After a failover under load nothing that a replica had confirmed is lost, nothing is half there, work goes on."""
    with EmbeddedSentinel(replicas=1, sentinels=1) as group:
        async with AsyncSessionCache.from_url(
            group.url, namespace=namespace, durability="replicated", **PATIENT
        ) as cache:
            worker = start(group.url)

            def fault() -> None:
                lost = group.master()
                group.failover()
                group.bring_back(lost)

            await under_load(cache, promises, worker, fault)
            # A busy machine makes Sentinel fail over once more. What was swept meanwhile by the one that is left is not
            # in the other, and has to be swept again; until that one is told, there are two that say they are masters.
            await until(lambda: _has_one_master(group), "one master is left")
            await until(lambda: swept(cache), "all that is due is swept there")
            await worker.end()
            await verdict(cache, [group.master()], promises)


async def _has_one_master(group: EmbeddedSentinel) -> bool:
    """Whether the node that the Sentinels name is the only one that takes writes."""
    roles = {node.port: node.command("ROLE") for node in group.nodes}
    masters = [port for port, role in roles.items() if isinstance(role, list) and role[0] == b"master"]
    return masters == [group.master().port]


async def test_a_primary_of_a_cluster_is_killed(namespace: str, start: Start, promises: Promises) -> None:
    """After a cluster has replaced a primary nothing that a replica had confirmed is lost, and work goes on."""
    with EmbeddedCluster(nodes=3, replicas=1) as cluster:
        async with AsyncSessionCache.from_url(
            cluster.url, namespace=namespace, durability="replicated", **PATIENT
        ) as cache:
            worker = start(cluster.url)

            def fault() -> None:
                lost = cluster.owner_of(cluster.slot_of(cache.keys.shard(0).totals))
                lost.kill()
                cluster.wait_for_failover(lost)
                lost.start()
                cluster.wait_until_ok()

            await under_load(cache, promises, worker, fault)
            await worker.end()
            await verdict(cache, cluster.primaries(), promises)
