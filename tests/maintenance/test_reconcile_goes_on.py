"""Repairing shards that no single run comes to the end of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, LeaseLost
from sessioncache.maintenance import batch, reconcile, tally
from sessioncache.maintenance.pace import Pace
from tests.maintenance.conftest import Surgeon

BATCH = 5

STEPS = [
    "by_user",
    "changes",
    "counters",
    "linked",
    "listed",
    "reindex",
    "settle",
    "tallied",
    "tally",
    "unlink",
    "view",
]
"""What a run does, one after the other."""


class CutOff(Exception):
    """Time is up, or the process died."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is five sessions, and so is what is kept at once."""
    monkeypatch.setattr(batch, "pace_of", lambda _cache, _job: Pace(batch=BATCH))
    monkeypatch.setattr(tally, "PART", BATCH)


async def fill(cache: AsyncSessionCache, count: int) -> None:
    """So many sessions of two messages each, and a workspace in every tenth."""
    for number in range(count):
        name = f"s{number:03}"
        await cache.transcripts.append(name, [{"n": number}, {"n": number}], user=f"u{number:03}")
        if number % 10 == 0:
            await cache.workspaces.add("w", name)


async def told(cache: AsyncSessionCache) -> tuple[int, int]:
    """Sessions and messages of the only shard, as its totals say."""
    [shard] = await cache.stats.shards()
    return shard.sessions, shard.messages


async def held(cache: AsyncSessionCache) -> tuple[int, int]:
    """The same, as the records say."""
    records = [item async for item in cache.sessions.each()]
    return len(records), sum(item.messages for item in records)


def spoil(surgeon: Surgeon, cache: AsyncSessionCache) -> None:
    """Put the totals wrong."""
    key = cache.keys.shard(0).totals
    with surgeon.at(key) as client:
        client.hincrby(key, "messages", 1000)
        client.hincrby(key, "sessions", -7)


def is_kept(surgeon: Surgeon, cache: AsyncSessionCache) -> bool:
    """Whether anything of a count lies on the server."""
    key = cache.keys.shard(0).tally
    with surgeon.at(key) as client:
        return bool(client.exists(key))


def cut_after_each_batch(cache: AsyncSessionCache, patch: pytest.MonkeyPatch) -> Counter[str]:
    """End a run wherever it has kept how far it came; answers how often each session is compared."""
    compared: Counter[str] = Counter()
    tally, reindex = cache.upkeep.tally, cache.upkeep.reindex

    async def tally_and_end(shard: int, part: bytes, **named: Any) -> bool:
        kept = await tally(shard, part, **named)
        if part:
            raise CutOff
        return kept

    async def reindex_noted(shard: int, listed: Mapping[str, str | None], **named: Any) -> object:
        compared.update(listed.keys())
        return await reindex(shard, listed, **named)

    patch.setattr(cache.upkeep, "tally", tally_and_end)
    patch.setattr(cache.upkeep, "reindex", reindex_noted)
    return compared


async def runs_until_done(cache: AsyncSessionCache, between: Callable[[int], Awaitable[None]], most: int) -> int:
    """Run until a run comes to its end; how many that took."""
    for number in range(1, most + 1):
        lease = await cache.upkeep.acquire(0, "reconcile", holder=f"worker-{number}", ttl_ms=60_000)
        assert lease is not None
        try:
            report = await reconcile.run(cache, 0, limit=1_000, lease=lease)
        except CutOff:
            await cache.upkeep.release(lease)
            await between(number)
            continue
        await cache.upkeep.release(lease)
        assert report.done
        return number
    raise AssertionError(f"{most} runs were not enough")


