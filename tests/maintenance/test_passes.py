"""What a pass over a shard leaves for whoever looks at the namespace."""

from __future__ import annotations

from types import ModuleType

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.maintenance import Report, collect, compact, reconcile, summarise
from sessioncache.upkeep import ShardLease
from tests.maintenance.conftest import Surgeon


async def lease_for(cache: AsyncSessionCache, job: str, holder: str = "somebody") -> ShardLease:
    """The lease of the only shard."""
    lease = await cache.upkeep.acquire(0, job, holder=holder, ttl_ms=60_000)
    assert lease is not None
    return lease


@pytest.mark.engines("fakeredis", "valkey", "redis", "cluster", "acl")
async def test_a_pass_notes_what_it_saw(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """When a job comes to the end of a shard, everybody learns when, and how many sessions are torn or sealed there."""
    await cache.retention.save(RetentionPolicy(seal_keep=10))
    for name in ("long", "torn"):
        await cache.transcripts.append(name, [{"n": number} for number in range(200)])
    await compact.run(cache, 0, limit=10)
    with surgeon.at(cache.keys.session("torn").sealed) as client:
        client.delete(cache.keys.session("torn").sealed)
    lease = await lease_for(cache, "reconcile")
    report = await reconcile.run(cache, 0, limit=100, lease=lease)
    before = await cache.stats.get()
    assert (before.torn, before.sealed, before.passed_ms) == (0, 0, {})
    assert await cache.upkeep.release(lease, seen=report.passed)
    stats = await cache.stats.get()
    assert (stats.torn, stats.sealed, list(stats.passed_ms)) == (1, 128, ["reconcile"])
    assert stats.sealed_from_bytes > 4 * stats.sealed_bytes > 0
    [shard] = await cache.stats.shards()
    assert 0 < shard.passed_ms["reconcile"] <= shard.now_ms


async def test_a_run_that_stopped_early_notes_nothing(cache: AsyncSessionCache) -> None:
    """A run that its limit ended has not seen the shard, and says nothing of it."""
    for name in ("a", "b", "c"):
        await cache.transcripts.append(name, {"n": 1})
    report = await reconcile.run(cache, 0, limit=2)
    assert not report.done
    assert report.passed is None
    await cache.upkeep.release(await lease_for(cache, "reconcile"), seen=report.passed)
    assert (await cache.stats.get()).passed_ms == {}


async def test_who_lost_the_lease_notes_nothing(cache: AsyncSessionCache) -> None:
    """What a worker saw before somebody else took its shard over does not replace what that one saw."""
    late = await lease_for(cache, "reconcile")
    await cache.upkeep.release(late)
    later = await lease_for(cache, "reconcile", "another")
    assert not await cache.upkeep.release(late, seen={"torn": 7})
    assert await cache.upkeep.release(later, seen={"torn": 0})
    assert (await cache.stats.get()).torn == 0


async def test_runs_over_several_shards_add_up() -> None:
    """Reports of several shards tell together what each of them saw."""
    total = Report("reconcile", None)
    for shard in range(2):
        total.merge(Report("reconcile", shard, seen={"torn": 1, "sealed": 5}))
    assert total.seen == {"torn": 2, "sealed": 10}


async def test_damaged_notes_keep_no_job_from_being_due(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """What is noted about a pass and is no number was never noted; everything else is told as before."""
    await cache.transcripts.append("a", {"n": 1})
    key = cache.keys.shard(0).totals
    damage = {"passed:expire": "soon", "seen:changes:expire": "1.5", "passed:prune": 7, "seen:changes:prune": 1}
    with surgeon.at(key) as client:
        client.hset(key, mapping=damage)
    [seen] = (await cache.schedule.look(["expire", "prune"])).shards
    assert (seen.changes, dict(seen.passed_ms), dict(seen.passed_changes)) == (1, {"prune": 7}, {"prune": 1})
    with surgeon.at(key) as client:
        client.hset(key, "feed_seq", "many")
    assert (await cache.schedule.look(["expire"])).shards[0].changes == 0
    await reconcile.run(cache, 0, limit=10)


@pytest.mark.parametrize("job", [collect, compact, summarise])
async def test_a_damaged_note_of_how_far_a_job_came_means_to_begin_anew(
    cache: AsyncSessionCache, surgeon: Surgeon, job: ModuleType
) -> None:
    """A job whose notes are no numbers begins at the front, and writes them anew."""
    await cache.retention.save(RetentionPolicy(seal_idle_ms=60_000, summarise_messages=10))
    await cache.transcripts.append("a", {"n": 1})
    names = {"cursor", "at_ms", "member", "began_ms", "idle_ms", "idle_id", "busy_ms", "busy_id"}
    key = cache.keys.shard(0).lease(job.JOB)
    with surgeon.at(key) as client:
        client.hset(key, mapping=dict.fromkeys(names, "x"))
    more = {"summariser": lambda _messages, **_named: "short"} if job is summarise else {}
    for _ in range(2):
        assert (await job.run(cache, 0, limit=100, **more)).done
