"""What background work there is to do, as the server tells."""

from __future__ import annotations

from sessioncache import AsyncSessionCache, RetentionPolicy

JOBS = ("expire", "prune")


async def test_passes_are_told(cache: AsyncSessionCache) -> None:
    """Whoever looks sees when a job last came through a shard, and what the newest change was when it began."""
    await cache.transcripts.append("a", {"n": 1})
    shard = cache.keys.shard_of("a")
    changes = await cache.schedule.changes(shard)
    lease = await cache.upkeep.acquire(shard, "prune", holder="me", ttl_ms=60_000)
    assert lease is not None
    await cache.transcripts.append("a", {"n": 2})
    await cache.upkeep.release(lease, seen={"changes:prune": changes})
    agenda = await cache.schedule.look(JOBS)
    seen = agenda.shards[shard]
    assert (seen.changes, dict(seen.passed_changes)) == (2, {"prune": 1})
    assert list(seen.passed_ms) == ["prune"]
    assert 0 < seen.passed_ms["prune"] <= agenda.now_ms
    assert agenda.shard_count == cache.keys.shards == len(agenda.shards)


async def test_the_earliest_deadline_of_each_shard_is_told(cache: AsyncSessionCache) -> None:
    """A shard says when its first session is due, and nothing where no session has a deadline."""
    cache.keys.now_override_ms = 1_000_000
    await cache.retention.save(RetentionPolicy(ttl_ms=600_000))
    await cache.transcripts.append("a", {"n": 1})
    cache.keys.now_override_ms = 1_500_000
    await cache.transcripts.append("b", {"n": 1})
    agenda = await cache.schedule.look(JOBS)
    assert agenda.now_ms == 1_500_000
    assert agenda.shards[cache.keys.shard_of("a")].earliest_ms == 1_600_000


async def test_a_namespace_that_nobody_has_written_to(cache: AsyncSessionCache) -> None:
    """Where nothing was written, nothing is due and nothing ran."""
    for shard in (await cache.schedule.look(JOBS)).shards:
        assert (shard.earliest_ms, shard.changes, shard.passed_ms) == (None, 0, {})
    assert await cache.schedule.changes(0) == 0
