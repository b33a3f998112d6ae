"""Workers that are killed, or sleep too long, in the midst of each job: nothing is lost, doubled or left half done.

Agents write all the while. Each job is killed several times, each time somewhere else, then run to its end by another.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.embedded import EmbeddedServer
from sessioncache.maintenance import relieve
from sessioncache.maintenance.jobs import JOBS
from tests.faults.conftest import SHARDS, Stem, verdict
from tests.faults.judge import Promises
from tests.faults.summary import SUMMARY, options_of
from tests.faults.writers import Writers, fill

pytestmark = pytest.mark.timeout(120)

NAMES = [f"s{n}" for n in range(80)]
AGENTS = ["a0", "a1", "a2", "a0"]
"""Sessions that agents write to; two of them share one."""

PREPARED = {"expire", "archive", "prune", "compact", "summarise", "collect", "reconcile"}
"""Jobs that `prepare` gives something to do. Others may end before anybody can kill them; what they leave is judged."""

HOUR_MS = 3_600_000
MESSAGES = 6
LEASE_MS = 200


async def prepare(cache: AsyncSessionCache, promises: Promises, server: EmbeddedServer, job: str) -> None:
    """Sessions that the job has something to do with."""
    policy = RetentionPolicy(ttl_ms=HOUR_MS)
    if job == "prune":
        policy = policy.model_copy(update={"keep_messages": 3})
        promises.kept_at_least = 3
    if job == "summarise":
        policy = policy.model_copy(update={"summarise_messages": 4, "summarise_keep": 2})
        promises.kept_at_least = 2
        for name in (*NAMES, *AGENTS):
            promises.unknown[name].add(SUMMARY)
    await cache.retention.save(policy)
    if job == "compact":
        cache.keys.now_override_ms = int(time.time() * 1000) - HOUR_MS // 2
        await cache.retention.save(RetentionPolicy(ttl_ms=24 * HOUR_MS, seal_idle_ms=1))
    await fill(cache, promises, NAMES, messages=MESSAGES)
    cache.keys.now_override_ms = None
    if job in {"expire", "archive"}:
        await asyncio.gather(*(cache.retention.update(name, ttl_ms=1) for name in NAMES[:60]))
        promises.must_be_gone |= set(NAMES[:60])
    if job == "collect":
        await asyncio.gather(*(cache.sessions.delete(name) for name in NAMES[:40]))
        promises.must_be_gone |= set(NAMES[:40])
        _litter(cache, server)
    if job == "reconcile":
        _drift(cache, server)


def _drift(cache: AsyncSessionCache, server: EmbeddedServer) -> None:
    """What foreign commands may do to lists and totals."""
    for shard in cache.keys:
        server.command("ZREMRANGEBYRANK", shard.by_updated, 0, 9)
        server.command("ZREMRANGEBYRANK", shard.by_user, 0, 4)
        ghost = next(f"ghost{n}" for n in range(99) if cache.keys.shard_of(f"ghost{n}") == shard.index)
        server.command("ZADD", shard.deadlines, 9_000_000_000_000, ghost)
        server.command("HINCRBY", shard.totals, "messages", 7)


def _litter(cache: AsyncSessionCache, server: EmbeddedServer) -> None:
    """What would stay for ever: tombstones that do not expire, links that nothing stands behind."""
    for name in NAMES[:40]:
        keys = cache.keys.session(name)
        server.command("PERSIST", keys.tombstone)
        server.command("ZADD", keys.shard.links, 0, f"c\0gone\0{keys.escaped}")


async def finish(cache: AsyncSessionCache, job: str) -> None:
    """Run the job to its end, as the next worker would when the lease of the dead has run out."""
    for shard in range(SHARDS):
        run: Any = JOBS[job].run
        report = await run(cache, shard, limit=100_000, **options_of(job))
        assert report.done, report.notes
        if job == "archive":
            # Only what was archived is swept.
            assert (await JOBS["expire"].run(cache, shard, limit=100_000)).done


@pytest.fixture(autouse=True)
def _archive(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where expiring sessions are written, in the test of that job."""
    if hasattr(request.node, "callspec") and request.node.callspec.params.get("job") == "archive":
        monkeypatch.setenv("SESSIONCACHE_ARCHIVE_URL", tmp_path.as_uri())


