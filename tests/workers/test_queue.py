"""The queue, and the clockwork that fills it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from arq.constants import job_key_prefix
from redis.exceptions import ConnectionError as RedisConnectionError

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedCluster, EmbeddedServer
from sessioncache_workers.clockwork import Clockwork
from sessioncache_workers.office import Office
from sessioncache_workers.queue import ABORT_SLOT, JobId
from sessioncache_workers.settings import cache_settings, load_settings
from tests.workers.inside import put_in, queued


async def test_a_job_is_in_the_queue_once(office: Office) -> None:
    """Putting a job in twice puts it in once, as JSON."""
    job = JobId("prune", "ns", 1)
    assert await office.queue.put_in([job, JobId("prune", "ns", 2)]) == [job, JobId("prune", "ns", 2)]
    assert await office.queue.put_in([job]) == []
    assert await office.queue.jobs() == [job, JobId("prune", "ns", 2)]
    stored = await office.queue.redis.get(job_key_prefix + "prune:ns:1")
    assert json.loads(stored)["a"] == ["ns", 1]


async def test_a_job_that_was_half_lost_is_made_whole(office: Office) -> None:
    """Where a failover has lost the place in the queue or the job itself, putting it in again brings it back."""
    job = JobId("prune", "ns", 1)
    await office.queue.put_in([job])
    await office.queue.redis.zrem(office.queue.name, "prune:ns:1")
    await office.queue.put_in([job])
    assert await office.queue.jobs() == [job]
    await office.queue.redis.delete(job_key_prefix + "prune:ns:1")
    assert await office.queue.put_in([job]) == [job]
    assert await office.queue.jobs() == [job]


async def test_a_small_namespace_does_not_wait_for_a_huge_one(office: Office) -> None:
    """However much of one namespace is in the queue, what comes later of another one is soon in front."""
    await office.queue.put_in([JobId("prune", "huge", shard) for shard in range(60)])
    await office.queue.put_in([JobId("prune", "huge", shard) for shard in range(60, 90)], queued={"huge": 60})
    await office.queue.put_in([JobId("expire", "small", 0), JobId("expire", "small", 1)])
    names = [job.namespace for job in await office.queue.jobs() if job is not None]
    assert "small" in names[:2]
    assert names[:4].count("small") == 2


async def test_jobs_that_nobody_takes_are_forgotten_one_day(office: Office) -> None:
    """What stayed in the queue for longer than a job is kept goes; everything else stays."""
    await put_in(office)
    await office.queue.redis.zadd(office.queue.name, {"expire:gone:1": 1})
    assert await office.queue.forget_old() == 1
    assert await queued(office) == ["prune:0"]


async def test_a_turn_does_not_last_when_the_clock_was_set_back(office: Office) -> None:
    """A turn that ends in a time that is yet to come ends with the time that one lasts; another one stays as it is."""
    queue = office.queue
    key = f"{queue.name}:tick"
    assert await queue.claim_tick("me", ttl_ms=60_000)
    left_ms = await queue.redis.pttl(key)
    assert not await queue.claim_tick("you", ttl_ms=600_000)
    assert 0 < await queue.redis.pttl(key) <= left_ms
    await queue.redis.pexpire(key, 3_600_000)
    assert not await queue.claim_tick("you", ttl_ms=60_000)
    assert 0 < await queue.redis.pttl(key) <= 60_000
    assert await queue.redis.get(key) == b"me"


async def test_a_tick_puts_in_sweeps_of_overdue_shards(office: Office, cache: AsyncSessionCache) -> None:
    """One look at the numbers, and one job for each shard with something due, whoever looks again."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await cache.transcripts.append("a", {"n": 1})
    for _ in range(2):
        await Clockwork(office, lambda: None).put_in()
    sweeps = [name for name in await queued(office) if name.startswith("expire:")]
    assert sweeps == [f"expire:{cache.keys.shard_of('a')}"]


