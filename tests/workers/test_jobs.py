"""Jobs, queue and worker inside one process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from arq import Retry
from arq.constants import in_progress_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Worker
from redis.exceptions import ConnectionError as RedisConnectionError

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedServer
from sessioncache.errors import BackendUnavailable, LeaseLost
from sessioncache.maintenance import Report
from sessioncache.upkeep import ShardLease
from sessioncache_workers import jobs as jobs_module
from sessioncache_workers import worker as worker_module
from sessioncache_workers.__main__ import watch
from sessioncache_workers.archive import Archive
from sessioncache_workers.clockwork import Clockwork
from sessioncache_workers.jobs import run_shard, shard_job
from sessioncache_workers.office import OFFICE, Office
from sessioncache_workers.queue import JobId
from sessioncache_workers.readiness import readiness
from sessioncache_workers.settings import cache_settings, load_settings
from sessioncache_workers.worker import ShardWorker, make_worker
from tests.workers.conftest import until
from tests.workers.inside import put_in, queued, runs, work


async def test_a_shard_that_is_held_is_left_quietly(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """Where somebody else has the lease, a job does nothing and does not fail."""
    await cache.retention.save(RetentionPolicy(ttl_ms=1))
    await cache.transcripts.append("a", {"n": 1})
    shard = cache.keys.shard_of("a")
    assert await cache.upkeep.acquire(shard, "expire", holder="somebody else", ttl_ms=60_000)
    await run_shard(office, "expire", namespace, shard)
    assert runs(office, "expire", "skipped") == 1
    assert (await cache.stats.shards())[shard].sessions == 1


async def test_idle_sessions_are_sealed(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """The job compact seals what nobody has written to for an hour, and says so in the metrics."""
    await cache.transcripts.append("a", [{"n": 1}, {"n": 2}])
    office.caches[namespace].keys.now_override_ms = int(time.time() * 1000) + 3_700_000
    await run_shard(office, "compact", namespace, cache.keys.shard_of("a"))
    found = {"task": "compact", "finding": "sealed_messages"}
    assert runs(office, "compact", "done") == 1
    assert office.registry.get_sample_value("sessioncache_worker_findings_total", found) == 2
    assert (await cache.transcripts.list("a")).messages == [{"n": 1}, {"n": 2}]


async def test_an_archive_that_cannot_be_written_to_is_told_of(
    office: Office, cache: AsyncSessionCache, namespace: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker is not ready while its archive cannot be written to, says why in its log, and keeps the sessions."""
    folder = tmp_path / "archive"
    office.archive = Archive(str(folder))
    assert (await readiness(office, takes_jobs=True)).ready
    await cache.transcripts.append("a", {"n": 1})
    its = office.caches[namespace]
    its.settings = its.settings.model_copy(update={"archive_url": str(folder)})
    its.keys.now_override_ms = int(time.time() * 1000) + 14 * 86_400_000
    folder.rmdir()
    folder.write_text("in the way")
    for job in ("archive", "expire"):
        await run_shard(office, job, namespace, cache.keys.shard_of("a"))
    assert (runs(office, "archive", "failed"), runs(office, "expire", "done")) == (1, 1)
    (told,) = [vars(record)["fields"]["reason"] for record in caplog.records if record.message == "run failed"]
    assert str(folder) in told
    state = await readiness(office, takes_jobs=True)
    assert not state.ready
    assert state.checks["archive"].startswith("cannot be written to: ")
    assert (await cache.stats.get()).sessions == 1
    folder.unlink()
    assert (await readiness(office, takes_jobs=True)).ready


async def test_a_job_gives_its_lease_back(office: Office, cache: AsyncSessionCache, namespace: str) -> None:
    """After a job, the shard is free at once."""
    await run_shard(office, "prune", namespace, 0)
    assert runs(office, "prune", "done") == 1
    assert await cache.upkeep.acquire(0, "prune", holder="the next", ttl_ms=1_000)