def archived(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """Sessions that are whole in a file, and who wrote their messages."""
    found: dict[str, list[tuple[int, int]]] = {}
    for path in folder.rglob("*.jsonl.gz"):
        tokens: list[tuple[int, int]] = []
        try:
            lines = gzip.decompress(path.read_bytes()).splitlines()
        except (EOFError, gzip.BadGzipFile):
            # Its writer was killed: nothing in it counts.
            continue
        for line in map(json.loads, lines):
            if "session" in line:
                tokens = []
            for _seq, _ms, _mark, message in line.get("messages", ()):
                tokens.append((message["w"], message["n"]))
            if "end" in line:
                found[line["end"]] = tokens
    return found


@pytest.mark.parametrize("job", JOBS)
async def test_a_worker_is_killed_during_a_job(
    cache: AsyncSessionCache, server: EmbeddedServer, stem: Stem, promises: Promises, job: str
) -> None:
    """After SIGKILL at four places of a job, under writes, the next worker ends it, and all is whole."""
    await prepare(cache, promises, server, job)
    writers = Writers(cache, promises, sessions=AGENTS)
    async with writers.writing():
        killed = 0
        for count in (1, 2, 3, 5):
            stem.begin(job, holder=f"doomed-{count}", ttl_ms=LEASE_MS)
            killed += await asyncio.to_thread(stem.kill_at, count)
            await writers.goes_on()
        await finish(cache, job)
        await writers.goes_on()
    assert killed or job not in PREPARED
    assert (writers.unknown, writers.refused, writers.others) == (0, 0, [])
    if job == "prune":
        # The last messages came after it.
        await finish(cache, job)
    if job in {"prune", "summarise"}:
        assert await cache.transcripts.count(NAMES[0]) < MESSAGES
    if job == "archive":
        assert cache.settings.archive_url is not None
        found = archived(Path(cache.settings.archive_url.removeprefix("file://")))
        assert [name for name in promises.must_be_gone if found.get(name) != promises.acknowledged[name]] == []
    await verdict(cache, [server], promises)


@pytest.mark.parametrize("job", JOBS)
async def test_a_worker_sleeps_beyond_its_lease(
    cache: AsyncSessionCache, server: EmbeddedServer, stem: Stem, promises: Promises, job: str
) -> None:
    """A worker that was stopped while another did its job changes nothing when it goes on: its writes are refused."""
    await prepare(cache, promises, server, job)
    writers = Writers(cache, promises, sessions=AGENTS)
    async with writers.writing():
        stem.begin(job, holder="sleeper", ttl_ms=LEASE_MS, sleep_at=1)
        told = await asyncio.to_thread(stem.until, "stopped")
        assert told is not None or job not in PREPARED
        for shard in range(SHARDS):
            lease = None
            while lease is None:
                lease = await cache.upkeep.acquire(shard, job, holder="the next", ttl_ms=60_000)
                await asyncio.sleep(0.01)
            run: Any = JOBS[job].run
            assert (await run(cache, shard, limit=100_000, lease=lease, **options_of(job))).done
        if told is not None:
            os.kill(told[0], signal.SIGCONT)
            assert await asyncio.to_thread(stem.until, "lost"), "its late writes were not refused"
        await writers.goes_on()
    assert (writers.unknown, writers.refused, writers.others) == (0, 0, [])
    if job in {"prune", "archive"}:
        await finish(cache, job)
    await verdict(cache, [server], promises)


async def test_a_worker_is_killed_during_relief(
    cache: AsyncSessionCache, server: EmbeddedServer, stem: Stem, promises: Promises
) -> None:
    """Where a server's relief is killed, sessions are gone whole or not at all, and the next one goes on with it."""
    await fill(cache, promises, NAMES, messages=60)
    promises.may_be_gone |= set(NAMES)
    used = (await cache.upkeep.memory(0)).used
    marks: dict[str, Any] = {"high": 0.9, "low": 0.6, "bytes_max": used}
    writers = Writers(cache, promises, sessions=AGENTS)
    promises.may_be_gone |= set(AGENTS)
    async with writers.writing():
        killed = 0
        for count in (1, 2):
            stem.begin("relieve", holder="doomed", ttl_ms=LEASE_MS, batch=3, **marks)
            killed += await asyncio.to_thread(stem.kill_at, count)
            await writers.goes_on()
    assert killed
    await asyncio.sleep(LEASE_MS / 1000)
    await relieve.run(cache, high=0.9, low=0.6, bytes_max=used)
    assert (await cache.stats.get()).sessions < len(NAMES)
    await verdict(cache, [server], promises)