async def test_one_process_ticks_at_a_time(office: Office) -> None:
    """Of two that want to tick in the same period, one does, whatever their clocks say."""
    clockwork = Clockwork(office, lambda: None)
    assert [await clockwork.tick(), await clockwork.tick()] == [True, False]
    await office.queue.redis.delete(f"{office.queue.name}:tick")
    assert await clockwork.tick()


async def test_queues_of_one_redis_take_no_ticks_from_each_other(server: EmbeddedServer, namespace: str) -> None:
    """Workers for other namespaces tick for themselves."""
    for name in (f"{namespace}-a", f"{namespace}-b"):
        office = Office(load_settings(namespaces=(name,)), cache_settings(url=server.url))
        assert await Clockwork(office, lambda: None).tick()
        await office.aclose()


async def test_a_namespace_has_a_bound_in_the_queue(
    server: EmbeddedServer, cache: AsyncSessionCache, namespace: str
) -> None:
    """No more jobs of a namespace are put in than it may have there; the rest follows when there is room."""
    settings = load_settings(namespaces=(namespace,), namespace_jobs_max=3)
    office = Office(settings, cache_settings(url=server.url))
    await office.find_namespaces()
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await asyncio.gather(*(cache.transcripts.append(f"s{number}", {"n": 1}) for number in range(10)))
    for _ in range(2):
        await Clockwork(office, lambda: None).put_in()
    assert len(await queued(office)) == 3
    await office.aclose()


async def test_a_namespace_that_was_made_anew_is_found_anew(
    office: Office, server: EmbeddedServer, namespace: str
) -> None:
    """A namespace whose configuration was lost is kept; one that has another shard count is found again."""
    await office.caches[namespace].open()
    server.command("FLUSHALL")
    clockwork = Clockwork(office, lambda: None)
    await clockwork.put_in()
    assert office.caches[namespace].keys.shards == 2
    async with AsyncSessionCache.from_url(server.url, namespace=namespace, shards=5):
        await clockwork.put_in()
        assert not office.caches
        await clockwork.tick()
    assert office.caches[namespace].keys.shards == 5


async def test_a_node_that_hangs_is_passed_over(namespace: str) -> None:
    """A worker finds the owner of the queue's slot though the first node of its URL takes connections and is silent."""
    # However long it takes: the others would say that the cluster is down once they have noticed.
    whole = {"cluster-require-full-coverage": False}
    with EmbeddedCluster(nodes=3, appendonly=False, options=whole) as cluster:
        owner = next(node for node in cluster.primaries() if _serves(node, ABORT_SLOT))
        silent = next(node for node in cluster.primaries() if node is not owner)
        url = f"redis+cluster://127.0.0.1:{silent.port},127.0.0.1:{owner.port}"
        office = Office(load_settings(namespaces=(namespace,)), cache_settings(url=url, command_timeout_ms=1_000))
        silent.pause()
        try:
            assert await asyncio.wait_for(office.queue.redis.zcard(office.queue.name), 20) == 0
        finally:
            silent.resume()
            await office.aclose()


async def test_the_queue_follows_its_slot(namespace: str) -> None:
    """When the queue's slot moves to another node, a worker loses a connection to that and goes on there."""
    with EmbeddedCluster(nodes=2, appendonly=False) as cluster:
        office = Office(load_settings(namespaces=(namespace,)), cache_settings(url=cluster.url))
        try:
            await office.queue.look()
            former = cluster.owner_of(ABORT_SLOT)
            target = next(node for node in cluster.primaries() if node is not former)
            await asyncio.to_thread(cluster.migrate_slot, ABORT_SLOT, target)
            with pytest.raises(RedisConnectionError, match="the slot of the queue has moved"):
                await office.queue.look()
            assert await office.queue.put_in([JobId("prune", "ns", 1)]) == [JobId("prune", "ns", 1)]
            await office.queue.look()
        finally:
            await office.aclose()


def _serves(node: EmbeddedServer, slot: int) -> bool:
    ranges: Any = node.command("CLUSTER", "SLOTS")
    return any(first <= slot <= last and primary[1] == node.port for first, last, primary, *_replicas in ranges)
