"""The worker process end to end: it does its work, ends when told, and outlives what kills others."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedCluster, EmbeddedSentinel, EmbeddedServer
from tests.workers.conftest import LIMIT_S, WorkerProcess, fill, stored, swept, until

pytestmark = pytest.mark.timeout(300)

Start = Callable[..., WorkerProcess]


async def test_overdue_sessions_are_swept(start: Start, cache: AsyncSessionCache) -> None:
    """Sessions with a short life are gone soon after it, and the metrics tell of it."""
    await cache.retention.save(RetentionPolicy(ttl_ms=300))
    await fill(cache, 30)
    worker = start()
    await worker.started()
    await until(lambda: swept(cache), "all are swept")

    async def told() -> bool:
        return await worker.metric('sessioncache_worker_findings_total{finding="expired",task="expire"}') == 30

    await until(told, "the metrics tell of 30 swept sessions")
    assert await worker.metric('sessioncache_worker_last_success_timestamp_seconds{task="expire"}') > 0


async def test_transcripts_are_trimmed_and_lists_repaired(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer, namespace: str
) -> None:
    """Retention is applied, and a lost index comes back, without anybody asking."""
    await cache.retention.save(RetentionPolicy(keep_messages=2))
    await cache.transcripts.append("long", [{"n": number} for number in range(9)])
    server.command("DEL", f"sc:{{{namespace}:{cache.keys.shard_of('long')}}}:by-updated")
    start()

    async def done() -> bool:
        listed = [item.id for item in await cache.sessions.list(limit=10)]
        return listed == ["long"] and await cache.transcripts.count("long") == 2

    await until(done, "the transcript is trimmed and the session listed again")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well(start: Start, cache: AsyncSessionCache, number: int) -> None:
    """On SIGTERM and SIGINT it ends by itself, with 0, and holds no lease any more."""
    await fill(cache, 3)
    worker = start()
    await worker.started()
    assert await worker.end(number) == 0
    assert [line["event"] for line in worker.lines][-1] == "stopped"
    assert not [line for line in worker.lines if line["level"] == "error"]


async def test_a_killed_worker_is_replaced(start: Start, cache: AsyncSessionCache, server: EmbeddedServer) -> None:
    """What a worker had begun when it was killed, another one ends, and nothing is counted twice."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await fill(cache, 6_000)
    first = start()
    await _kill_while_sweeping(first, server, cache.keys.shard(0).lease("expire"))
    assert await stored(cache) > 0
    start()
    await until(lambda: swept(cache), "the second worker sweeps the rest")
    stats = await cache.stats.get()
    assert (stats.messages, stats.bytes, stats.overdue) == (0, 0, 0)


async def _kill_while_sweeping(worker: WorkerProcess, server: EmbeddedServer, lease: str) -> None:
    """SIGKILL as soon as the worker holds the lease."""

    async def holds() -> bool:
        return await asyncio.to_thread(server.command, "HEXISTS", lease, "holder") == 1

    await until(holds, "the worker begins to sweep")
    await worker.end(signal.SIGKILL)


async def test_it_outlives_a_restart_of_redis(start: Start, cache: AsyncSessionCache, server: EmbeddedServer) -> None:
    """While Redis is down it is alive and not ready, and afterwards it goes on by itself."""
    await fill(cache, 5)
    worker = start()
    await worker.started()
    await until(worker.is_ready, "it is ready")
    await asyncio.to_thread(server.stop)

    async def is_not_ready() -> bool:
        assert (await worker.get("livez"))[0] == 200
        return not await worker.is_ready()

    await until(is_not_ready, "it notices that Redis is down")
    _, checks = await worker.checks()
    assert checks["sessions"] != "ok"
    assert checks["queue"] != "ok"
    assert worker.process.poll() is None
    await asyncio.to_thread(server.start)

    async def is_back() -> bool:
        assert (await worker.get("livez"))[0] == 200
        return await worker.is_ready()

    await until(is_back, "it is ready again")
    for number in range(5):
        await cache.session(f"s{number}").retain(ttl_ms=1)
    await until(lambda: swept(cache), "it sweeps again")
    assert await worker.end() == 0


async def test_it_waits_for_a_redis_that_is_not_there_yet(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer
) -> None:
    """Started before its Redis it waits, alive and not ready, and begins when Redis comes."""
    await fill(cache, 2)
    await asyncio.to_thread(server.stop)
    worker = start()
    await worker.started()
    assert (await worker.get("livez"))[0] == 200
    assert not await worker.is_ready()
    await asyncio.to_thread(server.start)
    await until(worker.is_ready, "it is ready")
    assert await worker.end() == 0


async def test_two_workers_share_the_work(start: Start, cache: AsyncSessionCache) -> None:
    """Two processes on one queue sweep each session once between them."""
    await cache.retention.save(RetentionPolicy(ttl_ms=300))
    workers = [start(), start()]
    for worker in workers:
        await worker.started()
    await fill(cache, 200)
    await until(lambda: swept(cache), "all are swept")
    line = 'sessioncache_worker_findings_total{finding="expired",task="expire"}'

    async def all_told() -> bool:
        return sum([await worker.metric(line) for worker in workers]) >= 200

    await until(all_told, "the metrics tell of all")
    assert sum([await worker.metric(line) for worker in workers]) == 200
    assert (await cache.stats.get()).messages == 0


