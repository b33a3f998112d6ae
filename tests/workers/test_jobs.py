"""Jobs, queue and worker inside one process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from arq import Retry
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import Worker
from redis.exceptions import ConnectionError as RedisConnectionError

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedCluster, EmbeddedServer
from sessioncache.errors import BackendUnavailable, LeaseLost
from sessioncache.maintenance import Report
from sessioncache.upkeep import ShardLease
from sessioncache_workers import jobs as jobs_module
from sessioncache_workers import worker as worker_module
from sessioncache_workers.__main__ import watch
from sessioncache_workers.jobs import JOBS, Run, shard_job
from sessioncache_workers.office import OFFICE, Office
from sessioncache_workers.queue import ABORT_SLOT
from sessioncache_workers.schedule import tick
from sessioncache_workers.settings import cache_settings, load_settings
from sessioncache_workers.worker import ShardWorker, make_worker
from tests.workers.conftest import until


@pytest.fixture
async def office(server: EmbeddedServer, namespace: str) -> AsyncIterator[Office]:
    """What the jobs of a process share."""
    settings = load_settings(namespaces=(namespace,), max_jobs=2, tick_every_s=60)
    made = Office(settings, cache_settings(url=server.url, shards=2))
    yield made
    await made.aclose()


def runs(office: Office, job: str, outcome: str) -> float:
    """How many runs ended so."""
    return office.registry.get_sample_value("sessioncache_worker_runs_total", {"task": job, "outcome": outcome}) or 0.0


async def test_a_shard_that_is_held_is_left_quietly(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """Where somebody else has the lease, a job does nothing and does not fail."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await cache.transcripts.append("a", {"n": 1})
    shard = cache.keys.shard_of("a")
    assert await cache.upkeep.acquire(shard, "expire", holder="somebody else", ttl_ms=60_000)
    await JOBS["expire"]({OFFICE: office}, namespace, shard)
    assert runs(office, "expire", "skipped") == 1
    assert (await cache.stats.shards())[shard].sessions == 1