@pytest.mark.engines("fakeredis", "valkey", "redis", "cluster", "acl")
async def test_runs_that_are_cut_off_come_to_the_end_together(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run goes on where the last one ended and compares nothing twice; writers in between are counted, once."""
    await fill(cache, 40)
    spoil(surgeon, cache)
    compared = cut_after_each_batch(cache, monkeypatch)

    async def write(number: int) -> None:
        behind, ahead = f"s{number:03}", f"s{39 - number:03}"
        await cache.transcripts.append(behind, [{"n": "late"}] * 3)
        await cache.transcripts.append(ahead, {"n": "early"})
        await cache.transcripts.append(f"new-{number}", {"n": 0}, user="a")
        await cache.transcripts.append(f"newer-{number}", {"n": 0}, user="z")
        await cache.transcripts.pop(ahead)
        if number % 2:
            await cache.session(behind).delete()
            await cache.session(ahead).delete()
            await cache.transcripts.append(ahead, {"n": "again"}, user="b")

    count = await runs_until_done(cache, write, most=20)
    assert count > 40 // BATCH
    assert max(compared.values()) == 1
    assert await told(cache) == await held(cache)
    assert not is_kept(surgeon, cache)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "behind"])
async def test_a_crash_between_any_two_steps(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> None:
    """Wherever a run dies, in front of a step or behind it, the next one comes to the end, with exact totals."""
    await fill(cache, 12)
    for number in range(1, 100):
        spoil(surgeon, cache)
        with monkeypatch.context() as patch:
            was_cut = await run_with_crash(cache, patch, number, is_done=is_done)
        await cache.transcripts.append("s001", {"n": number})
        await cache.transcripts.append(f"new-{number % 3}", {"n": number})
        assert (await reconcile.run(cache, 0, limit=1_000)).done
        assert await told(cache) == await held(cache), number
        assert not is_kept(surgeon, cache)
        if not was_cut:
            return
    raise AssertionError("no run has come to its end")


async def run_with_crash(cache: AsyncSessionCache, patch: pytest.MonkeyPatch, number: int, *, is_done: bool) -> bool:
    """Run, and die at a step, which is done or not; whether it came there."""
    taken = 0

    def breaking(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def broken(*given: object, **named: object) -> object:
            nonlocal taken
            taken += 1
            if taken == number and not is_done:
                raise CutOff
            answer = await step(*given, **named)
            if taken == number:
                raise CutOff
            return answer

        return broken

    for name in STEPS:
        patch.setattr(cache.upkeep, name, breaking(getattr(cache.upkeep, name)))
    try:
        await reconcile.run(cache, 0, limit=1_000)
    except CutOff:
        return True
    return False


async def test_a_lost_list_is_gone_through_in_parts(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Sessions that only other lists know are compared by runs of any limit, each going on where the last one was."""
    await fill(cache, 23)
    spoil(surgeon, cache)
    key = cache.keys.shard(0).by_user
    with surgeon.at(key) as client:
        client.delete(key)
    reports = [await reconcile.run(cache, 0, limit=4) for _ in range(6)]
    assert [report.done for report in reports] == [False] * 5 + [True]
    assert sum(report.details.get("by-user", 0) for report in reports) == 23
    assert await told(cache) == await held(cache)


async def test_what_the_feed_forgot_means_to_begin_anew(
    cache: AsyncSessionCache, surgeon: Surgeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more was changed between two runs than the feed remembers, nothing of the first one is believed."""
    await fill(cache, 12)
    with monkeypatch.context() as patch:
        cut_after_each_batch(cache, patch)
        with pytest.raises(CutOff):
            await reconcile.run(cache, 0, limit=100)
    await cache.transcripts.append("s000", {"n": 1})
    await cache.transcripts.append("s011", {"n": 1})
    key = cache.keys.shard(0).feed
    with surgeon.at(key) as client:
        client.xtrim(key, maxlen=1, approximate=False)
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.done, report.examined, report.details) == (True, 12, {})


@pytest.mark.parametrize("damage", [b"x", b"\x78\x9c", b""])
async def test_a_damaged_count_means_to_begin_anew(cache: AsyncSessionCache, surgeon: Surgeon, damage: bytes) -> None:
    """What was kept and cannot be read is forgotten, and the totals come out right."""
    await fill(cache, 12)
    spoil(surgeon, cache)
    assert not (await reconcile.run(cache, 0, limit=BATCH)).done
    key = cache.keys.shard(0).tally
    with surgeon.at(key) as client:
        client.rpush(key, damage)
    report = await reconcile.run(cache, 0, limit=100)
    assert (report.done, report.examined) == (True, 12)
    assert await told(cache) == await held(cache)
    assert not is_kept(surgeon, cache)


async def test_who_lost_the_lease_keeps_nothing(cache: AsyncSessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose shard was taken over adds nothing to what the other one has counted."""
    await fill(cache, 12)
    late = await cache.upkeep.acquire(0, "reconcile", holder="a", ttl_ms=60_000)
    assert late is not None
    with monkeypatch.context() as patch:
        cut_after_each_batch(cache, patch)
        with pytest.raises(CutOff):
            await reconcile.run(cache, 0, limit=100, lease=late)
    await cache.upkeep.acquire(0, "reconcile", holder="a", ttl_ms=60_000)
    before = await cache.upkeep.tallied(0, start=0, limit=10)
    with pytest.raises(LeaseLost):
        await cache.upkeep.tally(0, b"late", length=len(before), lease=late)
    assert await cache.upkeep.tallied(0, start=0, limit=10) == before


async def test_a_part_is_kept_once(cache: AsyncSessionCache) -> None:
    """A part whose answer was lost and that is sent again is kept once; one that others have overtaken is not kept."""
    assert await cache.upkeep.tally(0, b"one", length=0)
    assert await cache.upkeep.tally(0, b"one", length=0)
    assert not await cache.upkeep.tally(0, b"other", length=0)
    assert await cache.upkeep.tallied(0, start=0, limit=10) == [b"one"]
    assert not await cache.upkeep.tally(0, b"", length=0)
    assert await cache.upkeep.tally(0, b"", length=1)
    assert await cache.upkeep.tallied(0, start=0, limit=10) == []


@pytest.mark.engines("valkey")
async def test_two_runs_at_once_do_not_mix(cache: AsyncSessionCache, surgeon: Surgeon) -> None:
    """Of two runs without a lease one keeps its count; both come to the end, and the totals are corrected once."""
    await fill(cache, 40)
    spoil(surgeon, cache)
    reports = await asyncio.gather(*(reconcile.run(cache, 0, limit=1_000) for _ in range(2)))
    assert all(report.done for report in reports)
    assert sum(report.details.get("totals", 0) for report in reports) == 1
    assert await told(cache) == await held(cache)


async def test_a_dry_run_keeps_nothing(cache: AsyncSessionCache) -> None:
    """A dry run looks at the shard from its front, whatever is kept, and leaves that as it is."""
    await fill(cache, 12)
    assert not (await reconcile.run(cache, 0, limit=BATCH)).done
    before = await cache.upkeep.tallied(0, start=0, limit=10)
    report = await reconcile.run(cache, 0, limit=100, dry_run=True)
    assert (report.done, report.examined, report.details) == (True, 12, {})
    assert await cache.upkeep.tallied(0, start=0, limit=10) == before
