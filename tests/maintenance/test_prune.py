"""Trimming transcripts to what is kept."""

from __future__ import annotations

import pytest

from sessioncache import AsyncSessionCache, RetentionPolicy
from sessioncache.errors import LeaseLost
from sessioncache.maintenance import prune

CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}


async def test_trims_to_the_policy(cache: AsyncSessionCache) -> None:
    """Every transcript keeps its newest messages, as many as the policy says."""
    await cache.retention.save(RetentionPolicy(keep_messages=3))
    for name in ("a", "b"):
        await cache.transcripts.append(name, [{"role": "user", "content": str(n)} for n in range(5)])
    await cache.transcripts.append("short", {"role": "user", "content": "x"})
    report = await prune.run(cache, 0, limit=100)
    assert (report.examined, report.changed, report.details["messages"], report.done) == (3, 2, 4, True)
    page = await cache.transcripts.list("a", last=10)
    assert [message["content"] for message in page.messages] == ["2", "3", "4"]
    assert (await cache.stats.get()).messages == 7


async def test_a_call_stays_with_its_result(cache: AsyncSessionCache) -> None:
    """Where the limit falls between a tool's call and its result, both stay."""
    await cache.retention.save(RetentionPolicy(keep_messages=2))
    await cache.transcripts.append(
        "a", [{"role": "user", "content": "q"}, CALL, RESULT, {"role": "user", "content": "z"}]
    )
    await prune.run(cache, 0, limit=100)
    page = await cache.transcripts.list("a", last=10)
    assert page.messages == [CALL, RESULT, {"role": "user", "content": "z"}]


async def test_more_than_one_call_can_take(cache: AsyncSessionCache) -> None:
    """A transcript far above its limit is trimmed in one run, however many calls that takes."""
    await cache.retention.save(RetentionPolicy(keep_messages=10))
    await cache.transcripts.save("long", [{"role": "user", "content": str(n)} for n in range(1300)])
    report = await prune.run(cache, 0, limit=100)
    assert (report.changed, report.details["messages"]) == (1, 1290)
    assert await cache.transcripts.count("long") == 10


async def test_a_session_has_its_own_say(cache: AsyncSessionCache) -> None:
    """A session's own retention is kept to where the namespace keeps everything."""
    for name in ("own", "other"):
        await cache.transcripts.append(name, [{"role": "user", "content": str(n)} for n in range(5)])
    await cache.session("own").retain(keep_messages=1)
    await prune.run(cache, 0, limit=100)
    assert (await cache.transcripts.count("own"), await cache.transcripts.count("other")) == (1, 5)


async def test_pinned_sessions_are_left_alone(cache: AsyncSessionCache) -> None:
    """What a person pinned is not trimmed, unless the policy says so."""
    await cache.retention.save(RetentionPolicy(keep_messages=1))
    await cache.transcripts.append("a", [{"role": "user", "content": str(n)} for n in range(3)])
    await cache.session("a").update(pinned=True)
    assert (await prune.run(cache, 0, limit=100)).changed == 0


async def test_stops_at_the_limit(cache: AsyncSessionCache) -> None:
    """A run looks at no more sessions than it may; the next goes on there, and the one after that begins anew."""
    for number in range(5):
        await cache.transcripts.append(f"s{number}", {"role": "user", "content": "x"})
    reports = [await prune.run(cache, 0, limit=limit) for limit in (3, 5, 5)]
    assert [(report.examined, report.done) for report in reports] == [(3, False), (2, True), (5, True)]


async def test_a_late_worker_is_refused(cache: AsyncSessionCache) -> None:
    """Whoever lost the shard's lease trims nothing."""
    await cache.retention.save(RetentionPolicy(keep_messages=1))
    await cache.transcripts.append("a", [{"role": "user", "content": str(n)} for n in range(3)])
    late = await cache.upkeep.acquire(0, "prune", holder="a", ttl_ms=60_000)
    await cache.upkeep.acquire(0, "prune", holder="a", ttl_ms=60_000)
    with pytest.raises(LeaseLost):
        await prune.run(cache, 0, limit=10, lease=late)
    assert await cache.transcripts.count("a") == 3