async def test_idle_sessions_are_sealed(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """The job compact seals what nobody has written to for an hour, and says so in the metrics."""
    await cache.transcripts.append("a", [{"n": 1}, {"n": 2}])
    office.caches[namespace].keys.now_override_ms = int(time.time() * 1000) + 3_700_000
    await JOBS["compact"]({OFFICE: office}, namespace, cache.keys.shard_of("a"))
    found = {"task": "compact", "finding": "sealed_messages"}
    assert runs(office, "compact", "done") == 1
    assert office.registry.get_sample_value("sessioncache_worker_findings_total", found) == 2
    assert (await cache.transcripts.list("a")).messages == [{"n": 1}, {"n": 2}]


async def test_a_job_gives_its_lease_back(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """After a job, the shard is free at once."""
    await JOBS["prune"]({OFFICE: office}, namespace, 0)
    assert runs(office, "prune", "done") == 1
    assert await cache.upkeep.acquire(0, "prune", holder="the next", ttl_ms=1_000)


async def test_a_job_that_is_fenced_out_ends(office: Office, namespace: str) -> None:
    """A run that loses its lease counts as lost and is not repeated."""

    async def run(*_args: object, **_options: object) -> Report:
        raise LeaseLost("taken over")

    await shard_job("expire", run, lambda _settings: 1)({OFFICE: office}, namespace, 0)
    assert runs(office, "expire", "lost") == 1
    assert office.registry.get_sample_value("sessioncache_worker_leases_lost_total", {"task": "expire"}) == 1


async def test_a_job_is_repeated_when_redis_was_away(office: Office, namespace: str) -> None:
    """A run that met an absent server is put back, later at each try."""

    async def run(*_args: object, **_options: object) -> Report:
        raise BackendUnavailable("no connection")

    with pytest.raises(Retry) as first:
        await shard_job("prune", run, lambda _settings: 1)({OFFICE: office, "job_try": 1}, namespace, 0)
    with pytest.raises(Retry) as second:
        await shard_job("prune", run, lambda _settings: 1)({OFFICE: office, "job_try": 2}, namespace, 0)
    assert (first.value.defer_score or 0) < (second.value.defer_score or 0)
    assert runs(office, "prune", "retried") == 2


async def test_jobs_hold_the_lease_they_work_under(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """While a job runs, nobody else gets its shard."""
    seen: list[ShardLease | None] = []

    async def run(_cache: object, shard: int, *, lease: ShardLease | None, **_options: Any) -> Report:
        seen.append(lease)
        assert await cache.upkeep.acquire(shard, "expire", holder="somebody else", ttl_ms=1_000) is None
        return Report("expire", shard)

    await shard_job("expire", cast("Run", run), lambda _settings: 1)({OFFICE: office}, namespace, 1)
    assert seen[0] is not None
    assert seen[0].job == "expire"


async def test_a_job_is_in_the_queue_once(office: Office) -> None:
    """Putting a job in twice under one id puts it in once, as JSON."""
    assert await office.queue.enqueue("prune", "ns", 1, job_id="prune:ns:1:7")
    assert not await office.queue.enqueue("prune", "ns", 1, job_id="prune:ns:1:7")
    assert await office.queue.redis.zcard(office.queue.name) == 1
    stored = await office.queue.redis.get(job_key_prefix + "prune:ns:1:7")
    assert json.loads(stored)["a"] == ["ns", 1]


async def test_an_unknown_answer_is_looked_into(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where arq says None and the job is not there, it is put in once more."""
    enqueue_job = office.queue.redis.enqueue_job
    answers: list[object] = []

    async def torn_first(*args: Any, **options: Any) -> object:
        answers.append(await enqueue_job(*args, **options) if answers else None)
        return answers[-1]

    monkeypatch.setattr(office.queue.redis, "enqueue_job", torn_first)
    assert await office.queue.enqueue("prune", "ns", 1, job_id="prune:ns:1:7")
    assert len(answers) == 2


async def test_a_tick_puts_in_sweeps_of_overdue_shards(
    office: Office, cache: AsyncSessionCache, namespace: str
) -> None:
    """One look at the numbers, and one job for each shard with something due, whoever looks again."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await cache.transcripts.append("a", {"n": 1})
    for _ in range(2):
        await tick({OFFICE: office})
    ids = [name.decode() for name in await office.queue.redis.zrange(office.queue.name, 0, -1)]
    sweeps = {name.rsplit(":", 1)[0] for name in ids if name.startswith("expire:")}
    assert sweeps == {f"expire:{namespace}:{cache.keys.shard_of('a')}"}


async def test_queues_of_one_redis_take_no_ticks_from_each_other(server: EmbeddedServer, namespace: str) -> None:
    """Workers for other namespaces put the tick of the same second into their own queue, too."""
    moment = datetime.now(UTC) + timedelta(days=1)
    for name in (f"{namespace}-a", f"{namespace}-b"):
        office = Office(load_settings(namespaces=(name,)), cache_settings(url=server.url))
        worker = make_worker(office)
        worker.cron_jobs[0].next_run = moment
        await worker.run_cron(moment, 0.5)
        assert await office.queue.redis.zcard(office.queue.name) == 1
        await office.aclose()


async def test_a_worker_ends_though_its_cancellation_was_lost(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a look at the queue swallows the cancellation, the worker ends at the next one."""
    worker = make_worker(office)
    looking = asyncio.Event()

    async def swallows(_worker: object) -> None:
        looking.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(ShardWorker, "_poll_iteration", swallows)
    working = asyncio.create_task(worker.async_run())
    await looking.wait()
    await worker.drain(1)
    async with asyncio.timeout(10):
        await working


async def test_errors_leave_no_slot_behind(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often taking a job fails, the worker can still take as many as before."""
    monkeypatch.setattr(worker_module, "PAUSE_FIRST_S", 0)
    worker = make_worker(office)
    await office.queue.enqueue("prune", office.settings.namespaces[0], 0, job_id="one")

    def broken(*_args: object, **_options: object) -> object:
        raise RedisConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(office.queue.redis, "pipeline", broken)
        for _ in range(5):
            await worker._poll_iteration()
    assert worker.job_counter == 0
    assert office.registry.get_sample_value("sessioncache_worker_queue_errors_total") == 5
    await worker._poll_iteration()
    await worker.drain(10)
    assert runs(office, "prune", "done") == 1
    assert await office.queue.redis.zcard(office.queue.name) == 0


async def test_a_server_that_hangs_does_not_hang_the_worker(
    server: EmbeddedServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Redis takes a command and does not answer, the worker gives up in time, and goes on when it answers."""
    monkeypatch.setattr(worker_module, "PAUSE_FIRST_S", 0)
    office = Office(load_settings(namespaces=(namespace,)), cache_settings(url=server.url, command_timeout_ms=100))
    worker = make_worker(office)
    await office.queue.enqueue("prune", namespace, 0, job_id="one")
    server.pause()
    await worker._poll_iteration()
    server.resume()
    assert office.registry.get_sample_value("sessioncache_worker_queue_errors_total") == 1
    await worker._poll_iteration()
    await worker.drain(10)
    await office.aclose()
    assert runs(office, "prune", "done") == 1


async def test_gauges_vanish_while_nobody_can_tell(server: EmbeddedServer, namespace: str) -> None:
    """While Redis does not answer, the size of a namespace is not shown as it was; afterwards it is shown again."""
    settings = load_settings(namespaces=(namespace,), gauges_every_s=0.02)
    limits = {"command_timeout_ms": 100, "call_timeout_ms": 200}
    office = Office(settings, cache_settings(url=server.url, **limits))

    async def shown() -> bool:
        return office.registry.get_sample_value("sessioncache_namespace_sessions", {"namespace": namespace}) is not None

    async def hidden() -> bool:
        return not await shown()

    watching = asyncio.create_task(watch(office))
    await until(shown, "the gauge is shown")
    server.pause()
    await until(hidden, "the gauge vanishes")
    server.resume()
    await until(shown, "the gauge is back")
    watching.cancel()
    await asyncio.wait({watching})
    await office.aclose()


async def test_a_node_that_hangs_is_passed_over(namespace: str) -> None:
    """A worker finds the owner of the queue's slot though the first node of its URL takes connections and is silent."""
    with EmbeddedCluster(nodes=3, appendonly=False) as cluster:
        owner = next(node for node in cluster.primaries() if _serves(node, ABORT_SLOT))
        silent = next(node for node in cluster.primaries() if node is not owner)
        url = f"redis+cluster://127.0.0.1:{silent.port},127.0.0.1:{owner.port}"
        office = Office(load_settings(namespaces=(namespace,)), cache_settings(url=url, command_timeout_ms=200))
        silent.pause()
        try:
            assert await asyncio.wait_for(office.queue.redis.zcard(office.queue.name), 20) == 0
        finally:
            silent.resume()
            await office.aclose()


def _serves(node: EmbeddedServer, slot: int) -> bool:
    ranges: Any = node.command("CLUSTER", "SLOTS")
    return any(first <= slot <= last and primary[1] == node.port for first, last, primary, *_replicas in ranges)


class Gate:
    """A run that ends when it is let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def run(self, *_args: object, **_options: object) -> Report:
        """Wait at the gate."""
        self.entered.set()
        await self.open.wait()
        return Report("prune", 0)


async def work_on(office: Office, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> ShardWorker:
    """A worker with one job at the gate."""
    monkeypatch.setitem(JOBS, "prune", shard_job("prune", gate.run, lambda _settings: 1))
    worker = make_worker(office)
    await office.queue.enqueue("prune", office.settings.namespaces[0], 0, job_id="one")
    await worker._poll_iteration()
    await asyncio.wait_for(gate.entered.wait(), 10)
    return worker


async def test_a_job_may_end_before_the_worker_does(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it drains, a worker takes nothing new and lets a job that is under way end."""
    gate = Gate()
    worker = await work_on(office, gate, monkeypatch)
    draining = asyncio.create_task(worker.drain(10))
    await office.queue.enqueue("prune", office.settings.namespaces[0], 1, job_id="two")
    await worker._poll_iteration()
    gate.open.set()
    await draining
    await worker.close()
    assert runs(office, "prune", "done") == 1
    assert await office.queue.redis.zrange(office.queue.name, 0, -1) == [b"two"]


async def test_a_job_that_does_not_end_stays_in_the_queue(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time to drain is over, a job is cancelled, and another worker can take it at once."""
    worker = await work_on(office, Gate(), monkeypatch)
    await worker.drain(0.01)
    await worker.close()
    assert runs(office, "prune", "cancelled") == 1
    assert await office.queue.redis.zrange(office.queue.name, 0, -1) == [b"one"]
    assert not await office.queue.redis.exists(in_progress_key_prefix + "one")


async def test_a_server_that_hangs_does_not_hold_up_the_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is cancelled while Redis is silent gives up its lease unreleased, instead of trying on and on."""
    monkeypatch.setattr(jobs_module, "RELEASE_LIMIT_S", 0.05)
    releasing: list[str] = []
    cache = office.caches[office.settings.namespaces[0]]

    async def release(_lease: ShardLease, **_seen: object) -> bool:
        releasing.append("begun")
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(cache.upkeep, "release", release)
    worker = await work_on(office, Gate(), monkeypatch)
    await worker.drain(0.01)
    await asyncio.wait_for(worker.close(), 10)
    assert releasing == ["begun"]
    assert runs(office, "prune", "cancelled") == 1


async def test_a_finished_period_is_not_put_in_again(office: Office) -> None:
    """The queue remembers a period's id for some ticks after its job has ended."""
    worker = make_worker(office)
    job = ("prune", office.settings.namespaces[0], 0)
    assert await office.queue.enqueue(*job, job_id="prune:0:7")
    await worker._poll_iteration()
    await asyncio.gather(*worker.tasks.values())
    assert runs(office, "prune", "done") == 1
    assert not await office.queue.enqueue(*job, job_id="prune:0:7")
    assert await office.queue.redis.zcard(office.queue.name) == 0


async def test_a_cancellation_that_the_driver_swallows(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker ends also where its cancellation was swallowed on the way, as it is while the driver connects."""
    swallowed = asyncio.Event()

    async def connect(_worker: Worker) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()

    monkeypatch.setattr(Worker, "_poll_iteration", connect)
    worker = make_worker(office)
    working = asyncio.create_task(worker.async_run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await worker.drain(10)
    await asyncio.wait_for(working, 10)
    assert swallowed.is_set()