async def test_a_job_that_is_fenced_out_ends(office: Office, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that loses its lease counts as lost and is not repeated."""

    async def run(*_args: object, **_options: object) -> Report:
        raise LeaseLost("taken over")

    work(monkeypatch, "expire", run)
    await run_shard(office, "expire", namespace, 0)
    assert runs(office, "expire", "lost") == 1
    assert office.registry.get_sample_value("sessioncache_worker_leases_lost_total", {"task": "expire"}) == 1


async def test_a_job_whose_server_was_away_is_due_again(
    office: Office, cache: AsyncSessionCache, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that met an absent server gives its shard back and leaves no trace, so that the next tick puts it in."""

    async def run(*_args: object, **_options: object) -> Report:
        raise BackendUnavailable("no connection")

    work(monkeypatch, "prune", run)
    await run_shard(office, "prune", namespace, 0)
    assert runs(office, "prune", "retried") == 1
    assert await cache.upkeep.acquire(0, "prune", holder="the next", ttl_ms=1_000)
    assert not (await cache.schedule.look(["prune"])).shards[0].passed_ms


async def test_a_job_that_fails_is_left_alone_for_a_while(
    office: Office, cache: AsyncSessionCache, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that breaks keeps its shard's lease until that runs out, so that it is not tried at every tick."""

    async def run(*_args: object, **_options: object) -> Report:
        raise ValueError("chat-of-somebody is broken")

    work(monkeypatch, "prune", run)
    await run_shard(office, "prune", namespace, 0)
    assert runs(office, "prune", "failed") == 1
    assert await cache.upkeep.acquire(0, "prune", holder="the next", ttl_ms=1_000) is None


async def test_a_job_that_is_out_of_time_is_no_cancelled_one(
    server: EmbeddedServer, cache: AsyncSessionCache, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that takes too long is stopped, gives its shard back, and counts as timed out."""
    settings = load_settings(namespaces=(namespace,)).model_copy(update={"job_timeout_s": 0.05})
    office = Office(settings, cache_settings(url=server.url))
    await office.find_namespaces()
    work(monkeypatch, "prune", Gate().run)
    await run_shard(office, "prune", namespace, 0)
    assert runs(office, "prune", "timed_out") == 1
    assert runs(office, "prune", "cancelled") == 0
    assert await cache.upkeep.acquire(0, "prune", holder="the next", ttl_ms=1_000)
    await office.aclose()


async def test_a_pass_is_noted_with_what_it_began_with(
    office: Office, cache: AsyncSessionCache, namespace: str
) -> None:
    """Whoever looks sees that the job came through the shard, and which change was the newest before it."""
    await cache.transcripts.append("a", {"n": 1})
    shard = cache.keys.shard_of("a")
    await run_shard(office, "prune", namespace, shard)
    seen = (await cache.schedule.look(["prune"])).shards[shard]
    assert dict(seen.passed_changes) == {"prune": 1}
    assert seen.passed_ms["prune"] > 0


async def test_jobs_hold_the_lease_they_work_under(
    office: Office, cache: AsyncSessionCache, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a job runs, nobody else gets its shard."""
    seen: list[ShardLease | None] = []

    async def run(_cache: object, shard: int, *, lease: ShardLease | None, **_options: Any) -> Report:
        seen.append(lease)
        assert await cache.upkeep.acquire(shard, "expire", holder="somebody else", ttl_ms=1_000) is None
        return Report("expire", shard)

    work(monkeypatch, "expire", run)
    await run_shard(office, "expire", namespace, 1)
    assert seen[0] is not None
    assert seen[0].job == "expire"


async def test_what_a_newer_release_put_in_is_left_in_the_queue(office: Office, namespace: str) -> None:
    """Jobs that this release does not know, and those of other namespaces, stay for those who know them."""
    worker = make_worker(office)
    others = [JobId("polish", namespace, 0), JobId("prune", "elsewhere", 0), JobId("prune", namespace, 99)]
    await office.queue.put_in([*others, JobId("prune", namespace, 0)])
    await office.queue.redis.zadd(office.queue.name, {"cron:tick:now": 1})
    await worker._poll_iteration()
    await worker.drain(10)
    assert runs(office, "prune", "done") == 1
    assert set(await office.queue.jobs()) == {None, *others}


async def test_arguments_of_a_newer_release_are_handed_back(office: Office, namespace: str) -> None:
    """A job with arguments that this release does not know goes back into the queue."""
    for args, more in (((namespace, 0, "fast"), {}), ((namespace, "0"), {}), ((namespace, 0), {"mode": "fast"})):
        with pytest.raises(Retry):
            await shard_job("prune")({OFFICE: office}, *args, **more)
    assert runs(office, "prune", "unknown") == 3


async def test_a_job_is_claimed_for_as_long_as_it_is_under_way(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim on a job is shorter than the job may take, and is renewed as long as its worker lives."""
    worker = await work_on(office, Gate(), monkeypatch)
    claim = in_progress_key_prefix + f"prune:{office.settings.namespaces[0]}:0"
    assert await office.queue.redis.pttl(claim) <= 30_000
    await office.queue.redis.pexpire(claim, 5_000)
    worker._held_at = -1_000_000.0
    await worker._poll_iteration()
    assert await office.queue.redis.pttl(claim) > 5_000
    await worker.drain(0.01)
    await worker.close()


async def test_a_job_whose_claim_ran_out_is_not_begun_beside_itself(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that stood still for longer than its claims last goes on with its jobs; later ones it takes as ever."""
    gate = Gate()
    worker = await work_on(office, gate, monkeypatch)
    (task,) = worker.tasks.values()
    await office.queue.let_go(f"prune:{office.settings.namespaces[0]}:0")
    await worker._poll_iteration()
    assert list(worker.tasks.values()) == [task]
    gate.open.set()
    await task
    await put_in(office)
    await worker._poll_iteration()
    await worker.close()
    assert runs(office, "prune", "done") == 2
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    assert await queued(office) == []


async def test_with_nothing_to_do_it_looks_less_often(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at an empty queue become fewer, down to a bound, and as many as before when something is there."""
    worker = make_worker(office)
    worker.poll_delay_s = 0.001
    for _ in range(8):
        await worker._poll_iteration()
        await worker._rest()
    assert worker._idle == worker_module.IDLE_MAX
    work(monkeypatch, "prune", Gate().run)
    await put_in(office)
    await worker._poll_iteration()
    await worker._rest()
    assert worker._idle == 1
    await worker.drain(0.01)
    await worker.close()


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
    await put_in(office)

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
    server: EmbeddedServer, cache: AsyncSessionCache, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Redis takes a command and does not answer, the worker gives up in time, and goes on when it answers."""
    monkeypatch.setattr(worker_module, "PAUSE_FIRST_S", 0)
    office = Office(load_settings(namespaces=(namespace,)), cache_settings(url=server.url, command_timeout_ms=500))
    await office.find_namespaces()
    assert office.caches[namespace].keys.shards == cache.keys.shards
    worker = make_worker(office)
    await put_in(office)
    server.pause()
    await worker._poll_iteration()
    server.resume()
    assert office.registry.get_sample_value("sessioncache_worker_queue_errors_total") == 1
    while not worker.tasks:
        # On a busy machine an answer may take longer than the limit here.
        await worker._poll_iteration()
    await worker.drain(10)
    await office.aclose()
    assert runs(office, "prune", "done") == 1


async def test_gauges_vanish_while_nobody_can_tell(
    server: EmbeddedServer, cache: AsyncSessionCache, namespace: str
) -> None:
    """While Redis does not answer, the size of a namespace is not shown as it was; afterwards it is shown again."""
    settings = load_settings(namespaces=(namespace,), gauges_every_s=0.02)
    limits = {"command_timeout_ms": 500, "call_timeout_ms": 1_000}
    assert cache.keys.namespace == namespace
    office = Office(settings, cache_settings(url=server.url, **limits))
    await office.find_namespaces()

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
    work(monkeypatch, "prune", gate.run)
    worker = make_worker(office)
    await put_in(office)
    await worker._poll_iteration()
    await asyncio.wait_for(gate.entered.wait(), 10)
    return worker


async def test_a_job_may_end_before_the_worker_does(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it drains, a worker takes nothing new and lets a job that is under way end."""
    gate = Gate()
    worker = await work_on(office, gate, monkeypatch)
    draining = asyncio.create_task(worker.drain(10))
    await put_in(office, shard=1)
    await worker._poll_iteration()
    gate.open.set()
    await draining
    await worker.close()
    assert runs(office, "prune", "done") == 1
    assert await queued(office) == ["prune:1"]


async def test_a_job_that_does_not_end_stays_in_the_queue(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time to drain is over, a job is cancelled, and another worker can take it at once."""
    worker = await work_on(office, Gate(), monkeypatch)
    await worker.drain(0.01)
    await worker.close()
    assert runs(office, "prune", "cancelled") == 1
    assert await queued(office) == ["prune:0"]
    assert await office.queue.free([f"prune:{office.settings.namespaces[0]}:0".encode()])


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


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
async def test_a_clock_that_is_wrong_takes_jobs_like_a_right_one(
    office: Office, cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """A worker whose clock is hours off ticks, takes what is due at once, and sweeps nothing early."""
    monkeypatch.setattr("arq.worker.timestamp_ms", lambda: timestamp_ms() + hours * 3_600_000)
    await cache.retention.save(RetentionPolicy(ttl_ms=1_800_000))
    await cache.transcripts.append("alive", {"n": 1})
    await cache.transcripts.append("overdue", {"n": 1})
    await cache.session("overdue").retain(ttl_ms=1)
    worker = make_worker(office)
    assert await Clockwork(office, worker.wake).tick()

    async def is_swept() -> bool:
        await worker._poll_iteration()
        return runs(office, "expire", "done") > 0

    await until(is_swept, "the overdue session is swept")
    await worker.drain(10)
    await worker.close()
    assert await cache.sessions.get("alive") is not None
    assert sum(shard.sessions for shard in await cache.stats.shards()) == 1