async def test_gauges_show_the_namespace(start: Start, cache: AsyncSessionCache, namespace: str) -> None:
    """The size of the namespace can be read from the health port."""
    await fill(cache, 7)
    worker = start()
    await worker.started()

    async def shown() -> bool:
        return await worker.metric(f'sessioncache_namespace_sessions{{namespace="{namespace}"}}') == 7

    await until(shown, "the gauge shows 7 sessions")


async def test_the_queue_may_be_on_another_server(
    start: Start, cache: AsyncSessionCache, server: EmbeddedServer
) -> None:
    """With a queue of its own no key of arq lies beside the sessions, and the loss of all its keys loses no work."""
    await cache.retention.save(RetentionPolicy(ttl_ms=300))
    with EmbeddedServer(appendonly=False) as queue:
        worker = start(SESSIONCACHE_QUEUE_URL=queue.url)
        await worker.started()
        await fill(cache, 10)
        await until(lambda: swept(cache), "all are swept")
        await asyncio.to_thread(queue.kill)

        async def is_not_ready() -> bool:
            ready, checks = await worker.checks()
            return not ready and checks["queue"] != "ok" and checks["sessions"] == "ok"

        await until(is_not_ready, "it notices that the queue is away")
        await fill(cache, 10)
        await asyncio.to_thread(queue.start)
        await until(lambda: swept(cache), "all are swept again")
        assert await asyncio.to_thread(server.command, "KEYS", "*arq*") == []
        assert await asyncio.to_thread(queue.command, "KEYS", "sc:*") == []
        assert await worker.end() == 0


async def test_on_a_cluster_the_queue_has_one_slot(start: Start, namespace: str) -> None:
    """A cluster carries queue and sessions; every key of the queue lies in one slot, on its owner."""
    with EmbeddedCluster(nodes=3, appendonly=False) as cluster:
        async with AsyncSessionCache.from_url(cluster.url, namespace=namespace, shards=2) as cache:
            await cache.retention.save(RetentionPolicy(ttl_ms=300))
            await fill(cache, 20)
            worker = start(url=cluster.url)
            await worker.started()
            await until(lambda: swept(cache), "all are swept")
            assert await worker.end() == 0
            for node in cluster.primaries():
                keys = node.command("KEYS", "*arq:*")
                assert isinstance(keys, list)
                assert all(b"{arq:abort}" in key for key in keys if isinstance(key, bytes))


@pytest.mark.parametrize("what", ["queue and sessions", "queue"])
async def test_under_sentinel_queue_and_sessions_follow_the_primary(
    start: Start, server: EmbeddedServer, namespace: str, what: str
) -> None:
    """After a failover the worker goes on with the server that was promoted, also where that has the queue alone."""
    with EmbeddedSentinel(replicas=1, sentinels=1) as group:
        url = server.url if what == "queue" else group.url
        async with AsyncSessionCache.from_url(url, namespace=namespace, shards=2) as cache:
            worker = start(url=url, SESSIONCACHE_QUEUE_URL=group.url)
            await worker.started()
            await until(worker.is_ready, "it is ready")
            lost = group.master()
            await asyncio.to_thread(lost.kill)
            await asyncio.to_thread(group.wait_for_promotion, lost)
            await until(worker.is_ready, "it is ready again")
            await cache.retention.save(RetentionPolicy(ttl_ms=1))
            await fill(cache, 5)
            await until(lambda: swept(cache), "it sweeps again")
            assert await worker.end() == 0


@pytest.mark.parametrize(
    "name, value, word",
    [
        ("SESSIONCACHE_WORKER_PORT", "http", "SESSIONCACHE_WORKER_PORT"),
        ("SESSIONCACHE_WORKER_TICK_EVERY_S", "61", "SESSIONCACHE_WORKER_TICK_EVERY_S"),
        ("SESSIONCACHE_WORKER_RELIEVE_LOW", "0.5", "without SESSIONCACHE_WORKER_RELIEVE_HIGH"),
        ("SESSIONCACHE_WORKER_JOB_TIMEOUT_S", "3601", "SESSIONCACHE_WORKER_JOB_TIMEOUT_S"),
        ("SESSIONCACHE_NAMESPACES", "a b", "a b"),
        ("SESSIONCACHE_QUEUE_URL", "http://x", "unknown scheme"),
    ],
)
async def test_bad_settings_end_it_with_a_sentence(
    start: Start, cache: AsyncSessionCache, name: str, value: str, word: str
) -> None:
    """A setting that cannot work is named on standard error, and the exit code is 2."""
    await fill(cache, 1)
    worker = start(**{name: value})
    assert await asyncio.to_thread(worker.process.wait, LIMIT_S) == 2
    assert word in worker.log.splitlines()[-1]
    assert "Traceback" not in worker.log
