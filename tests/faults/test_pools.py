"""Pools of workers that disagree: about the time, and about what there is to do."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedServer
from sessioncache.wire.keys import ShardKeys
from tests.faults.conftest import verdict
from tests.faults.judge import Promises
from tests.faults.writers import Writers, fill
from tests.programs import missing
from tests.workers.conftest import WorkerProcess, until

pytestmark = pytest.mark.timeout(240)

Start = Callable[..., WorkerProcess]

HOUR_MS = 3_600_000
AGENTS = ["a0", "a1", "a2"]
DUE = [f"due{n}" for n in range(60)]
KEPT = [f"kept{n}" for n in range(20)]


def faketime(shift: str) -> dict[str, str]:
    """Variables of a process whose clock is wrong."""
    found = sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))
    if not found:
        missing("there is no libfaketime (Debian's package is faketime)")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def swept(cache: AsyncSessionCache) -> bool:
    """Whether nothing is overdue any more."""
    return (await cache.stats.get()).overdue == 0


async def has_worked(worker: WorkerProcess) -> bool:
    """Whether a worker has ended a run well."""
    _, body = await worker.get("metrics")
    lines = [line for line in body.decode().splitlines() if line.startswith("sessioncache_worker_runs_total{")]
    return any('outcome="done"' in line and not line.endswith(" 0.0") for line in lines)


async def sound(worker: WorkerProcess) -> None:
    """A worker has had no trouble, and ends well."""
    assert worker.process.poll() is None, worker.log
    assert [line for line in worker.lines if line["level"] == "error"] == []
    assert await worker.end() == 0


@pytest.mark.parametrize("shift", ["+1h", "-1h"])
async def test_clocks_an_hour_apart(
    cache: AsyncSessionCache, server: EmbeddedServer, start: Start, promises: Promises, shift: str
) -> None:
    """Of two workers an hour apart both work, none sweeps what is not due; and where one dies, the other goes on."""
    right, wrong = start(server.url), start(server.url, **faketime(shift))
    await cache.retention.save(RetentionPolicy(ttl_ms=HOUR_MS // 2))
    for worker in (right, wrong):
        await worker.started()
    await fill(cache, promises, KEPT)

    async def both_worked() -> bool:
        return await has_worked(right) and await has_worked(wrong)

    writers = Writers(cache, promises, sessions=AGENTS)
    async with writers.writing():
        await fill(cache, promises, DUE, due=True)
        await until(lambda: swept(cache), "all that is due is swept")
        await until(both_worked, "each has done something")
        await right.end(signal.SIGKILL)
        await fill(cache, promises, [f"later {name}" for name in DUE], due=True)
        await until(lambda: swept(cache), "the other one sweeps what comes due later")
    assert (writers.unknown, writers.refused, writers.others) == (0, 0, [])
    await sound(wrong)
    await verdict(cache, [server], promises)


async def test_two_versions_side_by_side(
    cache: AsyncSessionCache, server: EmbeddedServer, start: Start, promises: Promises, tmp_path: Path
) -> None:
    """A worker that does not know all jobs works beside one that does, and what only that one knows is done."""
    old = tmp_path / "old"
    old.mkdir()
    (old / "sitecustomize.py").write_text(OLD_RELEASE, encoding="utf-8")
    workers = [start(server.url, PYTHONPATH=str(old)), start(server.url)]
    await cache.retention.save(RetentionPolicy(ttl_ms=HOUR_MS // 2))
    for worker in workers:
        await worker.started()
    await fill(cache, promises, KEPT)
    server.command("HINCRBY", cache.keys.shard(0).totals, "messages", 7)

    async def repaired() -> bool:
        return (await cache.stats.get()).messages == sum([await cache.transcripts.count(name) for name in KEPT])

    await until(repaired, "the new worker has repaired the totals")
    writers = Writers(cache, promises, sessions=AGENTS)
    async with writers.writing():
        await fill(cache, promises, DUE, due=True)
        await until(lambda: swept(cache), "all that is due is swept")
        await writers.goes_on()
    assert (writers.unknown, writers.refused, writers.others) == (0, 0, [])
    for worker in workers:
        await sound(worker)
    await verdict(cache, [server], promises)


async def test_a_worker_that_slept_is_refused(
    cache: AsyncSessionCache, server: EmbeddedServer, start: Start, promises: Promises
) -> None:
    """A worker that was stopped in the midst of a sweep loses its shard to another; awake again, it is told so."""
    first = start(server.url)
    await first.started()
    await cache.retention.save(RetentionPolicy(ttl_ms=HOUR_MS // 2))
    await fill(cache, promises, KEPT)
    while not await fell_asleep(cache, server, first, promises):
        os.kill(first.process.pid, signal.SIGCONT)
    second = start(server.url)
    await second.started()
    writers = Writers(cache, promises, sessions=AGENTS)
    async with writers.writing():
        await until(lambda: swept(cache), "the second worker sweeps the rest")
        # Left alone with more to sweep: with nothing to do the first one would end its run, and nobody had to tell it.
        stop(second)
        await come_due(cache, promises)
        os.kill(first.process.pid, signal.SIGCONT)

        async def told() -> bool:
            return any("lease" in line["event"] and "lost" in line["event"] for line in first.lines)

        await until(told, "the first one is told that its lease is lost")
        os.kill(second.process.pid, signal.SIGCONT)
        await until(lambda: swept(cache), "all is swept")
        await writers.goes_on()
    assert (writers.unknown, writers.refused, writers.others) == (0, 0, [])
    for worker in (first, second):
        await sound(worker)
    await verdict(cache, [server], promises)


def stop(worker: WorkerProcess) -> None:
    """Stop a worker, and wait until it stands still."""
    os.kill(worker.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, worker.process.pid, os.WSTOPPED)


async def come_due(cache: AsyncSessionCache, promises: Promises) -> None:
    """Many sessions come due at once, more in each shard than a worker sweeps in one batch."""
    names = [f"lot {len(promises.must_be_gone)} {n}" for n in range(1_200)]
    parts = [names[first : first + 200] for first in range(0, len(names), 200)]
    for part in parts:
        await asyncio.gather(*(cache.transcripts.append(name, {"w": -1, "n": 0}) for name in part))
    for part in parts:
        await asyncio.gather(*(cache.retention.update(name, ttl_ms=1) for name in part))
    promises.must_be_gone.update(names)


async def fell_asleep(
    cache: AsyncSessionCache, server: EmbeddedServer, worker: WorkerProcess, promises: Promises
) -> bool:
    """Stop a worker while it sweeps; whether it holds a shard in which there is something left to do."""
    await come_due(cache, promises)

    def held() -> list[ShardKeys]:
        return [shard for shard in cache.keys if server.command("HEXISTS", shard.lease("expire"), "holder")]

    async def holds() -> bool:
        return bool(held()) or await swept(cache)

    await until(holds, "the worker begins to sweep")
    stop(worker)
    for _ in range(2):
        # What it had sent is done before the server answers the second time.
        server.command("PING")
    return any(server.command("ZCOUNT", shard.deadlines, 1, int(time.time() * 1000)) for shard in held())


OLD_RELEASE = """
from sessioncache_workers import jobs

for name in set(jobs.JOBS) - {"expire", "prune"}:
    del jobs.JOBS[name]
"""
"""Makes the worker one of a release that had only the first jobs."""
