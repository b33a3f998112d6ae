"""Sweeping overdue sessions."""

from __future__ import annotations

import itertools

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.errors import LeaseLost
from sessioncache.maintenance import Report, expire
from sessioncache.upkeep.models import Walk
from tests.engines import Engine, keys_of

HOUR_MS = 3_600_000
FAR_MS = 30 * 24 * HOUR_MS


async def fill(cache: AsyncSessionCache, count: int) -> None:
    """So many sessions of two messages each."""
    for number in range(count):
        await cache.transcripts.append(f"s{number}", [{"n": number}, {"n": number}])


async def pass_time(cache: AsyncSessionCache, ms: int) -> None:
    """Let the server's clock stand so much later, for this cache."""
    [shard] = await cache.stats.shards()
    cache.keys.now_override_ms = shard.now_ms + ms


async def test_sweeps_in_batches(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """All overdue sessions go, so many at a time, and the totals say so after every batch."""
    monkeypatch.setattr(expire, "BATCH", 4)
    monkeypatch.setattr("sessioncache.maintenance.batch.BATCH", 4)
    await fill(cache, 10)
    await pass_time(cache, FAR_MS)
    seen: list[int] = []
    report = await expire.run(cache, 0, limit=1000, progress=lambda report: seen.append(report.examined))
    assert (report.examined, report.changed, report.done) == (10, 10, True)
    assert report.details["messages"] == 20
    assert seen == [4, 8, 10]
    stats = await cache.stats.get()
    assert (stats.sessions, stats.messages, stats.bytes, stats.overdue) == (0, 0, 0, 0)


async def test_stops_at_the_limit(cache: AsyncSessionCache) -> None:
    """A run looks at no more sessions than it may, and says that there are more."""
    await fill(cache, 5)
    await pass_time(cache, FAR_MS)
    first = await expire.run(cache, 0, limit=3)
    second = await expire.run(cache, 0, limit=3)
    assert (first.examined, first.done, second.examined, second.done) == (3, False, 2, True)


async def test_leaves_nothing_behind(cache: AsyncSessionCache, engine: Engine, namespace: str) -> None:
    """A swept session has no key any more, not even an entry of an index."""
    await fill(cache, 3)
    await pass_time(cache, FAR_MS)
    await expire.run(cache, 0, limit=10)
    left = {key.name.removeprefix(f"sc:{{{namespace}") for key in await keys_of(engine)}
    assert left <= {"}:config", ":0}:feed", ":0}:totals"}


async def test_an_extended_session_stays(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that got a new deadline between being found due and being swept is kept."""
    await fill(cache, 2)
    await pass_time(cache, FAR_MS)
    due_behind = cache.upkeep.due_behind
    now_ms = cache.keys.now_override_ms

    async def due_then_extended(shard: int, walk: Walk, *, limit: int, ahead_ms: int) -> list[tuple[str, int]]:
        found = await due_behind(shard, walk, limit=limit, ahead_ms=ahead_ms)
        if any(session_id == "s1" for session_id, _deadline_ms in found):
            cache.keys.now_override_ms = None
            await cache.session("s1").retain(ttl_ms=2 * FAR_MS)
            cache.keys.now_override_ms = now_ms
        return found

    monkeypatch.setattr(cache.upkeep, "due_behind", due_then_extended)
    report = await expire.run(cache, 0, limit=10)
    assert (report.details["expired"], report.details["kept"]) == (1, 1)
    assert await cache.session("s1").transcript.count() == 2


async def test_a_foreign_entry_does_not_stop_it(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is due in a shard it does not belong to is noted, and the rest is swept."""
    await fill(cache, 2)
    await pass_time(cache, FAR_MS)
    shard_of = cache.keys.shard_of
    monkeypatch.setattr(cache.keys, "shard_of", lambda name: 1 if name == "s0" else shard_of(name))
    report = await expire.run(cache, 0, limit=10)
    assert (report.details["misplaced"], report.details["expired"], report.done) == (1, 1, True)


async def test_a_batch_of_foreign_entries_does_not_stop_it(
    cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions are swept, however many entries that are no sessions of the shard stand in front of them."""
    await fill(cache, 5)
    await pass_time(cache, FAR_MS)
    shard_of = cache.keys.shard_of
    foreign = [session_id for session_id, _late_ms in await cache.upkeep.due(0, limit=3)]
    monkeypatch.setattr(cache.keys, "shard_of", lambda name: 1 if name in foreign else shard_of(name))
    monkeypatch.setattr(expire, "BATCH", 2)
    report = await expire.run(cache, 0, limit=10)
    assert (report.details["misplaced"], report.details["expired"], report.done) == (3, 2, True)


async def test_a_late_worker_is_refused(cache: AsyncSessionCache) -> None:
    """Whoever lost the shard's lease cannot sweep any more, whatever it still believes."""
    await fill(cache, 2)
    await pass_time(cache, FAR_MS)
    late = await cache.upkeep.acquire(0, "expire", holder="a", ttl_ms=1)
    assert late is not None
    assert cache.keys.now_override_ms is not None
    cache.keys.now_override_ms += 10
    assert await cache.upkeep.acquire(0, "expire", holder="b", ttl_ms=60_000)
    with pytest.raises(LeaseLost):
        await expire.run(cache, 0, limit=10, lease=late)
    [shard] = await cache.stats.shards()
    assert shard.overdue == 2


async def test_the_lease_is_renewed_between_batches(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is longer than its lease keeps the shard, and is fenced out as soon as it does not."""
    monkeypatch.setattr("sessioncache.maintenance.batch.BATCH", 1)
    await fill(cache, 3)
    await pass_time(cache, FAR_MS)
    lease = await cache.upkeep.acquire(0, "expire", holder="a", ttl_ms=1_000)
    own_clock = itertools.count(step=0.05)
    monkeypatch.setattr("sessioncache.maintenance.batch.perf_counter", lambda: next(own_clock))

    def time_passes(_report: Report) -> None:
        assert cache.keys.now_override_ms is not None
        cache.keys.now_override_ms += 800

    report = await expire.run(cache, 0, limit=10, lease=lease, lease_ttl_ms=1_000, progress=time_passes)
    assert (report.changed, report.done) == (3, True)


async def test_a_lease_from_a_clock_that_ran_ahead_is_taken_over(cache: AsyncSessionCache) -> None:
    """A lease that ends later than any can is free: the next one has a newer token, and its holder is refused."""
    await fill(cache, 1)
    await pass_time(cache, 2 * FAR_MS)
    dead = await cache.upkeep.acquire(0, "expire", holder="dead", ttl_ms=600_000)
    assert dead is not None
    cache.keys.now_override_ms = None
    assert await cache.upkeep.acquire(0, "prune", holder="a", ttl_ms=600_000) is not None
    assert await cache.upkeep.acquire(0, "prune", holder="b", ttl_ms=600_000) is None
    later = await cache.upkeep.acquire(0, "expire", holder="alive", ttl_ms=60_000)
    assert later is not None
    assert later.token > dead.token
    with pytest.raises(LeaseLost):
        await cache.upkeep.renew(dead, ttl_ms=60_000)
    await pass_time(cache, FAR_MS)
    with pytest.raises(LeaseLost):
        await expire.run(cache, 0, limit=10, lease=dead)
